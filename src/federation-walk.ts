// SPDX-License-Identifier: Apache-2.0
// Walks the whole way to another server, and says in plain words where it ends and what to do about it: policy, DNS,
// connection, TLS, their proof, our proof, and an answer.
import {
  ADVICE,
  at,
  DIALBACK_IS_ENOUGH,
  day,
  OFFERS,
  STEP_OF,
  type StepId,
  sentence,
  TITLES,
} from './federation-words.ts'
import { LookupFailure, type ServerWalk } from './net/servers/walk.ts'
import type { FederationReport, FederationStep } from './ops/federation.ts'
import { DialError, type Dialed, type Dialer, type Link, type Place, type Secured } from './stream/link.ts'
import { NS_SASL, NS_TLS } from './stream/offer.ts'
import type { DialbackKeys } from './stream/s2s/dialback-keys.ts'
import { failureByDialback } from './stream/s2s/failure.ts'
import { NS_DIALBACK_FEATURE } from './stream/s2s/offer.ts'
import type { Policy } from './stream/s2s/policy.ts'
import { Probe, ProbeFailure } from './stream/s2s/probe.ts'
import type { Element } from './xml/element.ts'

/** How long the part over the stream may take, in ms. */
const STREAM_TIME = 30_000
/** How many places are connected to. */
const PLACES_MAX = 4
/** A certificate that ends sooner is worth a word, in ms. */
const SOON = 14 * 86_400_000

/** What a walk needs. */
export interface FederationWalkParts {
  readonly walk: Pick<ServerWalk, 'records' | 'addresses' | 'announced' | 'reaches'>
  readonly dialer: Dialer
  readonly policy: Policy
  /** Our keys of dialback, and what pings the other server through our own streams; undefined if no server runs here. */
  readonly running:
    | {
        readonly keys: DialbackKeys
        /** @returns undefined for an answer, of whatever kind, or why there was none */
        ping(from: string, to: string): Promise<string | undefined>
      }
    | undefined
  /** Whether the other server is ourselves: rules and keys say nothing then. */
  readonly self?: boolean
  readonly now: () => number
}

const NOT_ASKED = 'They do not ask for it: mostly since our certificate does not prove our domain to them.'

type Said = Omit<FederationStep, 'id' | 'title'>

/** That step ended the walk. */
class Stop extends Error {}

/** One walk. */
export class FederationWalk {
  readonly #parts: FederationWalkParts
  readonly #from: string
  readonly #domain: string
  readonly #tell: (step: FederationStep) => void
  readonly #steps: FederationStep[] = []

  /** @param from our domain @param domain theirs; both prepared (RFC 7622 §3.2) */
  constructor(parts: FederationWalkParts, from: string, domain: string, tell: (step: FederationStep) => void) {
    this.#parts = parts
    this.#from = from
    this.#domain = domain
    this.#tell = tell
  }

  /** Never rejects but for mistakes of ours. */
  async run(): Promise<FederationReport> {
    try {
      await this.#walk()
    } catch (error) {
      if (!(error instanceof Stop)) throw error
    }
    return {
      domain: this.#domain,
      from: this.#from,
      steps: this.#steps,
      passed: this.#steps.every(({ result }) => result !== 'failed'),
    }
  }

  async #walk(): Promise<void> {
    if (!this.#parts.self) this.#rules()
    if (!this.#domain.endsWith('.onion')) await this.#network()
    const works = await this.#overStream((probe, offered) => this.#prove(probe, offered))
    await this.#ping(works)
  }

  #say(id: StepId, said: Said): void {
    const step: FederationStep = { id, title: TITLES[id], ...said }
    this.#steps.push(step)
    this.#tell(step)
  }

  #stop(id: StepId, detail: string, advice?: string): never {
    this.#say(id, { result: 'failed', detail, advice })
    throw new Stop()
  }

  #rules(): void {
    const { policy } = this.#parts
    const refusal = policy.refusal(this.#domain)
    if (refusal) this.#stop('policy', refusal.why, 'Change the configuration and say "aenigma reload".')
    const trust = policy.trust(this.#domain)
    const detail = trust === 'certificate' ? 'It may be talked to; it must show a certificate.' : DIALBACK_IS_ENOUGH
    this.#say('policy', { result: 'passed', detail })
  }

  async #network(): Promise<void> {
    const places = await this.#records()
    const hosts = [...new Set(places.map(({ host }) => host))]
    const found = await Promise.all(hosts.map(async (host) => [host, await this.#addressesOf(host)] as const))
    const texts = found.map(([host, list]) => `${host}: ${typeof list === 'string' ? list : list.join(', ')}`)
    const good = found.filter(([, list]) => typeof list !== 'string')
    if (good.length === 0) this.#stop('addresses', texts.join('; '), ADVICE.addresses)
    this.#say('addresses', { result: good.length < found.length ? 'notable' : 'passed', detail: texts.join('; ') })
    const byHost = new Map(good as (readonly [string, readonly string[]])[])
    await this.#connections(places, byHost)
  }

  async #records(): Promise<readonly Place[]> {
    try {
      const { plain, direct, places } = await this.#parts.walk.records(this.#domain)
      if (places.refused) this.#stop('records', 'The domain says that it has no XMPP server (SRV "." records).')
      const { length } = [...plain.records, ...direct.records]
      const validated = plain.secure && direct.secure ? 'validated by DNSSEC' : 'not validated by DNSSEC'
      const list = places.places.map((place) => `${at(place)}${place.direct ? ' with TLS from the start' : ''}`)
      const none = `No SRV records, so the domain itself: ${list.join(', ')}`
      const detail = `${length === 0 ? none : list.join(', ')} (${validated})`
      if (places.places.length === 0) this.#stop('records', 'Its SRV records name no place that can be used.')
      this.#say('records', { result: 'passed', detail })
      return places.places
    } catch (error) {
      if (!(error instanceof LookupFailure)) throw error
      return this.#stop('records', `It could not be found out: ${error.message}.`, ADVICE.dns)
    }
  }

  /** Addresses, or why there are none. */
  async #addressesOf(host: string): Promise<readonly string[] | string> {
    try {
      const { records } = await this.#parts.walk.addresses(host)
      return records.length === 0 ? 'no address' : records
    } catch (error) {
      if (error instanceof LookupFailure) return error.message
      throw error
    }
  }

  async #connections(places: readonly Place[], addresses: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const signal = AbortSignal.timeout(STREAM_TIME)
    const tried = places.slice(0, PLACES_MAX).flatMap((place) =>
      (addresses.get(place.host) ?? []).map(async (address) => {
        const failed = await this.#parts.walk.reaches(address, place.port, signal)
        return {
          text: `${at({ host: address, port: place.port })} ${failed ?? 'answers'}`,
          failed: failed !== undefined,
        }
      }),
    )
    const all = await Promise.all(tried)
    const detail = all.map(({ text }) => text).join('; ')
    if (all.every(({ failed }) => failed)) this.#stop('connection', detail, ADVICE.connection)
    this.#say('connection', { result: all.some(({ failed }) => failed) ? 'notable' : 'passed', detail })
  }

  /** Connects, goes over to TLS, and hears what is offered. */
  async #overStream(work: (probe: Probe, offered: Element) => Promise<boolean>): Promise<boolean> {
    const signal = AbortSignal.timeout(STREAM_TIME)
    let step: StepId = 'connection'
    let probe: Probe | undefined
    try {
      const dialed = await this.#parts.dialer.dial(this.#from, this.#domain, signal)
      probe = new Probe(dialed.link, { ours: this.#from, theirs: this.#domain }, signal)
      step = 'stream'
      let offered = await probe.open()
      if (!dialed.link.encrypted) {
        if (!offered.child('starttls', NS_TLS)) this.#stop('stream', 'It offers no TLS.', ADVICE.noTls)
        step = 'tls'
        await probe.startTls()
        step = 'stream'
        offered = await probe.open()
      }
      await this.#encryption(dialed)
      return await work(probe, offered)
    } catch (error) {
      if (error instanceof DialError)
        return this.#stop(STEP_OF[error.kind], sentence(error.message), ADVICE[error.kind])
      if (error instanceof ProbeFailure) return this.#stop(step, sentence(error.message), ADVICE[step])
      throw error
    } finally {
      probe?.close()
    }
  }

  async #encryption({ link, place }: Dialed): Promise<void> {
    const { secured } = link
    if (secured)
      this.#say('tls', { result: 'passed', detail: `${secured.version}, ${secured.cipher}, at ${at(place)}` })
    const announced = await this.#parts.walk.announced(place).catch(() => 0)
    if (secured?.certificate) this.#certificate(secured.certificate, announced)
    await this.#theirProof(link)
  }

  #certificate({ names, issuer, from, until }: Secured['certificate'] & {}, announced: number): void {
    const now = this.#parts.now()
    const dane = announced === 0 ? '' : `; the DNS announces ${announced} (DANE)`
    const detail = `for ${names.join(', ') || 'no domain'}; by ${issuer}; until ${day(until)}${dane}`
    if (until < now) this.#say('certificate', { result: 'notable', detail: `${detail}: it has expired` })
    else if (from > now) this.#say('certificate', { result: 'notable', detail: `${detail}: only from ${day(from)} on` })
    else if (until < now + SOON) this.#say('certificate', { result: 'notable', detail: `${detail}: that is soon` })
    else this.#say('certificate', { result: 'passed', detail })
  }

  async #theirProof(link: Link): Promise<void> {
    const proof = (await link.proves?.(this.#domain)) ?? { by: undefined, why: 'there is no certificate' }
    if (proof.by !== undefined) {
      const detail = proof.by === 'dane' ? 'The DNS vouches for the certificate (DANE).' : 'The certificate proves it.'
      return this.#say('proof', { result: 'passed', detail })
    }
    const why = sentence(proof.why)
    if (this.#parts.self || this.#parts.policy.trust(this.#domain) === 'certificate')
      this.#stop('proof', why, ADVICE.proof)
    this.#say('proof', { result: 'notable', detail: `${why} ${DIALBACK_IS_ENOUGH}` })
  }

  /** @returns whether they let us in */
  async #prove(probe: Probe, offered: Element): Promise<boolean> {
    this.#offers(offered)
    const byCertificate = await this.#external(probe, offered)
    if (this.#parts.self) return byCertificate
    const byKey = await this.#dialback(byCertificate, offered.child('dialback', NS_DIALBACK_FEATURE) !== undefined)
    return byCertificate || byKey
  }

  #offers(offered: Element): void {
    const words = OFFERS.filter(({ name, ns }) => offered.child(name, ns)).map(({ word }) => word)
    const external = mechanismsIn(offered).includes('EXTERNAL')
    const detail = [...(external ? ['certificates (SASL EXTERNAL)'] : []), ...words].join(', ')
    this.#say('features', { result: 'passed', detail: detail || 'nothing that we know' })
  }

  async #external(probe: Probe, offered: Element): Promise<boolean> {
    if (!mechanismsIn(offered).includes('EXTERNAL')) {
      if (this.#parts.self) this.#stop('external', NOT_ASKED, ADVICE.external)
      this.#say('external', {
        result: 'skipped',
        detail: NOT_ASKED,
      })
      return false
    }
    const refused = await this.#quietly(() => probe.external())
    if (refused === undefined) {
      this.#say('external', { result: 'passed', detail: 'Our certificate is accepted.' })
      return true
    }
    this.#say('external', {
      result: this.#parts.running ? 'notable' : 'failed', // a key may still do
      detail: `Our certificate is refused: ${refused}.`,
      advice: ADVICE.external,
    })
    return false
  }

  /** On a stream of its own: once a certificate is accepted a key says nothing any more. */
  async #dialback(accepted: boolean, isOffered: boolean): Promise<boolean> {
    const { running } = this.#parts
    if (!isOffered) {
      if (accepted) this.#say('dialback', { result: 'skipped', detail: 'They do not offer it, and need not.' })
      else this.#say('dialback', { result: 'failed', detail: 'They offer no other way.', advice: ADVICE.external })
      return false
    }
    if (!running) {
      this.#say('dialback', { result: 'skipped', detail: 'No server runs here that they could ask.' })
      return false
    }
    const told = await this.#quietly(() => this.#byKey(running.keys))
    if (told === undefined) {
      this.#say('dialback', { result: 'passed', detail: `They let us in by dialback${accepted ? ', too' : ''}.` })
      return true
    }
    const result = accepted ? 'notable' : 'failed'
    this.#say('dialback', { result, detail: told, advice: accepted ? undefined : ADVICE.dialback })
    return false
  }

  async #byKey(keys: DialbackKeys): Promise<string | undefined> {
    const signal = AbortSignal.timeout(STREAM_TIME)
    const { link } = await this.#parts.dialer.dial(this.#from, this.#domain, signal)
    const probe = new Probe(link, { ours: this.#from, theirs: this.#domain }, signal)
    try {
      await probe.open()
      if (!link.encrypted) {
        await probe.startTls()
        await probe.open()
      }
      const answer = await probe.dialback(keys)
      return answer.type === 'valid' ? undefined : failureByDialback(answer).message
    } finally {
      probe.close()
    }
  }

  /** @returns what failed, as the text that says so */
  async #quietly(what: () => Promise<string | undefined>): Promise<string | undefined> {
    try {
      return await what()
    } catch (error) {
      if (error instanceof ProbeFailure || error instanceof DialError) return sentence(error.message)
      throw error
    }
  }

  async #ping(works: boolean): Promise<void> {
    const { running, self } = this.#parts
    if (self) return
    if (!running)
      return this.#say('ping', { result: 'skipped', detail: 'No server runs here to which an answer could come.' })
    if (!works) return this.#say('ping', { result: 'skipped', detail: 'They do not let us in.' })
    const began = this.#parts.now()
    const failed = await running.ping(this.#from, this.#domain)
    if (failed !== undefined) this.#stop('ping', failed, ADVICE.ping)
    this.#say('ping', {
      result: 'passed',
      detail: `It came after ${this.#parts.now() - began} ms, over a stream of theirs or ours.`,
    })
  }
}

function mechanismsIn(features: Element): readonly string[] {
  return (features.child('mechanisms', NS_SASL)?.childrenNamed('mechanism') ?? []).map(({ text }) => text.trim())
}
