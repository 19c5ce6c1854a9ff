// SPDX-License-Identifier: Apache-2.0
// Asks the DNS for what finding other servers needs. Node.js does not tell whether an answer was validated by DNSSEC, so this
// speaks to the resolvers itself; it keeps answers for as long as they say, and asks each question once at a time.
import { Resolver as SystemResolver } from 'node:dns'
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import type { Clock } from '../../clock.ts'
import { AnswerCache } from './cache.ts'
import { exchange, type NameServer, NoAnswer } from './exchange.ts'
import type { DnsRecord, Question, Reply } from './message.ts'

/** Records, none of which means that there is no such name or nothing of that kind there. */
export interface Answer<T> {
  readonly records: readonly T[]
  /** Validated by DNSSEC, by a resolver whose word we take (RFC 4035 §4.9.3). */
  readonly secure: boolean
}

/** RFC 2782. */
export interface Srv {
  readonly priority: number
  readonly weight: number
  readonly port: number
  /** `.` says that the service does not exist. */
  readonly target: string
}

/** RFC 6698 §2.1. */
export interface Tlsa {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly data: Buffer
}

/** Asks the DNS. Each rejects with a `DnsError`. */
export interface Resolver {
  /** Whether any answer can be secure. */
  readonly validates: boolean
  srv(name: string): Promise<Answer<Srv>>
  /** IPv6 and IPv4 addresses. */
  addresses(host: string): Promise<Answer<string>>
  tlsa(name: string): Promise<Answer<Tlsa>>
}

/** The DNS did not answer (`timeout`) or could not say (`failed`). */
export class DnsError extends Error {
  override readonly name = 'DnsError'
  readonly kind: 'timeout' | 'failed'

  constructor(kind: 'timeout' | 'failed', message: string) {
    super(message)
    this.kind = kind
  }
}

/** What can be configured. */
export interface ResolverOptions {
  /** None: those of the system. */
  readonly resolvers: readonly NameServer[]
  /** Whose word on DNSSEC is taken: that of resolvers on this machine, of all, of none. */
  readonly dnssec: 'auto' | 'on' | 'off'
}

/** What a resolver needs. */
export interface ResolverParts {
  readonly options: ResolverOptions
  readonly clock: Clock
  /** How long a resolver may take to answer, in ms. */
  readonly patience?: number
}

/** How long a resolver may take to answer, in ms; twice as long when asked again. */
const PATIENCE = 2_000
/** How many resolvers are asked, as the C library does it. */
const MOST_SERVERS = 3
/** How many aliases are followed. */
const MOST_ALIASES = 8
/** Records of one answer. */
const MOST_RECORDS = 256
/** Questions at one time. */
const MOST_QUESTIONS = 512

/** Records as they came, with how long that holds. */
interface Found extends Answer<DnsRecord> {
  /** In seconds. */
  readonly ttl: number
}

/** A stub resolver with a memory. */
export class DnsResolver implements Resolver {
  readonly #patience: number
  readonly #cache: AnswerCache<Answer<DnsRecord>>
  readonly #asking = new Map<string, Promise<Answer<DnsRecord>>>()
  #servers: readonly NameServer[] = []
  #dnssec: ResolverOptions['dnssec'] = 'auto'

  constructor({ options, clock, patience = PATIENCE }: ResolverParts) {
    this.#patience = patience
    this.#cache = new AnswerCache(clock)
    this.use(options)
  }

  /** Puts newer options in force, reads those of the system anew, and forgets all answers. */
  use({ resolvers, dnssec }: ResolverOptions): void {
    this.#servers = (resolvers.length > 0 ? resolvers : systemServers()).slice(0, MOST_SERVERS)
    this.#dnssec = dnssec
    this.#cache.clear()
  }

  get validates(): boolean {
    return this.#servers.some((server) => this.#trusts(server))
  }

  async srv(name: string): Promise<Answer<Srv>> {
    const { records, secure } = await this.#find(name, 'SRV')
    return { records: records.flatMap(({ data }) => srvOf(data as Partial<Srv>)), secure }
  }

  async tlsa(name: string): Promise<Answer<Tlsa>> {
    const { records, secure } = await this.#find(name, 'TLSA')
    return { records: records.flatMap(({ data }) => tlsaOf(data as TlsaData)), secure }
  }

  /** Records of any type, as `dns-packet` gives them. */
  records(name: string, type: Question['type']): Promise<Answer<DnsRecord>> {
    return this.#find(name, type)
  }

  async addresses(host: string): Promise<Answer<string>> {
    if (isIP(host)) return { records: [host], secure: false }
    // RFC 6761 §6.3: never asked for, whatever the hosts file says.
    if (/^(?:.*\.)?localhost\.?$/i.test(host)) return { records: ['::1', '127.0.0.1'], secure: false }
    const both = await Promise.allSettled([this.#find(host, 'AAAA'), this.#find(host, 'A')])
    const answers = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const records = answers.flatMap((one) =>
      one.records.flatMap(({ data }) => (isIP(String(data)) ? [String(data)] : [])),
    )
    const failed = both.find((one) => one.status === 'rejected')
    if (records.length === 0 && failed) throw failed.reason
    return { records, secure: !failed && answers.every(({ secure }) => secure) }
  }

  /** From memory, or together with whoever asks the same at the moment. */
  async #find(text: string, type: Question['type']): Promise<Answer<DnsRecord>> {
    const name = asciiName(text)
    // Onion services are no matter of the DNS (RFC 7686 §2): whom we look for stays between us and them.
    if (name === undefined || name.endsWith('.onion')) return { records: [], secure: false }
    const key = `${type} ${name}`
    const known = this.#cache.get(key)
    if (known) return known
    const running = this.#asking.get(key)
    if (running) return running
    if (this.#asking.size >= MOST_QUESTIONS) throw new DnsError('failed', 'too many questions to the DNS at once')
    const asking = this.#look(name, type)
      .then((found) => {
        this.#cache.set(key, found, found.ttl)
        return found
      })
      .finally(() => this.#asking.delete(key))
    this.#asking.set(key, asking)
    return asking
  }

  /** Follows aliases, inside an answer and from one to the next (RFC 1034 §3.6.2). */
  async #look(first: string, type: Question['type']): Promise<Found> {
    let name = first
    let secure = true
    let ttl = Number.POSITIVE_INFINITY
    for (let steps = 0; steps <= MOST_ALIASES; ) {
      const { reply, trusted } = await this.#ask({ name, type })
      secure &&= trusted && reply.authentic
      const asked = name
      for (; steps <= MOST_ALIASES; steps++) {
        const alias = reply.answers.find((one) => one.type === 'CNAME' && isName(one.name, name))
        if (!alias) break
        ttl = Math.min(ttl, alias.ttl)
        name = asciiName(String(alias.data)) ?? '.'
      }
      if (steps > MOST_ALIASES) break
      const records = reply.answers.filter((one) => one.type === type && isName(one.name, name)).slice(0, MOST_RECORDS)
      for (const one of records) ttl = Math.min(ttl, one.ttl)
      if (records.length > 0) return { records, secure, ttl }
      if (name === asked || reply.code !== 0) return { records, secure, ttl: Math.min(ttl, reply.emptyFor ?? 0) }
    }
    throw new DnsError('failed', 'the DNS goes round in circles')
  }

  /** Asks one resolver after the other, and all of them again, until one knows. */
  async #ask(question: Question): Promise<{ reply: Reply; trusted: boolean }> {
    let late = false
    for (const patience of [this.#patience, 2 * this.#patience]) {
      for (const server of [...this.#servers]) {
        try {
          const reply = await exchange(server, question, patience)
          if (reply.code !== 0 && reply.code !== 3) continue
          // Whoever answered is asked first from now on.
          if (server !== this.#servers[0]) this.#servers = [server, ...this.#servers.filter((one) => one !== server)]
          return { reply, trusted: this.#trusts(server) }
        } catch (error) {
          late ||= error instanceof NoAnswer // and the next one is asked
        }
      }
    }
    if (late) throw new DnsError('timeout', 'the DNS did not answer in time')
    throw new DnsError('failed', 'the DNS could not answer')
  }

  #trusts({ host }: NameServer): boolean {
    return this.#dnssec === 'on' || (this.#dnssec === 'auto' && isLoopback(host))
  }
}

interface TlsaData {
  readonly usage?: number
  readonly selector?: number
  readonly matchingType?: number
  readonly certificate?: Buffer
}

function srvOf({ priority = 0, weight = 0, port = 0, target = '' }: Partial<Srv>): Srv[] {
  return target === '' ? [] : [{ priority, weight, port, target }]
}

function tlsaOf({ usage = -1, selector = -1, matchingType: matching = -1, certificate }: TlsaData): Tlsa[] {
  return certificate ? [{ usage, selector, matching, data: certificate }] : []
}

/** The name in A-labels and lower case, if it can be one in the DNS at all (RFC 1035 §2.3.4). */
function asciiName(text: string): string | undefined {
  const name = domainToASCII(text.replace(/\.$/, '')).toLowerCase()
  const sound = name.length > 0 && name.length <= 253 && name.split('.').every((label) => /^[^.]{1,63}$/.test(label))
  return sound ? name : undefined
}

function isName(given: string, name: string): boolean {
  return given.toLowerCase() === name
}

function isLoopback(host: string): boolean {
  return host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

/** The resolvers of `/etc/resolv.conf` at this moment. */
function systemServers(): readonly NameServer[] {
  return new SystemResolver().getServers().flatMap((text) => {
    const [, six, sixPort, four, fourPort] = /^\[(.+)\]:(\d+)$|^([^:]+):(\d+)$/.exec(text) ?? []
    const host = six ?? four ?? text
    return isIP(host.replace(/%.*$/, '')) ? [{ host, port: Number(sixPort ?? fourPort ?? 53) }] : []
  })
}
