// SPDX-License-Identifier: Apache-2.0
// Certificates that nobody has to care for: fetched when a domain has none, renewed in time, put in force while everything runs.
// Until the first one is there, one of our own making is shown, so that the server runs and can be asked what is wrong.
import { createHash, X509Certificate } from 'node:crypto'
import { domainToASCII } from 'node:url'
import { newKey } from '../appliance/acme/library.ts'
import { type Answerer, type Ordered, orderCertificate, Unanswered } from '../appliance/acme/order.ts'
import { renewalInfo } from '../appliance/acme/renewal-info.ts'
import { momentIn, pauseAfter, renewalAt } from '../appliance/acme/schedule.ts'
import type { Cancel, Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { CertificateFiles } from '../net/tls.ts'
import { CertificateStore } from './certificate-files.ts'
import { isOutside } from './dns-records.ts'
import { assertAsWished, type KeptPair, readPair, writePair } from './pem-files.ts'

/** How often it is looked whether something is to be done, in ms. */
const LOOK_EVERY = 10 * 60_000
/** How long the end of the server waits for an order that it has given up, in ms: what it leaves is whole at any time. */
const PATIENCE = 3_000
/** After so many failures the authority itself is asked once without trying before: what is for trying may be wrong, too. */
const TRIALS = 4
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
  readonly eab?: Binding | undefined
  readonly fallbackEab?: Binding | undefined
  /** Whether renewed certificates keep their key, as TLSA records for keys want it. */
  readonly keepKey: boolean
}

/** What an authority gave to those whom it knows already (RFC 8555 §7.3.4). */
type Binding = { readonly kid: string; readonly key: string }

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
  /** All names of a domain, the domain first, perhaps with `*.`. */
  readonly namesOf: (host: string) => readonly string[]
  /** Whether a name has an address. */
  readonly resolves: (name: string) => Promise<boolean>
  /** The best way first; another one is tried after a failure. */
  readonly answerers: () => readonly Answerer[] | Promise<readonly Answerer[]>
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
  /** What its authority wishes (RFC 9773). */
  wish: Wish
}

/** What an authority said of a certificate. */
interface Wish {
  /** When it is to be renewed, in ms since 1970, if it said so. */
  readonly at?: number
  /** When to ask again. */
  readonly askAt: number
  /** How the next order calls the certificate. */
  readonly replaces?: string
}

/** Keeps the certificates of all domains. */
export class CertificateKeeper {
  readonly #parts: KeeperParts
  readonly #kept = new Map<string, Kept>()
  readonly #store: CertificateStore
  readonly #stopping = new AbortController()
  #cancel: Cancel | undefined
  #again: Cancel | undefined
  #working: Promise<void> | undefined
  /** Whether files are there that are not in force. */
  #waiting = false

  constructor(parts: KeeperParts) {
    this.#parts = parts
    this.#store = new CertificateStore(parts.directory)
  }

  /** The files of all domains; those that are missing are made, for the time being. */
  async files(): Promise<ReadonlyMap<string, CertificateFiles>> {
    const all = new Map<string, CertificateFiles>()
    for (const host of this.#parts.hosts()) {
      const [kept, pair] = [this.#kept.get(host), await this.#pair(host)]
      const isKnown = kept && pair && kept.from === pair.from && kept.until === pair.until
      if (!isKnown) await this.#load(host)
      all.set(host, this.#store.filesOf(host))
    }
    return all
  }

  /** Begins to care. */
  start(): void {
    this.#cancel = this.#parts.clock.every(LOOK_EVERY, () => void this.look())
    void this.look()
  }

  /** Gives up what it is doing, leaves nothing of it behind, and does nothing any more; an authority keeps nobody waiting for long. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#cancel?.()
    this.#again?.()
    if (!this.#working) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#parts.clock.after(PATIENCE, resolve)
    await Promise.race([this.#working, promise])
    cancel()
  }

  /** How all are. */
  states(): readonly CertificateState[] {
    return [...this.#kept].map(([host, kept]) => {
      const { names, missing, provisional, until, failure, pause } = kept
      const next = provisional ? pause : Math.max(pause, dueAt(host, kept))
      return { host, names, missing, provisional, until, next, failure }
    })
  }

  /** Somebody may have done away with the reason of a failure: no pause is waited for. */
  async again(): Promise<void> {
    await this.#working
    for (const kept of this.#kept.values()) kept.pause = 0
    await this.look()
  }

  /** Does what is to be done, one domain after the other. Never rejects. */
  look(): Promise<void> {
    this.#working ??= this.#lookAtAll().finally(() => {
      this.#working = undefined
    })
    return this.#working
  }

  async #lookAtAll(): Promise<void> {
    if (this.#waiting) await this.#install()
    for (const host of this.#parts.hosts()) {
      if (this.#stopping.signal.aborted) return
      if (isOutside(host)) continue // no authority gives one
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
    if (!kept.provisional && now >= kept.wish.askAt) await this.#ask(host, kept)
    if (!kept.provisional && covers && now < dueAt(host, kept)) return
    await this.#fetch(host, kept, wanted.names)
    const fresh = this.#kept.get(host)
    if (!fresh) return
    fresh.missing = wanted.missing
    await this.#ask(host, fresh) // RFC 9773 §4.3: at once
  }

  /** Asks the authority when it wishes to be asked for another one; not about one that is over (RFC 9773 §4.3). */
  async #ask(host: string, kept: Kept): Promise<void> {
    const { clock, log, rules } = this.#parts
    const pair = await this.#pair(host)
    const now = clock.now()
    const origin = (await this.#store.origin(host)) ?? rules.directory
    if (!pair || now >= kept.until) return
    const { window, askAfter, replaces = kept.wish.replaces, explanation } = await renewalInfo(origin, pair.cert, now)
    // What it wished before holds where it says nothing.
    const at = window ? momentIn(window, kept, spread(pair.cert)) : kept.wish.at
    kept.wish = {
      askAt: now + askAfter,
      ...(at === undefined ? {} : { at }),
      ...(replaces === undefined ? {} : { replaces }),
    }
    if (window && at !== undefined && at < renewalAt(kept, 0))
      log.info('authority wishes an early renewal', { at: new Date(at).toISOString(), explanation })
  }

  /** Names without an address would only make the order fail. */
  async #wanted(host: string): Promise<{ names: readonly string[]; missing: readonly string[] }> {
    const all = [...new Set(this.#parts.namesOf(host).map((name) => domainToASCII(name)))]
    const there = await Promise.all(all.map((name) => this.#parts.resolves(name)))
    const names = all.filter((_, index) => there[index])
    const missing = all.filter((_, index) => !there[index])
    if (!there[0]) throw new NoAddress(`${all[0]} has no address in the DNS`)
    return { names, missing }
  }

  async #fetch(host: string, kept: Kept, names: readonly string[]): Promise<void> {
    const { rules, log } = this.#parts
    const answerers = rotated(await this.#parts.answerers(), kept.failure?.times ?? 0)
    if (answerers.length === 0) throw new Error('there is no way to prove that a name is ours: see the option acme')
    const before = kept.provisional ? undefined : await this.#pair(host)
    const key = (rules.keepKey ? before?.key : await this.#store.nextKey(host)) ?? (await newKey())
    const origin = await this.#store.origin(host)
    const { cert, from } = await this.#order(kept, (directory) => {
      const replaces = directory === origin ? kept.wish.replaces : undefined
      return { names, key, answerers, replaces, signal: this.#stopping.signal }
    })
    const files = this.#store.filesOf(host)
    await writePair(files.cert, cert, files.key, key)
    await this.#load(host)
    this.#waiting = true
    await this.#install()
    await this.#store.setOrigin(host, from)
    await this.#store.renewNextKey(host, rules.keepKey)
    log.info('certificate fetched', { names: names.length })
  }

  /** One authority after the other; after a failure, first what there is for trying, so that no limit is used up in vain. */
  async #order(
    { failure }: Kept,
    wanted: (directory: string) => Parameters<typeof orderCertificate>[1],
  ): Promise<Ordered & { readonly from: string }> {
    const { rules, clock, log } = this.#parts
    const order = async (directory: string, eab: Binding | undefined) => {
      const accountKey = await this.#store.accountKey(directory)
      const wish = wanted(directory)
      const ordered = await orderCertificate({ directory, accountKey, email: rules.email, eab }, wish)
      assertAsWished(ordered.cert, { key: wish.key, names: wish.names, now: clock.now() })
      await this.#store.setAccount(directory, ordered.account).catch((error: unknown) => {
        log.warn('account at the authority not written down', { reason: reasonOf(error) }) // only records of the DNS name it
      })
      return { ...ordered, from: directory }
    }
    const { staging } = rules
    if (failure?.times && staging !== undefined && failure.times % TRIALS !== 0) {
      await order(staging, undefined).catch((error: unknown) => {
        if (!saysNothing(error)) throw error
      })
    }
    return order(rules.directory, rules.eab).catch((error: unknown) => {
      if (rules.fallback === undefined || this.#stopping.signal.aborted) throw error
      log.warn('certificate authority failed, another one is asked', { reason: reasonOf(error) })
      return order(rules.fallback, rules.fallbackEab)
    })
  }

  #failed(host: string, error: unknown): void {
    const { clock, log, random = Math.random } = this.#parts
    const kept = this.#kept.get(host)
    if (!kept) {
      log.error('certificate not read', { reason: reasonOf(error) })
      return
    }
    if (this.#stopping.signal.aborted) return
    const why = reasonOf(error)
    const now = clock.now()
    if (error instanceof NoAddress) {
      if (kept.failure?.why !== why) log.error('certificate not fetched', { reason: why })
      kept.failure = { why, at: now, times: kept.failure?.times ?? 0 }
      kept.pause = now + ADDRESS_AGAIN
      this.#again = clock.after(ADDRESS_AGAIN, () => void this.look())
      return
    }
    const times = (kept.failure?.times ?? 0) + 1
    kept.failure = { why, at: now, times }
    kept.pause = now + pauseAfter(times, random())
    log.error('certificate not fetched', { reason: why, attempt: times })
  }

  /** Puts all in force. What cannot be put there now is tried again at the next look. */
  async #install(): Promise<void> {
    const { hosts, install, log } = this.#parts
    const files = hosts().filter((host) => this.#kept.has(host))
    try {
      await install(new Map(files.map((host) => [host, this.#store.filesOf(host)])))
      this.#waiting = false
    } catch (error) {
      log.error('certificates not put in force', { reason: reasonOf(error) })
    }
  }

  /** Reads what is there; makes one of our own if there is none. */
  async #load(host: string): Promise<Kept> {
    const { cert, key } = this.#store.filesOf(host)
    let pair = await readPair(cert, key)
    if (!pair) {
      const { makeProvisional } = await import('./x509.ts')
      await this.#store.makeFolder(host)
      const made = await makeProvisional(domainToASCII(host), this.#parts.clock.now())
      await writePair(cert, made.cert, key, made.key)
      pair = await readPair(cert, key)
    }
    if (!pair) throw new Error(`the certificate of ${host} cannot be read`)
    const parsed = new X509Certificate(pair.cert)
    const provisional = parsed.issuer === parsed.subject
    const kept: Kept = {
      names: namesIn(parsed),
      missing: [],
      provisional,
      from: pair.from,
      until: pair.until,
      failure: undefined,
      pause: 0,
      wish: { askAt: 0 },
    }
    this.#kept.set(host, kept)
    return kept
  }

  #pair(host: string): Promise<KeptPair | undefined> {
    const { cert, key } = this.#store.filesOf(host)
    return readPair(cert, key)
  }
}

function namesIn({ subjectAltName = '' }: X509Certificate): readonly string[] {
  return subjectAltName.split(', ').map((name) => name.replace(/^DNS:/, ''))
}

/** When it is to be renewed. */
function dueAt(host: string, kept: Kept): number {
  return kept.wish.at ?? renewalAt(kept, spread(host))
}

/** Whether a trial failed for a reason that is none with the authority itself: CAA may allow one account and not the other (RFC 8657). */
function saysNothing(error: unknown): boolean {
  return error instanceof Unanswered || /\bCAA\b/.test(reasonOf(error))
}

/** From 0 to below 1, the same each time for the same text. */
function spread(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32
}

function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const first = list.length === 0 ? 0 : by % list.length
  return [...list.slice(first), ...list.slice(0, first)]
}

/** In plain words, as far as the authority has some. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
