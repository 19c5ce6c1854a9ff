// SPDX-License-Identifier: Apache-2.0
// Let's Encrypt, as far as a server can tell: pebble, of the same people, at the names of the real one. It really looks at ports,
// and asks the DNS of the test network.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, needs } from '../process.ts'
import type { Authority } from './authority.ts'
import type { Records } from './dns.ts'
import { type Host, RESOLVER } from './host.ts'

const NAMES = ['acme-v02.api.letsencrypt.org', 'acme-staging-v02.api.letsencrypt.org'] as const
/** Of pebble itself, on its host only. */
const [ACME, MANAGEMENT] = [14000, 15000] as const

/** What the DNS must have of it. */
export function letsEncryptRecords(host: Host): Records {
  return Object.fromEntries(NAMES.map((name) => [`${name}.`, [`A ${host.address}`]]))
}

/** Starts it. @param authority by whom its pages are, which is not who signs its certificates @returns the root of what it signs (PEM) */
export async function startLetsEncrypt(of: Bench, host: Host, authority: Authority): Promise<string> {
  needs('/usr/bin/pebble', 'pebble')
  const { cert, key } = await authority.sign({ names: NAMES })
  const config = join(of.directory, 'pebble.json')
  const pebble = {
    listenAddress: `127.0.0.1:${ACME}`,
    managementListenAddress: `127.0.0.1:${MANAGEMENT}`,
    certificate: cert,
    privateKey: key,
    httpPort: 80,
    tlsPort: 443,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
    certificateValidityPeriod: 90 * 86_400,
  }
  writeFileSync(config, JSON.stringify({ pebble }))
  const child = host.start({
    program: '/usr/bin/pebble',
    args: ['-config', config, '-dnsserver', `${RESOLVER}:53`],
    env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' },
  })
  await child.until('its ports', () => (child.output.includes('Root CA certificate') ? true : undefined))
  const program = new URL('./acme-front.ts', import.meta.url).pathname
  const front = host.start({
    program: process.execPath,
    args: [program, cert, key, authority.file, String(ACME), String(MANAGEMENT)],
  })
  const line = await front.until('readiness', () => front.lines[0])
  return JSON.parse(line).root
}
