// SPDX-License-Identifier: Apache-2.0
// This server on a host of the test network.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FederationInfo } from '../../../src/ops/federation.ts'
import type { Bench, Child } from '../process.ts'
import type { Account } from './accounts.ts'
import type { Files } from './authority.ts'
import type { Host } from './host.ts'

const PROGRAM = new URL('../../../bin/aenigma', import.meta.url).pathname

/** How it is set up. */
export interface AenigmaSetting {
  readonly domain: string
  readonly ca: string
  readonly certificate: Files
  readonly users: readonly Account[]
  /** Options of `federation`, as in the file. */
  readonly federation?: Readonly<Record<string, unknown>>
}

/** This server, running. */
export interface Aenigma {
  readonly child: Child
  /** Runs the command line there. @returns what it printed, with success or without */
  command(...words: readonly string[]): Promise<string>
  /** What `aenigma federation` lists. */
  listing(): Promise<FederationInfo>
  /** Starts it again after its end. */
  again(): Promise<Aenigma>
}

/** Makes the accounts, starts it, and waits until it takes users. */
export async function startAenigma(of: Bench, host: Host, setting: AenigmaSetting): Promise<Aenigma> {
  const directory = join(of.directory, host.name)
  mkdirSync(directory, { recursive: true })
  const [config, list] = [join(directory, 'aenigma.yaml'), join(directory, 'users.csv')]
  writeFileSync(config, configuration(directory, setting))
  writeFileSync(list, setting.users.map(({ name, domain, password }) => `${name}@${domain},${password}\n`).join(''))
  const run = (words: readonly string[]): Child =>
    host.start({ program: process.execPath, args: [PROGRAM, ...words, '--config', config] })
  const command = async (...words: readonly string[]): Promise<string> => {
    const child = run(words)
    await child.ended
    return child.stdout
  }
  if (setting.users.length > 0) await run(['user', 'import', list]).succeeds(30_000)
  const listing = shared(async (): Promise<FederationInfo> => JSON.parse(await command('federation', '--json')))
  const up = async (): Promise<Aenigma> => {
    const child = run(['up', '--json'])
    await child.until('readiness', () => child.lines[0])
    return { child, command, listing, again: up }
  }
  return up()
}

/** Many may ask at once: who comes meanwhile gets the next answer. */
function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let now: Promise<T> | undefined
  let next: Promise<T> | undefined
  const begin = (): Promise<T> => {
    const asked = ask().finally(() => {
      now = next
      next = undefined
    })
    return asked
  }
  return () => {
    if (!now) {
      now = begin()
      return now
    }
    next ??= now.then(begin, begin)
    return next
  }
}

function configuration(directory: string, { domain, certificate, ca, federation }: AenigmaSetting): string {
  const config = {
    domain,
    data: join(directory, 'data'),
    log: { level: 'debug' },
    certificate,
    listen: {
      starttls: ['[::]:5222'],
      tls: [],
      servers: ['[::]:5269'],
      serversTls: ['[::]:5270'],
      http: [],
      https: [],
      proxy: [],
      metrics: [],
    },
    limits: { strangerMessagesPerHour: 1_000_000 },
    federation: { authorities: ca, dnssec: 'on', ...federation },
  }
  return JSON.stringify(config, undefined, 2)
}
