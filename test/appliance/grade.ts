// SPDX-License-Identifier: Apache-2.0
// What testssl.sh finds at a port, seen from another host.
import assert from 'node:assert/strict'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from '../support/network/host.ts'
import { type Bench, needs } from '../support/process.ts'

/** Protocols, suites, forward secrecy, certificate, known attacks; not how each of many old clients would get on. */
const LOOKS = ['--protocols', '--standard', '--fs', '--server-defaults', '--vulnerable']
/** Each waits for many connections that nobody answers. */
const PATIENCE = 900_000

/** A port, and how TLS begins there. */
export interface GradedPort {
  readonly port: number
  readonly begins: 'at once' | 'with STARTTLS of clients' | 'with STARTTLS of servers'
  /** Whether pages are there. */
  readonly web?: boolean
}

/** Something that it found. */
export interface Found {
  readonly id: string
  readonly severity: 'OK' | 'INFO' | 'LOW' | 'MEDIUM' | 'HIGH' | 'CRITICAL' | 'WARN' | 'FATAL' | 'DEBUG'
  readonly finding: string
}

/** Who looks, for which domain, trusting which authority (a file). */
interface Grader {
  readonly host: Host
  readonly domain: string
  readonly ca: string
}

/** Looks at a port, and once more if it did not get through each time. @returns everything that is worse than information */
export async function grade(of: Bench, grader: Grader, place: GradedPort): Promise<readonly Found[]> {
  needs('/usr/bin/testssl', 'testssl.sh')
  const { port, begins } = place
  const { host, domain } = grader
  const target = begins === 'with STARTTLS of servers' ? await behindStarttls(host, domain, port) : { ip: 'one', port }
  const found = await looked(of, grader, place, target)
  return found.some(({ finding }) => finding.includes('connect problem')) ? looked(of, grader, place, target) : found
}

async function looked(
  of: Bench,
  { host, domain, ca }: Grader,
  { port, begins, web }: GradedPort,
  target: { readonly ip: string; readonly port: number },
): Promise<readonly Found[]> {
  const file = join(of.directory, `testssl-${port}.json`)
  rmSync(file, { force: true })
  const starttls = begins === 'with STARTTLS of clients' ? ['--starttls', 'xmpp', '--xmpphost', domain] : []
  const args = [
    ...['--quiet', '--color', '0', '--warnings', 'batch', '--ip', target.ip, '--add-ca', ca, '--jsonfile', file],
    ...[...LOOKS, ...(web ? ['--headers'] : []), ...starttls, `${domain}:${target.port}`],
  ]
  const child = host.start({ program: '/usr/bin/testssl', args })
  await child.until('its end', () => (child.hasEnded ? true : undefined), PATIENCE)
  const found: readonly Found[] = JSON.parse(readFileSync(file, 'utf8'))
  assert.ok(
    found.some(({ id, severity }) => id === 'TLS1_3' && severity === 'OK'),
    `port ${port} was looked at: ${child.output}`,
  )
  return found.filter(({ severity }) => !['OK', 'INFO', 'DEBUG'].includes(severity))
}

/** testssl.sh knows no STARTTLS between servers: something says the words before, and passes the rest on. */
async function behindStarttls(host: Host, domain: string, port: number): Promise<{ ip: string; port: number }> {
  const own = 40_000 + port
  const program = join(import.meta.dirname, 'starttls-front.ts')
  const child = host.start({ program: process.execPath, args: [program, domain, String(port), String(own)] })
  await child.until('readiness', () => child.lines[0])
  return { ip: '127.0.0.1', port: own }
}
