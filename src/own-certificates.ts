// SPDX-License-Identifier: Apache-2.0
// Where the certificates come from: the files that the configuration names, those of the trial, or an authority.
import type { Answerer } from './appliance/acme/order.ts'
import { systemClock } from './clock.ts'
import type { AcmeOptions } from './config/acme.ts'
import type { Config } from './config/config.ts'
import { isOnion } from './config/domains.ts'
import type { Log } from './log.ts'
import type { Challenges } from './net/challenges.ts'
import type { DnsResponder } from './net/dns/responder.ts'
import type { CertificateFiles, Certificates } from './net/tls.ts'
import type { CertificateKeeper, CertificateState } from './ops/certificate-keeper.ts'
import { delegationOf, isRightBelow } from './ops/delegation.ts'
import type { ListenInfo } from './ops/running-server.ts'
import { WatchedCertificates } from './ops/watched-certificates.ts'

/** What getting certificates needs. */
export interface OwnCertificatesParts {
  readonly config: Config
  readonly certificates: Certificates
  readonly challenges: Challenges
  readonly log: Log
  /** Our domains at this moment, those that moved included. */
  readonly hosts: () => readonly string[]
  /** What counts as one peer. */
  readonly networkOf: (address: string) => string
}

/** What the rest of the server knows once it is there. */
export interface CertificateSurroundings {
  readonly listening: readonly ListenInfo[]
  readonly servicesOf: (host: string) => readonly string[]
  readonly resolves: (name: string) => Promise<boolean>
}

/** The certificates of our domains. */
export class OwnCertificates {
  readonly #parts: OwnCertificatesParts
  readonly #watch: WatchedCertificates
  #keeper: CertificateKeeper | undefined
  #responder: DnsResponder | undefined
  /** What that was made of. */
  #rules: string
  /** Those of our own making for onion services. */
  #onions: ReadonlyMap<string, CertificateFiles> = new Map()
  #surroundings: CertificateSurroundings | undefined

  private constructor(parts: OwnCertificatesParts) {
    this.#parts = parts
    this.#watch = new WatchedCertificates({ certificates: parts.certificates, clock: systemClock, log: parts.log })
    this.#rules = rulesOf(parts.config)
  }

  /** Makes it; what gets certificates is loaded only where they are ours to get. */
  static async open(parts: OwnCertificatesParts): Promise<OwnCertificates> {
    const own = new OwnCertificates(parts)
    own.#keeper = await own.#keeperFor(parts.config)
    return own
  }

  /** The files to be put in force; what is missing is made where it is ours to make. Changes nothing else. */
  async files(config: Config): Promise<ReadonlyMap<string, CertificateFiles>> {
    const others = await this.#others(config)
    const onions = config.hosts.filter((host) => isOnion(host) && !others.has(host))
    if (onions.length === 0) return others
    const { onionCertificates } = await import('./ops/onion-certificates.ts')
    const { certificateFolder } = await import('./ops/certificate-files.ts')
    this.#onions = await onionCertificates(onions, certificateFolder(config.data), systemClock.now())
    return new Map([...others, ...this.#onions])
  }

  async #others(config: Config): Promise<ReadonlyMap<string, CertificateFiles>> {
    const keeper = this.#keeper ?? (await this.#keeperFor(config))
    if (config.acme && keeper) return keeper.files()
    if (!config.trial) return config.certificates
    const { trialCertificate } = await import('./ops/trial-certificate.ts')
    await trialCertificate(config.data, systemClock.now())
    return config.certificates
  }

  /** Begins to get, renew or watch them, once everything listens. @returns ends that */
  async start(surroundings: CertificateSurroundings): Promise<() => Promise<void>> {
    this.#surroundings = surroundings
    await this.#begin(this.#parts.config)
    return () => this.#end()
  }

  /** Gets them as a newer configuration says, or does not any more. Those that it names must be in force already. */
  async use(config: Config): Promise<void> {
    const rules = rulesOf(config)
    if (rules === this.#rules) {
      this.#watchThoseOf(config)
      void this.#keeper?.again() // a domain more may want one
      return
    }
    await this.#end()
    this.#rules = rules
    this.#keeper = await this.#keeperFor(config)
    await this.#keeper?.files()
    await this.#begin(config)
  }

  /** How they are, where they are ours to get. */
  states(): readonly CertificateState[] {
    return this.#keeper?.states() ?? []
  }

  /** Where the DNS can ask at this moment. */
  listening(): readonly ListenInfo[] {
    return (this.#responder?.places ?? []).map((place) => ({ kind: 'dns', ...place, wanted: place.port }))
  }

  async #begin(config: Config): Promise<void> {
    this.#watchThoseOf(config)
    this.#responder = await this.#responderFor(config)
    this.#keeper?.start()
  }

  async #end(): Promise<void> {
    this.#watch.stop()
    await this.#keeper?.stop()
    await this.#responder?.stop()
    this.#responder = undefined
  }

  #watchThoseOf({ acme, trial, certificates }: Config): void {
    this.#watch.use(acme || trial ? new Map() : certificates)
  }

  /** Where it cannot listen it is told, and tried again before each proof. */
  async #responderFor(config: Config): Promise<DnsResponder | undefined> {
    const { log, networkOf } = this.#parts
    const zone = delegationOf(config)
    if (!zone) return undefined
    const { DnsResponder } = await import('./net/dns/responder.ts')
    const responder = new DnsResponder({
      zone: { name: zone.zone, server: zone.server },
      places: config.listen.dns,
      networkOf,
      clock: systemClock,
    })
    for (const reason of await responder.listen()) log.error('the DNS cannot ask here', { reason })
    return responder
  }

  async #keeperFor(config: Config): Promise<CertificateKeeper | undefined> {
    const { acme: rules, data } = config
    if (!rules) return undefined
    const { certificateFolder } = await import('./ops/certificate-files.ts')
    const { CertificateKeeper } = await import('./ops/certificate-keeper.ts')
    const { certificates, log, hosts } = this.#parts
    return new CertificateKeeper({
      rules,
      directory: certificateFolder(data),
      hosts: () => hosts().filter((host) => !isOnion(host)),
      namesOf: (host) => namesOf(host, this.#surroundings?.servicesOf(host) ?? [], rules.wildcard),
      // Where the DNS proves a name, nobody looks where it leads.
      resolves: async (name) => isInDns(rules) || (await this.#surroundings?.resolves(name)) === true,
      answerers: () => this.#answerers(config, rules),
      install: (files) => certificates.load(new Map([...files, ...this.#onions])),
      clock: systemClock,
      log,
    })
  }

  async #answerers(config: Config, rules: AcmeOptions): Promise<readonly Answerer[]> {
    const { challenges, log } = this.#parts
    if (!isInDns(rules)) return byPorts(rules.challenge, challenges, this.#surroundings?.listening ?? [])
    const { byProvider, byResponder } = await import('./ops/dns-proof.ts')
    if (rules.challenge === 'dns-01') return [byProvider(config, log)]
    return this.#responder ? [byResponder(this.#responder)] : []
  }
}

/** What getting them depends on. */
function rulesOf({ acme, dns, hosts, listen, federation: { resolvers } }: Config): string {
  return acme ? JSON.stringify([acme, dns, hosts[0], listen.dns, resolvers]) : ''
}

function isInDns({ challenge }: AcmeOptions): boolean {
  return challenge === 'dns-01' || challenge === 'delegated'
}

function namesOf(host: string, services: readonly string[], wildcard: boolean): readonly string[] {
  if (!wildcard) return [host, ...services]
  return [host, `*.${host}`, ...services.filter((name) => !isRightBelow(host, name))]
}

/** The ways that are open: each needs a port (RFC 8737 §3, RFC 8555 §8.3), whichever of ours the router before us leads it to. */
function byPorts(
  challenge: AcmeOptions['challenge'],
  challenges: Challenges,
  listening: readonly ListenInfo[],
): readonly Answerer[] {
  const listens = (wanted: ListenInfo['kind']): boolean => listening.some(({ kind }) => kind === wanted)
  const byTls: Answerer = {
    type: 'tls-alpn-01',
    async answer(open) {
      const { cert, key } = await open.certificate()
      return challenges.answerTls(open.name, cert, key)
    },
  }
  const byText: Answerer = {
    type: 'http-01',
    answer: async ({ token, keyAuthorization }) => challenges.answerText(token, keyAuthorization),
  }
  return [
    ...(challenge !== 'http-01' && listens('shared') ? [byTls] : []),
    ...(challenge !== 'tls-alpn-01' && listens('redirect') ? [byText] : []),
  ]
}
