// SPDX-License-Identifier: Apache-2.0
// Other servers, played by a test: they connect to ours, or ours dials them, over links in memory.
import assert from 'node:assert/strict'
import { DialError, type Dialed, type Dialer, type DialFailure, type Proof } from '../../src/stream/link.ts'
import { DialbackKeys } from '../../src/stream/s2s/dialback-keys.ts'
import { ServerStreams } from '../../src/stream/s2s/federation.ts'
import type { ServerLimits } from '../../src/stream/s2s/parts.ts'
import { type FederationRules, Policy } from '../../src/stream/s2s/policy.ts'
import { type Stage, Stranger, type Theatre, theatre } from './cast.ts'
import { MemoryLink } from './memory-link.ts'

/** Our domain, and theirs. */
export const OURS = 'localhost'
/** The domain of the other server. */
export const THEIRS = 'montague.example'

const TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const SERVER = 'jabber:server'
/** Base64 of their domain. */
const IDENTITY = Buffer.from(THEIRS).toString('base64')

/** The bounds and rules that hold unless a test sets others. */
const RULES: ServerLimits & FederationRules = {
  enabled: true,
  trust: 'certificate',
  trustDialback: [],
  allow: [],
  block: [],
  streams: 100,
  streamsPerDomain: 10,
  bytesPerSecond: 1_000_000,
  stanzasPerSecond: 1_000,
  stanzaBytes: 500_000,
  idleTimeout: 1_800_000,
  queueStanzas: 100,
  queueBytes: 100_000,
  queueTime: 300_000,
  connectTime: 30_000,
}

/** A certificate that proves this domain and no other. */
export function certificateOf(proved: string): (domain: string) => Proof {
  return (domain) =>
    domain === proved ? { by: 'pkix' } : { by: undefined, why: `It is the certificate of ${proved}.` }
}

/** Our keys of dialback. */
export const KEYS = new DialbackKeys(Buffer.from('s3cr3tf0rd14lb4ck'))

interface Settle {
  resolve(dialed: Dialed): void
  reject(error: Error): void
}

/** A server that is dialled. */
export class Call {
  readonly from: string
  readonly to: string
  readonly signal: AbortSignal
  readonly #settle: Settle

  constructor(from: string, to: string, signal: AbortSignal, settle: Settle) {
    this.from = from
    this.to = to
    this.signal = signal
    this.#settle = settle
  }

  /** It answers. @returns its end of the stream */
  connects(link: MemoryLink = new MemoryLink({ encrypted: false })): Host {
    link.proof ??= certificateOf(this.to)
    this.#settle.resolve({ link, place: { host: 'xmpp.example', port: 5269, direct: link.encrypted, secure: false } })
    return new Host(link)
  }

  fails(kind: DialFailure): void {
    this.#settle.reject(new DialError(kind, 'It did not work.'))
  }
}

/** Dials whom the test wants. */
export class FakeDialer implements Dialer {
  /** How often somebody was dialled. */
  calls = 0
  readonly #calls: Call[] = []
  readonly #waiting: ((call: Call) => void)[] = []

  dial(from: string, to: string, signal: AbortSignal): Promise<Dialed> {
    this.calls++
    return new Promise((resolve, reject) => {
      const call = new Call(from, to, signal, { resolve, reject })
      const waiting = this.#waiting.shift()
      if (waiting) waiting(call)
      else this.#calls.push(call)
    })
  }

  /** Calls that nobody has dealt with. */
  get waiting(): number {
    return this.#calls.length
  }

  /** The next time that somebody is dialled. */
  next(): Promise<Call> {
    const call = this.#calls.shift()
    return call ? Promise.resolve(call) : new Promise((resolve) => this.#waiting.push(resolve))
  }
}

/** The other server's end of a stream that ours opened. */
export class Host extends Stranger {
  /** Waits for the start tag and answers with one. */
  async begins(attrs: Readonly<Record<string, string>> = {}): Promise<void> {
    const opened = await this.link.next()
    assert.equal(opened.kind, 'opened')
    this.link.clientOpens({ from: THEIRS, to: OURS, id: 'stream-1', version: '1.0', ...attrs }, SERVER)
  }

  /** The same, with features. */
  async answers(features: string, attrs: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.begins(attrs)
    this.offers(features)
  }

  offers(features: string): void {
    this.sends(`<features xmlns='http://etherx.jabber.org/streams'>${features}</features>`)
  }

  /** Lets our server in, by its certificate. @param last what it offers when that is done @param early what it offers before @param us who we are */
  async letsIn(last = '', early = '', us = OURS): Promise<this> {
    if (!this.link.encrypted) {
      await this.answers(`<starttls xmlns='${TLS}'><required/></starttls>`)
      await this.receives(`<starttls xmlns='${TLS}'/>`)
      this.sends(`<proceed xmlns='${TLS}'/>`)
    }
    await this.answers(`<mechanisms xmlns='${SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>${early}`)
    if (early.includes('bidi')) await this.receives(`<bidi xmlns='urn:xmpp:bidi'/>`)
    await this.receives(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>${Buffer.from(us).toString('base64')}</auth>`)
    this.sends(`<success xmlns='${SASL}'/>`)
    await this.answers(last)
    return this
  }
}

/** The other server's end of a stream that it opened. */
export class Visitor extends Stranger {
  /** Opens the stream. @returns what it is offered */
  visits(attrs: Readonly<Record<string, string>> = {}): ReturnType<Stranger['opens']> {
    return this.begins({ from: THEIRS, to: OURS, version: '1.0', ...attrs })
  }

  async begins(attrs: Readonly<Record<string, string>>, ns = SERVER, prefix = 'stream') {
    this.link.clientOpens(attrs, ns, prefix)
    const opened = await this.link.next()
    assert.equal(opened.kind, 'opened')
    return this.hears()
  }

  /** Opens a stream that is ended at once. */
  async isRefused(attrs: Readonly<Record<string, string>>, condition: string, ns = SERVER, prefix = 'stream') {
    this.link.clientOpens(attrs, ns, prefix)
    const opened = await this.link.next()
    assert.equal(opened.kind, 'opened')
    await this.isClosed(condition)
  }

  /** Proves its domain by its certificate. @param first what it sends before */
  async enters(first = ''): Promise<this> {
    await this.visits()
    if (first !== '') this.sends(first)
    this.sends(`<auth xmlns='${SASL}' mechanism='EXTERNAL'>${IDENTITY}</auth>`)
    await this.receives(`<success xmlns='${SASL}'/>`)
    await this.visits()
    return this
  }
}

/** A server of ours among others. */
export interface World {
  readonly stage: Theatre
  readonly streams: ServerStreams
  readonly dialer: FakeDialer
  /** Changed at will. */
  readonly rules: { -readonly [K in keyof typeof RULES]: (typeof RULES)[K] }
  /** Another server connects. @param domain that its certificate proves */
  visitor(domain?: string, link?: MemoryLink): Visitor
}

/** Starts a server that talks to others. */
export async function world(stage: Stage & { readonly rules?: Partial<typeof RULES> } = {}): Promise<World> {
  const { rules: changes, ...rest } = stage
  const rules = { ...RULES, ...changes }
  const dialer = new FakeDialer()
  const made: ServerStreams[] = []
  const place: Theatre = await theatre({
    ...rest,
    federation(router, { store, clock, log, metrics }) {
      const parts = { limits: rules, policy: new Policy(rules), dialer, keys: KEYS, router, store, clock, log, metrics }
      made.unshift(new ServerStreams(parts))
      return made[0] as ServerStreams
    },
  })
  return {
    stage: place,
    get streams() {
      return made[0] as ServerStreams
    },
    dialer,
    rules,
    visitor(domain = THEIRS, link = new MemoryLink()) {
      link.proof ??= certificateOf(domain)
      place.server.acceptServer(link)
      return new Visitor(link)
    },
  }
}
