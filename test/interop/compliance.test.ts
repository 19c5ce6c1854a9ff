// SPDX-License-Identifier: Apache-2.0
// The checks of `aenigma compliance` against Prosody: what another server has for years must pass, and what it was told to
// leave out must fail.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Finding, type Report, runCompliance } from '../../src/ops/compliance/run.ts'
import { trialCertificate } from '../../src/ops/trial-certificate.ts'
import { type Bench, bench, Child, freePorts, needs, type Ports } from '../support/process.ts'

const PROSODY = '/usr/bin/prosody'

/** Without push, which this version has not. */
const MODULES = [
  ...[
    'roster',
    'saslauth',
    'tls',
    'disco',
    'pep',
    'blocklist',
    'carbons',
    'csi',
    'csi_simple',
    'smacks',
    'ping',
    'mam',
  ],
  ...['private', 'vcard4', 'vcard_legacy', 'bookmarks', 'offline', 'register', 'server_contact_info', 'turn_external'],
  ...['bosh', 'websocket'],
]

function configuration(directory: string, ports: Ports, { cert, key }: { cert: string; key: string }): string {
  const tls = `{ certificate = "${cert}", key = "${key}" }`
  return `
run_as_root = true
daemonize = false
pidfile = "${directory}/prosody.pid"
data_path = "${directory}/data"
log = { info = "*console" }
interfaces = { "127.0.0.1" }
http_interfaces = { "127.0.0.1" }
c2s_ports = { ${ports.starttls} }
c2s_direct_tls_ports = { ${ports.tls} }
http_ports = { ${ports.http} }
https_ports = {}
http_default_host = "localhost"
consider_bosh_secure = true
consider_websocket_secure = true
s2s_ports = {}
ssl = ${tls}
c2s_direct_tls_ssl = ${tls}
authentication = "internal_plain"
storage = "internal"
allow_registration = true
contact_info = { abuse = { "mailto:abuse@localhost" } }
turn_external_host = "turn.localhost"
turn_external_secret = "secret"
modules_enabled = { ${MODULES.map((name) => `"${name}"`).join(', ')} }
modules_disabled = { "s2s" }
VirtualHost "localhost"
  disco_items = { { "conference.localhost" }, { "upload.localhost" } }
Component "conference.localhost" "muc"
  modules_enabled = { "muc_mam" }
Component "upload.localhost" "http_file_share"
  http_external_url = "http://upload.localhost:${ports.http}/"
`
}

async function startProsody(place: Bench): Promise<{ readonly ports: Ports; readonly authority: string }> {
  needs(PROSODY, 'prosody')
  const accounts = join(place.directory, 'data', 'localhost', 'accounts')
  mkdirSync(accounts, { recursive: true })
  for (const name of ['romeo', 'juliet'])
    writeFileSync(join(accounts, `${name}.dat`), 'return { password = "secret" };\n')
  const certificate = await trialCertificate(place.directory, Date.now())
  const ports = await freePorts()
  const file = join(place.directory, 'prosody.cfg.lua')
  writeFileSync(file, configuration(place.directory, ports, certificate))
  const child = new Child(place, { program: PROSODY, args: ['--config', file, '-F'] })
  const listening = [ports.starttls, ports.tls, ports.http].map((port) => `:${port}`)
  await child.until('readiness', () => listening.every((port) => child.output.includes(port)) || undefined)
  return { ports, authority: readFileSync(certificate.ca, 'utf8') }
}

/** A web server that names the ways in, which this version does not, and leaves the rest to Prosody. @returns its origin */
async function startWeb(place: Bench, port: number): Promise<string> {
  const link = (rel: string, href: string) => ({ rel: `urn:xmpp:alt-connections:${rel}`, href })
  const links = [link('websocket', 'wss://localhost/xmpp-websocket'), link('xbosh', 'https://localhost/http-bind')]
  const server = createServer((client) => {
    client
      .on('error', () => undefined)
      .once('data', (first) => {
        if (String(first).includes('/.well-known/host-meta')) {
          client.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${JSON.stringify({ links })}`)
          return
        }
        const behind = connect(port, '127.0.0.1')
        behind.on('error', () => client.destroy()).write(first)
        client.pipe(behind).pipe(client)
      })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  place.defer(() => void server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address)
  return `http://127.0.0.1:${address.port}`
}

/** Its checks, with a password for each account. */
async function reportOf(t: TestContext, passwords: readonly string[]): Promise<Report> {
  const owned = bench(t)
  const { ports, authority } = await startProsody(owned)
  const place = { host: '127.0.0.1', domain: 'localhost', authority }
  const places = { starttls: { ...place, port: ports.starttls }, tls: { ...place, port: ports.tls } }
  const [first, second] = passwords.map((password, index) => ({ username: index === 0 ? 'romeo' : 'juliet', password }))
  assert.ok(first)
  const web = await startWeb(owned, ports.http)
  const target = { domain: 'localhost', places, announced: undefined, web, first, second }
  return runCompliance(target, new AbortController().signal)
}

function failing(checks: readonly Finding[]): readonly (readonly [string, string])[] {
  return checks.filter(({ found }) => !found).map(({ id, reason }) => [id, reason])
}

/** What this version of Prosody has not, or was not told to have. */
const MISSING: readonly (readonly [string, string])[] = [
  ['xep0357', 'the account does not name it'],
  ['vcard_muc', 'a new room does not name vcard-temp'],
  ['xep0065', 'there is no proxy for file transfers'],
]

test('what Prosody has passes, and what it has not fails', async (t) => {
  const { tester, suite, passed } = await reportOf(t, ['secret', 'secret'])
  assert.deepEqual(failing(tester.checks), MISSING)
  assert.deepEqual(
    failing(suite.flatMap(({ checks }) => checks)).map(([id]) => id),
    ['xep0114', 'xep0357'],
  )
  assert.equal(passed, false)
})

test('one account alone is enough for most of it', async (t) => {
  const { tester } = await reportOf(t, ['secret'])
  const alone = failing(tester.checks).filter(([id]) => !MISSING.some(([missing]) => missing === id))
  assert.deepEqual(alone, [
    ['xep0160', 'a second account is needed to see it'],
    ['xep0398', 'not tried: it would replace the picture of this account'],
  ])
})

test('a wrong password is tried once for each way in, and not for each check', async (t) => {
  await assert.rejects(reportOf(t, ['wrong', 'wrong']), /Nobody can log in to localhost: .*not-authorized/)
})
