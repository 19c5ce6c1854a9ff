// SPDX-License-Identifier: Apache-2.0
// `aenigma compliance` against the program itself. What it finds grows with the server; what is asserted here stays.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Finding, Report } from '../../src/ops/compliance/run.ts'
import { bench, Child, freePorts, startAenigma } from '../support/process.ts'

const BIN = new URL('../../bin/aenigma', import.meta.url).pathname

test('a trial server is looked at by accounts that are gone afterwards', async (t) => {
  const place = bench(t)
  const server = await startAenigma(place)
  const run = (...args: readonly string[]): Child =>
    new Child(place, { program: process.execPath, args: [BIN, 'compliance', '--data', server.data, ...args] })

  const json = run('--json')
  const { code } = await json.ended
  const report: Report = JSON.parse(json.stdout)
  assert.equal(code, report.passed ? 0 : 1, json.output)

  assert.equal(report.domain, 'localhost')
  assert.equal(report.tester.of, 25)
  assert.equal(report.tester.required.of, 21)
  assert.deepEqual(
    report.suite.map(({ name, advanced }) => [name, advanced.of]),
    [
      ['Core', 7],
      ['Web', 2],
      ['IM', 16],
      ['Mobile', 3],
      ['A/V', 1],
    ],
  )
  const found = new Set(all(report).filter((one) => one.found))
  const ids = new Set([...found].map(({ id }) => id))
  for (const id of [
    'starttls',
    'tls',
    'xep0115',
    'roster_versioning',
    'xep0191',
    'xep0160',
    'xep0368',
    'xep0065',
    'xep0363',
    'xep0363_cors',
  ]) {
    assert.ok(ids.has(id), `${id} is found: ${JSON.stringify(all(report).find((one) => one.id === id))}`)
  }
  for (const id of ['websocket', 'bosh', 'xep0156', 'rfc7395', 'xep0206']) {
    assert.ok(ids.has(id), `${id} is found: ${JSON.stringify(all(report).find((one) => one.id === id))}`)
  }
  for (const id of ['rfc6120', 'rfc7590', 'xep0030', 'rfc6121', 'xep0054', 'xep0049']) {
    assert.ok(ids.has(id), `${id} is found: ${JSON.stringify(all(report).find((one) => one.id === id))}`)
  }
  for (const id of ['xep0045', 'xep0249', 'xep0313muc', 'vcard_muc', 'xep0410']) {
    assert.ok(ids.has(id), `${id} is found: ${JSON.stringify(all(report).find((one) => one.id === id))}`)
  }
  for (const { reason } of all(report)) assert.notEqual(reason, '')

  const text = run()
  await text.ended
  assert.match(text.stdout, /Conversations compliance tester: \d+ of 25 \(\d+ of 21 required\)/)
  assert.match(text.stdout, /✓ {2}xep0191 +Blocking Command +blocked, listed/)
  assert.match(text.stdout, /XEP-0479 IM: Server \d+ of 6, Advanced Server \d+ of 16/)

  const accounts: readonly { jid: string }[] = JSON.parse(await server.command(['user', 'list', '--json']))
  assert.deepEqual(
    accounts.map(({ jid }) => jid),
    ['admin@localhost'],
  )
})

test('with a TURN server, a contact and open registration nothing is missing', async (t) => {
  const place = bench(t)
  const [ports, more] = [await freePorts(), await freePorts()]
  const at = (port: number): readonly string[] => [`127.0.0.1:${port}`]
  const server = await startAenigma(place, ports, {
    options: {
      listen: {
        starttls: at(ports.starttls),
        tls: at(ports.tls),
        http: at(ports.http),
        https: at(more.tls),
        proxy: at(more.http),
        components: at(more.starttls),
        metrics: [],
        servers: [],
        serversTls: [],
      },
      registration: 'open',
      contacts: { abuse: 'mailto:abuse@localhost' },
      components: { 'gateway.localhost': { secret: 'what only the two of them know' } },
      externalServices: [
        { type: 'stun', host: '127.0.0.1' },
        { type: 'turn', host: '127.0.0.1', secret: 'what only the three of them know' },
      ],
    },
  })
  const look = new Child(place, {
    program: process.execPath,
    args: [BIN, 'compliance', '--json', '--config', join(place.directory, 'aenigma.yaml')],
    env: { NODE_EXTRA_CA_CERTS: server.ca },
  })
  const report: Report = JSON.parse(await look.succeeds())
  const missing = all(report).filter(({ found }) => !found)
  assert.deepEqual(missing, [])
  assert.deepEqual([report.tester.passed, report.tester.of], [25, 25])
  for (const { name, advanced } of report.suite) assert.equal(advanced.passed, advanced.of, name)
})

test('what cannot be looked at is said, and nothing is left behind', async (t) => {
  const place = bench(t)
  const server = await startAenigma(place)
  const ask = async (...args: readonly string[]): Promise<readonly [number | null, string]> => {
    const child = new Child(place, { program: process.execPath, args: [BIN, 'compliance', ...args] })
    return [(await child.ended).code, child.output]
  }

  const [other, why] = await ask('--data', server.data, '--domain', 'example.org')
  assert.equal(other, 1)
  assert.match(why, /does not serve "example\.org"/)
  assert.equal((await ask('--account', 'romeo@localhost'))[0], 2, 'a password is needed')
  const [stopped] = await ask('--data', `${server.data}-elsewhere`)
  assert.equal(stopped, 1, 'no server runs there')
})

test('Ctrl-C ends the checks, not the clearing up', async (t) => {
  const place = bench(t)
  const server = await startAenigma(place)
  const child = new Child(place, { program: process.execPath, args: [BIN, 'compliance', '--data', server.data] })
  const accounts = async (): Promise<number> => JSON.parse(await server.command(['user', 'list', '--json'])).length
  while ((await accounts()) === 1 && !child.hasEnded);
  const { code } = child.hasEnded ? { code: 1 } : await child.end('SIGINT')
  assert.equal(code, 1)
  assert.equal(await accounts(), 1)
})

function all({ transports, tester, suite, extra }: Report): readonly Finding[] {
  return [...transports, ...tester.checks, ...suite.flatMap(({ checks }) => checks), ...extra]
}
