// SPDX-License-Identifier: Apache-2.0
// Certificates that nobody has to care for: fetched when a domain has none, renewed in time, put in force while everything runs.
// Until the first one is there, one of our own making is shown, so that the server runs and can be asked what is wrong.
import { createHash, X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import { type Answerer, newKey, orderCertificate } from '../appliance/acme/order.ts'
import { pauseAfter, renewalAt } from '../appliance/acme/schedule.ts'
import type { Cancel, Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { CertificateFiles } from '../net/tls.ts'
import { readPair, writePair, writeWhole } from './pem-files.ts'

/** How often it is looked whether something is to be done, in ms. */
const LOOK_EVERY = 10 * 60_000
/** How soon it is looked again for a domain without an address, in ms: somebody has just set it up, and no authority is asked. */
const ADDRESS_AGAIN = 30_000

/** There is nothing to ask a certificate for. */
class NoAddress extends Error {}

/** How certificates are got. */
export interface AcmeRules {
  /** The URL of the authority's directory (RFC 8555 §7.1.1). */
  readonly directory: string
  /** Another authority, asked when the first one fails. */
  readonly fallback?: string | undefined
  /** An authority for trying: asked after a failure, until it succeeds, so that the real one is not asked in vain. */
  readonly staging?: string | undefined
  readonly email?: string | undefined
  /** Whether renewed certificates keep their key, as TLSA records for keys want it. */
  readonly keepKey: boolean
}

/** How the certificate of a domain is. */
export interface CertificateState {
  readonly host: string
  /** The names that it is for, in A-labels. */
  readonly names: readonly string[]
  /** Names of ours that have no address, and so cannot be in it. */
  readonly missing: readonly string[]
  /** Whether it is one of our own making, which nobody trusts. */
  readonly provisional: boolean
  /** In ms since 1970. */
  readonly until: number
  /** When something is done about it next, in ms since 1970. */
  readonly next: number
  readonly failure: { readonly why: string; readonly at: number; readonly times: number } | undefined
}

/** What it needs. */
export interface KeeperParts {
  readonly rules: AcmeRules
  /** The directory of all this. */
  readonly directory: string
  readonly hosts: () => readonly string[]
  /** All names of a domain, the domain first. */
  readonly namesOf: (host: string) => readonly string[]
  /** Whether a name has an address. */
  readonly resolves: (name: string) => Promise<boolean>
  /** The best way first; another one is tried after a failure. */
  readonly answerers: () => readonly Answerer[]
  /** Puts the files in force. */
  readonly install: (files: ReadonlyMap<string, CertificateFiles>) => Promise<void>
  readonly clock: Clock
  readonly log: Log
  readonly random?: () => number
}

/** What is remembered of a domain's certificate. */
interface Kept {
  names: readonly string[]
  missing: readonly string[]
  provisional: boolean
  from: number
  until: number
  failure: CertificateState['failure']
  /** Not before this, in ms since 1970. */
  pause: number
}

/** Keeps the certificates of all domains. */
export class CertificateKeeper {
  readonly #parts: KeeperParts
  readonly #kept = new Map<string, Kept>()
  #cancel: Cancel | undefined
  #again: Cancel | undefined
  #working: Promise<void> | undefined
  #stopped = false

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** The files of all domains; those that are missing are made, for the time being. */
  async files(): Promise<ReadonlyMap<string, CertificateFiles>> {
    const all = new Map<string, CertificateFiles>()
    for (const host of this.#parts.hosts()) {
      await this.#load(host)
      all.set(host, this.#filesOf(host))
    }
    return all
  }

  /** Begins to care. */
  start(): void {
    this.#cancel = this.#parts.clock.every(LOOK_EVERY, () => void this.look())
    void this.look()
  }

  /** Does nothing any more, after what it is doing. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    this.#again?.()
    await this.#working
  }

  /** How all are. */
  states(): readonly CertificateState[] {
    return [...this.#kept].map(([host, { names, missing, provisional, until, failure, pause, from }]) => {
      const next = provisional ? pause : Math.max(pause, renewalAt({ from, until }, spread(host)))
      return { host, names, missing, provisional, until, next, failure }
    })
  }

  /** Does what is to be done, one domain after the other. Never rejects. */
  look(): Promise<void> {
    this.#working ??= this.#lookAtAll().finally(() => {
      this.#working = undefined
    })
    return this.#working
  }

  async #lookAtAll(): Promise<void> {
    for (const host of this.#parts.hosts()) {
      if (this.#stopped) return
      await this.#care(host).catch((error: unknown) => this.#failed(host, error))
    }
  }

  async #care(host: string): Promise<void> {
    const kept = this.#kept.get(host) ?? (await this.#load(host))
    const now = this.#parts.clock.now()
    if (now < kept.pause) return
    const wanted = await this.#wanted(host)
    kept.missing = wanted.missing
    const covers = wanted.names.every((name) => kept.names.includes(name))
    if (!kept.provisional && covers && now < renewalAt(kept, spread(host))) return
    await this.#fetch(host, kept, wanted.names)
    const fresh = this.#kept.get(host)
    if (fresh) fresh.missing = wanted.missing
  }

  /** Names without an address would only make the order fail. */
  async #wanted(host: string): Promise<{ names: readonly string[]; missing: readonly string[] }> {
    const all = [...new Set(this.#parts.namesOf(host).map((name) => domainToASCII(name)))]
    const there = await Promise.all(all.map((name) => this.#parts.resolves(name)))
    const names = all.filter((_, index) => there[index])
    const missing = all.filter((_, index) => !there[index])
    if (names.length === 0) throw new NoAddress(`${all[0]} has no address in the DNS`)
    return { names, missing }
  }

  async #fetch(host: string, kept: Kept, names: readonly string[]): Promise<void> {
    const { rules, log } = this.#parts
    const before = await readPair(this.#filesOf(host).cert, this.#filesOf(host).key)
    const key = rules.keepKey && before && !kept.provisional ? before.key : await newKey()
    const answerers = rotated(this.#parts.answerers(), kept.failure?.times ?? 0)
    if (answerers.length === 0) throw new Error('there is no way to prove that a name is ours: see the option acme')
    const order = async (directory: string): Promise<string> =>
      orderCertificate(
        { directory, accountKey: await this.#accountKey(directory), email: rules.email },
        { names, key, answerers },
      )
    if (kept.failure?.times && rules.staging !== undefined) await order(rules.staging)
    const cert = await order(rules.directory).catch((error: unknown) => {
      if (rules.fallback === undefined) throw error
      log.warn('certificate authority failed, another one is asked', { reason: reasonOf(error) })
      return order(rules.fallback)
    })
    const { cert: certFile, key: keyFile } = this.#filesOf(host)
    await writePair(certFile, cert, keyFile, key)
    await this.#load(host)
    await this.#install()
    log.info('certificate fetched', { names: names.length })
  }

  #failed(host: string, error: unknown): void {
    const { clock, log, random = Math.random } = this.#parts
    const kept = this.#kept.get(host)
    if (!kept) return
    const why = reasonOf(error)
    const now = clock.now()
    if (error instanceof NoAddress) {
      if (kept.failure?.why !== why) log.error('certificate not fetched', { reason: why })
      kept.failure = { why, at: now, times: kept.failure?.times ?? 0 }
      kept.pause = now + ADDRESS_AGAIN
      if (!this.#stopped) this.#again = clock.after(ADDRESS_AGAIN, () => void this.look())
      return
    }
    const times = (kept.failure?.times ?? 0) + 1
    kept.failure = { why, at: now, times }
    kept.pause = now + pauseAfter(times, random())
    log.error('certificate not fetched', { reason: why, attempt: times })
  }

  async #install(): Promise<void> {
    const files = this.#parts.hosts().filter((host) => this.#kept.has(host))
    await this.#parts.install(new Map(files.map((host) => [host, this.#filesOf(host)])))
  }

  /** Reads what is there; makes one of our own if there is none. */
  async #load(host: string): Promise<Kept> {
    const { cert, key } = this.#filesOf(host)
    let pair = await readPair(cert, key)
    if (!pair) {
      const { makeProvisional } = await import('./x509.ts')
      await mkdir(join(this.#parts.directory, folderOf(host)), { recursive: true, mode: 0o700 })
      const made = await makeProvisional(domainToASCII(host), this.#parts.clock.now())
      await writePair(cert, made.cert, key, made.key)
      pair = await readPair(cert, key)
    }
    if (!pair) throw new Error(`the certificate of ${host} cannot be read`)
    const parsed = new X509Certificate(pair.cert)
    const names = (parsed.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''))
    const provisional = parsed.issuer === parsed.subject
    const kept: Kept = {
      names,
      missing: [],
      provisional,
      from: pair.from,
      until: pair.until,
      failure: undefined,
      pause: 0,
    }
    this.#kept.set(host, kept)
    return kept
  }

  #filesOf(host: string): CertificateFiles {
    const folder = join(this.#parts.directory, folderOf(host))
    return { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  }

  /** One for each authority: what one knows of us is nobody else's business. */
  async #accountKey(directory: string): Promise<string> {
    const name = createHash('sha256').update(directory).digest('hex').slice(0, 16)
    const file = join(this.#parts.directory, `account-${name}.key`)
    const known = await readFile(file, 'utf8').catch(() => undefined)
    if (known !== undefined) return known
    const key = await newKey()
    await mkdir(this.#parts.directory, { recursive: true, mode: 0o700 })
    await writeWhole(file, key, 0o600)
    return key
  }
}

/** In A-labels, which are names of files everywhere. */
function folderOf(host: string): string {
  return domainToASCII(host)
}

/** From 0 to below 1, the same each time for a domain. */
function spread(host: string): number {
  return createHash('sha256').update(host).digest().readUInt32BE() / 2 ** 32
}

function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const first = list.length === 0 ? 0 : by % list.length
  return [...list.slice(first), ...list.slice(0, first)]
}

/** In plain words, as far as the authority has some. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
