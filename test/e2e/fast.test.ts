// SPDX-License-Identifier: Apache-2.0
// Logging in by token over real TLS (XEP-0484): the client says everything at once, and everything is answered at once.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { Jid } from '../../src/xmpp/jid.ts'
import { loopback } from '../support/loopback.ts'
import { HEADER, Wire } from '../support/wire.ts'

const place = await loopback()
await place.accounts.add(Jid.of('juliet', 'localhost'), 'secret')

const AGENT = `<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>`
const BIND = `<bind xmlns='urn:xmpp:bind:0'><tag>App</tag></bind>`

function authenticate(mechanism: string, data: Buffer, more: string): string {
  const response = `<initial-response>${data.toString('base64')}</initial-response>`
  return `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='${mechanism}'>${response}${AGENT}${BIND}${more}</authenticate>`
}

/** The header of a client that says who it is, as XEP-0484 §4.1 asks. */
const OPEN = HEADER.replace(`to='localhost'`, `from='juliet@localhost' to='localhost'`)

function exporter(wire: Wire): Buffer {
  return wire.tls.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
}

/** What a token says on this connection, in its one and only message. */
function message(token: string, binding: Buffer): Buffer {
  const proof = createHmac('sha256', token).update('Initiator').update(binding).digest()
  return Buffer.concat([Buffer.from('juliet\0'), proof])
}

async function token(): Promise<string> {
  const wire = await Wire.direct(place.direct)
  const wish = `<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-EXPR'/>`
  await wire.write(OPEN + authenticate('PLAIN', Buffer.from('\0juliet\0secret'), wish))
  const success = await wire.until(/<\/success>/)
  assert.match(success, /<mechanism>HT-SHA-256-EXPR<\/mechanism>/)
  await wire.until(/<\/stream:features>/)
  wire.socket.destroy()
  return /<token [^>]*token='([^']+)'/.exec(success)?.[1] ?? ''
}

test('one write, one answer, and the client is there: header, login by token bound to the channel, resource', async () => {
  const secret = await token()
  const wire = await Wire.direct(place.direct, { minVersion: 'TLSv1.3' })
  const binding = exporter(wire)
  await wire.write(
    OPEN + authenticate('HT-SHA-256-EXPR', message(secret, binding), `<fast xmlns='urn:xmpp:fast:0' count='1'/>`),
  )
  const success = await wire.until(/<\/success>/)
  assert.match(success, /<authorization-identifier>juliet@localhost\/App\/[\w-]{12}<\/authorization-identifier>/)
  const answer = createHmac('sha256', secret).update('Responder').update(binding).digest('base64')
  assert.match(success, new RegExp(`<additional-data>${answer.replaceAll('+', '\\+')}</additional-data>`))
  assert.match(await wire.until(/<\/stream:features>/), /^<stream:features>/)
  await wire.pings()
  wire.socket.destroy()
})

test('what was said on one connection is worth nothing on another', async () => {
  const secret = await token()
  const first = await Wire.direct(place.direct)
  const said = authenticate('HT-SHA-256-EXPR', message(secret, exporter(first)), `<fast xmlns='urn:xmpp:fast:0'/>`)
  first.socket.destroy()
  const second = await Wire.direct(place.direct)
  await second.write(OPEN + said)
  assert.match(await second.until(/<\/failure>/), /<not-authorized /)
  second.socket.destroy()
})
