// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { theatre } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'
import type { BytestreamProxy } from './0065-proxy.ts'

const NS = 'http://jabber.org/protocol/bytestreams'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const SERVICE = 'proxy.localhost'

/** Sockets that remember what they were asked for. */
class Sockets implements BytestreamProxy {
  readonly hashes: string[] = []
  outcome: ReturnType<BytestreamProxy['activate']> = 'active'
  listens = true

  placeOf(host: string) {
    return this.listens ? { host, port: 7777 } : undefined
  }

  activate(hash: string) {
    this.hashes.push(hash)
    return this.outcome
  }
}

async function stage() {
  const sockets = new Sockets()
  return { sockets, ...(await theatre({ options: { bytestreamProxy: sockets } })) }
}

function activate(target: string, sid = 'vxf9n471bn46'): string {
  return `<query xmlns='${NS}' sid='${sid}'><activate>${target}</activate></query>`
}

function error(type: string, condition: string): string {
  return `<iq type='error'><error type='${type}'><${condition} xmlns='${STANZAS}'/></error></iq>`
}

test('the proxy is found, and tells where it is', async () => {
  const { sockets, enter } = await stage()
  const juliet = await enter('juliet')
  assertLike(
    await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, SERVICE),
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>
      <identity category='proxy' type='bytestreams'/><feature var='${NS}'/></query></iq>`,
  )
  assertLike(
    await juliet.gets(`<query xmlns='${NS}'/>`, SERVICE),
    `<iq type='result'><query xmlns='${NS}'><streamhost jid='${SERVICE}' host='localhost' port='7777'/></query></iq>`,
  )
  sockets.listens = false
  assertLike(await juliet.gets(`<query xmlns='${NS}'/>`, SERVICE), error('cancel', 'not-allowed'))
})

test('a bytestream is activated by the hash of its id and of both addresses', async () => {
  const { sockets, enter } = await stage()
  const juliet = await enter('juliet', 'balcony')
  const answer = await juliet.sets(activate(' Romeo@Montague.net/orchard '), SERVICE)
  assertLike(answer, `<iq type='result' from='${SERVICE}'/>`)
  const text = 'vxf9n471bn46juliet@localhost/balconyromeo@montague.net/orchard'
  assert.deepEqual(sockets.hashes, [createHash('sha1').update(text).digest('hex')])
})

test('who is not connected cannot be activated', async () => {
  const { sockets, enter } = await stage()
  const juliet = await enter('juliet')
  sockets.outcome = 'alone'
  assertLike(await juliet.sets(activate('romeo@montague.net/x'), SERVICE), error('cancel', 'not-allowed'))
  sockets.outcome = 'nobody'
  assertLike(await juliet.sets(activate('romeo@montague.net/x'), SERVICE), error('cancel', 'item-not-found'))
})

test('what is no request is refused', async () => {
  const { sockets, enter } = await stage()
  const juliet = await enter('juliet')
  for (const payload of [
    activate(''),
    activate('romeo@montague.net', ''),
    `<query xmlns='${NS}' sid='x'/>`,
    activate('@'),
  ]) {
    assertLike(await juliet.sets(payload, SERVICE), `<iq type='error'><error type='modify'/></iq>`)
  }
  assert.deepEqual(sockets.hashes, [])
})

test('without sockets there is no proxy', async () => {
  const juliet = await (await theatre()).enter('juliet')
  assertLike(await juliet.gets(`<query xmlns='${NS}'/>`, SERVICE), error('cancel', 'not-allowed'))
})
