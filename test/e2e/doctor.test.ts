// SPDX-License-Identifier: Apache-2.0
// `aenigma doctor` at servers that run with certificates of an authority, found by way of a name server: the way that other
// servers go, up to being let in; and what the command prints.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { CheckReport, Result } from '../../src/appliance/examine.ts'
import { Network, type OurServer } from '../support/federated.ts'
import { bench } from '../support/process.ts'

const network = await Network.begin(bench({ after }))
const capulet = await network.start('capulet.example', [])

/** What it found, by the exit status that it must have. */
async function look(server: OurServer, status: number, ...args: readonly string[]): Promise<readonly Result[]> {
  const child = server.run(['doctor', '--json', '--address', '127.0.0.1', ...args])
  assert.equal((await child.ended).code, status, child.output)
  return (JSON.parse(child.stdout) as CheckReport).findings
}

async function federationOf(server: OurServer, status: number): Promise<string> {
  const [found] = await look(server, status, '--only', 'federation')
  return `${found?.level} ${found?.id}: ${found?.found}`
}

test('a server finds itself as others do, is proved, and let in', async () => {
  const found = 'They find it, its certificate proves it, and lets it in elsewhere.'
  assert.equal(await federationOf(capulet, 0), `ok federation.capulet.example: ${found}`)
})

test('our own rules are not in its way', async () => {
  const picky = await network.start('picky.example', [], { federation: { allow: ['capulet.example'] } })
  assert.match(await federationOf(picky, 0), /^ok /)
})

test('a certificate for somebody else, and a port where nobody listens', async () => {
  const verona = await network.start('verona.example', [], { certifiedFor: 'other.example' })
  assert.match(await federationOf(verona, 2), /^error federation\.verona\.example: Who they are: /)
  const mantua = await network.start('mantua.example', [])
  network.dns.srv('_xmpp-server._tcp.mantua.example', [0, 0, 9, 'xmpp.mantua.example'])
  assert.match(await federationOf(mantua, 2), /^error federation\.mantua\.example: Connection: .*127\.0\.0\.1 port 9/)
})

test('what the DNS says where somebody else answers', async () => {
  const padua = await network.start('padua.example', [])
  network.dns.srv('_xmpp-server._tcp.padua.example', [0, 0, capulet.ports.plain, 'xmpp.padua.example'])
  assert.match(await federationOf(padua, 2), /^error federation\.padua\.example: XMPP: It answers as another domain\./)
})

test('only what is asked for is looked at, and a name that there is not is told', async () => {
  const found = await look(capulet, 0, '--only', 'clock', '--only', 'login')
  const ids = found.map(({ id }) => id)
  assert.ok(ids.includes('clock') && ids.includes('login.tls') && !ids.includes('disk'), ids.join())
  const child = capulet.run(['doctor', '--only', 'clokc'])
  assert.equal((await child.ended).code, 2)
  assert.match(child.output, /There is no check "clokc" here\.\s[\s\S]*There are listener\..*clock/)
})
