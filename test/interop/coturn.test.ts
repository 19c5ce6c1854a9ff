// SPDX-License-Identifier: Apache-2.0
// Debian's coturn with a secret that it shares with this server: the credentials that a client gets by XEP-0215 make an
// allocation through which data flows, and others do not.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { CheckReport } from '../../src/appliance/examine.ts'
import type { Report } from '../../src/ops/compliance/run.ts'
import { type Aenigma, type Bench, bench, Child, freePorts, needs, startAenigma } from '../support/process.ts'
import { Wire } from '../support/wire.ts'

const TURNSERVER = '/usr/bin/turnserver'
const CLIENT = '/usr/bin/turnutils_uclient'
const STUN_CLIENT = '/usr/bin/turnutils_stunclient'
const AENIGMA = new URL('../../bin/aenigma', import.meta.url).pathname
const SECRET = 'north-wind'
const NS = 'urn:xmpp:extdisco:2'

/** Starts coturn on the loopback address. @param more flags of its own @returns its port */
async function startCoturn(of: Bench, more: readonly string[] = ['--allow-loopback-peers']): Promise<number> {
  needs(TURNSERVER, 'coturn')
  const { http: port } = await freePorts()
  const options = {
    'listening-ip': '127.0.0.1',
    'listening-port': port,
    'relay-ip': '127.0.0.1',
    'static-auth-secret': SECRET,
    realm: 'localhost',
    userdb: join(of.directory, 'turndb'),
    pidfile: join(of.directory, 'turn.pid'),
    'log-file': 'stdout',
  }
  const flags = ['-n', '-v', '--use-auth-secret', '--no-cli', '--no-tls', '--no-dtls', ...more]
  const args = [...flags, ...Object.entries(options).map(([name, value]) => `--${name}=${value}`)]
  const child = new Child(of, { program: TURNSERVER, args })
  await child.until('UDP listener', () => /UDP listener opened on/.exec(child.output) ?? undefined)
  return port
}

/** A server that names this coturn. */
async function startBoth(
  t: TestContext,
): Promise<{ readonly of: Bench; readonly port: number; readonly server: Aenigma }> {
  const of = bench(t)
  const port = await startCoturn(of)
  const services = [
    { type: 'stun', host: '127.0.0.1', port },
    { type: 'turn', host: '127.0.0.1', port, secret: SECRET },
  ]
  const options = { accounts: { plain: true }, externalServices: services }
  const server = await startAenigma(of, await freePorts(), { options })
  await server.addUser('juliet', 'secret')
  return { of, port, server }
}

/** What a client is told about the TURN server. */
async function credentials({ ports, ca }: Aenigma): Promise<Readonly<Record<string, string>>> {
  const juliet = await Wire.direct(ports.tls, { ca: readFileSync(ca) })
  await juliet.logsIn('juliet', 'balcony')
  await juliet.write(`<iq type='get' id='turn' to='localhost'><services xmlns='${NS}' type='turn'/></iq>`)
  const [, attrs = ''] = /<service ([^>]*)\/>/.exec(await juliet.until(/<iq [^>]*id='turn'.*<\/iq>/)) ?? []
  juliet.socket.destroy()
  return Object.fromEntries([...attrs.matchAll(/(\w+)='([^']*)'/g)].map(([, name, value]) => [name, value]))
}

function allocates(of: Bench, port: number, username: string, password: string, ...more: readonly string[]): Child {
  const args = [
    '-u',
    username,
    '-w',
    password,
    '-p',
    String(port),
    '-L',
    '127.0.0.1',
    '-y',
    '-n',
    '5',
    ...more,
    '127.0.0.1',
  ]
  return new Child(of, { program: CLIENT, args })
}

test('coturn accepts the credentials that a client is given, and no others', async (t) => {
  const { of, port, server } = await startBoth(t)
  const { host, port: named, username = '', password = '' } = await credentials(server)
  assert.deepEqual([host, named], ['127.0.0.1', String(port)])

  for (const transport of [[], ['-t']]) {
    const client = allocates(of, port, username, password, ...transport)
    assert.match(await client.succeeds(), /: tot_send_msgs=20, tot_recv_msgs=20\n/, client.output)
  }
  const [until, pseudonym] = username.split(':')
  for (const [user, word] of [
    [username, `${password}x`],
    [`${Number(until) + 1}:${pseudonym}`, password],
  ] as const) {
    const client = allocates(of, port, user, word)
    await client.until('refusal', () => /Cannot complete Allocation/.exec(client.output) ?? undefined)
  }
  const stun = new Child(of, { program: STUN_CLIENT, args: ['-p', String(port), '127.0.0.1'] })
  assert.match(await stun.succeeds(), /reflexive addr: 127\.0\.0\.1:/)
})

test('the compliance checks for calls pass', async (t) => {
  const { of, server } = await startBoth(t)
  const config = join(of.directory, 'aenigma.yaml')
  const child = new Child(of, {
    program: process.execPath,
    args: [AENIGMA, 'compliance', '--config', config, '--json'],
  })
  await child.ended
  const report: Report = JSON.parse(child.stdout)
  for (const id of ['stun', 'turn']) {
    const check = report.tester.checks.find((one) => one.id === id)
    assert.ok(check?.found, `${id}: ${check?.reason}`)
  }
  await server.stop()
})

/** What the doctor says of calls where these services are named. */
async function doctorSays(t: TestContext, services: readonly object[]): Promise<Readonly<Record<string, string>>> {
  const of = bench(t)
  const server = await startAenigma(of, await freePorts(), { options: { externalServices: services } })
  const config = join(of.directory, 'aenigma.yaml')
  const args = [AENIGMA, 'doctor', '--only', 'stun', '--only', 'turn', '--config', config, '--json']
  const child = new Child(of, { program: process.execPath, args })
  await child.ended
  const { findings }: CheckReport = JSON.parse(child.stdout)
  await server.stop()
  return Object.fromEntries(findings.map(({ id, level, found }) => [id, `${level}: ${found}`]))
}

test('the doctor sends through it, by UDP and by TCP', async (t) => {
  const port = await startCoturn(bench(t))
  const at = { host: '127.0.0.1', port }
  const services = [
    { type: 'stun', ...at },
    { type: 'turn', ...at, secret: SECRET },
    { type: 'turn', ...at, secret: SECRET, transport: 'tcp' },
  ]
  const way = (by: string): string => `127.0.0.1 port ${port} by ${by}`
  assert.deepEqual(await doctorSays(t, services), {
    stun: `ok: ${way('UDP')} sees 127.0.0.1.`,
    turn: `ok: ${way('UDP')} relays at 127.0.0.1; ${way('TCP')} relays at 127.0.0.1.`,
  })
})

test('the doctor tells another secret, a relay that passes nothing, and one that is not there', async (t) => {
  const port = await startCoturn(bench(t), [])
  const { http: closed } = await freePorts()
  const turn = { type: 'turn', host: '127.0.0.1' }
  const at = (port: number): string => `error: 127.0.0.1 port ${port} by UDP`
  const other = await doctorSays(t, [{ ...turn, port, secret: 'south-wind' }])
  assert.deepEqual(other, {
    stun: 'na: None is named.',
    turn: `${at(port)}: it answers with error 401 (Unauthorized).`,
  })
  const deaf = await doctorSays(t, [{ ...turn, port, secret: SECRET }])
  assert.equal(deaf.turn, `${at(port)}: it answers with error 403 (Forbidden IP).`)
  const gone = await doctorSays(t, [
    { ...turn, port: closed, secret: SECRET },
    { type: 'stun', host: '127.0.0.1', port: closed },
  ])
  assert.equal(gone.turn, `${at(closed)}: nobody listens there.`)
  assert.equal(gone.stun, `${at(closed)}: nobody listens there.`)
})
