// SPDX-License-Identifier: Apache-2.0
// Debian's testssl.sh looks at the TLS ports as those who grade servers do, and finds nothing that would cost an A. It does not know
// how servers ask for STARTTLS: that port has the same TLS as the one without.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Network } from '../support/federated.ts'
import { bench, Child, freePorts, needs } from '../support/process.ts'

const TESTSSL = '/usr/bin/testssl'
const DOMAIN = 'capulet.example'
/** Five minutes a port: it is a shell script that opens hundreds of connections, on two cores. */
const PATIENCE = 300_000
/** What has to do with an authority that is known to the whole world, and with the certificate that the test made by another one. */
const OF_THE_AUTHORITY = /^(cert_(serialNumberLen|notAfter|revocation|expirationStatus|crl|ocsp)|OCSP|DNS_CAA)/i
/** What costs something; a warning is that testssl.sh could not look. */
const GRADED = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL']

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

const place = bench({ after })
const network = await Network.begin(place)
const own = await freePorts()
const others = await freePorts()
const at = (port: number): readonly string[] => [`127.0.0.1:${port}`]

test('testssl.sh finds nothing', { timeout: 2 * PATIENCE }, async () => {
  needs(TESTSSL, 'testssl.sh')
  const clients = { starttls: at(own.starttls), tls: at(own.tls), https: at(own.http) }
  const servers = { servers: at(others.starttls), serversTls: at(others.tls) }
  const none = { http: [], metrics: [], proxy: [] }
  await network.start(DOMAIN, [], {
    options: { listen: { ...clients, ...servers, ...none }, limits: { connectionsPerMinutePerAddress: 100_000 } },
    federation: { connectionsPerMinute: 100_000 },
  })
  await Promise.all([
    looks('clients with TLS from the start', own.tls),
    looks('clients with STARTTLS', own.starttls, ['--starttls', 'xmpp', '--xmpphost', DOMAIN]),
    looks('browsers', own.http),
    looks('servers with TLS from the start', others.tls),
  ])
})

async function looks(what: string, port: number, more: readonly string[] = []): Promise<void> {
  const file = join(place.directory, `${port}.json`)
  const quiet = ['--quiet', '--color', '0', '--warnings', 'off', '--ip', '127.0.0.1']
  const trusted = ['--add-ca', join(place.directory, 'ca.pem'), '--jsonfile', file]
  const checks = ['-p', '-s', '-f', '-S', '-U']
  const args = [...quiet, ...trusted, ...checks, ...more, `${DOMAIN}:${port}`]
  await new Child(place, { program: TESTSSL, args }).ended
  const findings: readonly Finding[] = JSON.parse(readFileSync(file, 'utf8'))
  assert.ok(
    findings.some(({ id, severity }) => id === 'TLS1_3' && severity === 'OK'),
    `${what}: TLS 1.3 was seen`,
  )
  const bad = findings.filter(({ id, severity }) => GRADED.includes(severity) && !OF_THE_AUTHORITY.test(id))
  assert.deepEqual(bad, [], what)
}
