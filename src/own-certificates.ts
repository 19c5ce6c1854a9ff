// SPDX-License-Identifier: Apache-2.0
// Where the certificates come from: the files that the configuration names, those of the trial, or an authority.
import { join } from 'node:path'
import type { Answerer } from './appliance/acme/order.ts'
import { systemClock } from './clock.ts'
import type { AcmeOptions } from './config/acme.ts'
import type { Config } from './config/config.ts'
import { isOnion } from './config/domains.ts'
import type { Log } from './log.ts'
import type { Challenges } from './net/challenges.ts'
import type { CertificateFiles, Certificates } from './net/tls.ts'
import { CertificateKeeper, type CertificateState } from './ops/certificate-keeper.ts'
import type { ListenInfo } from './ops/running-server.ts'

/** What getting certificates needs. */
export interface OwnCertificatesParts {
  readonly config: Config
  readonly certificates: Certificates
  readonly challenges: Challenges
  readonly log: Log
  /** Our domains at this moment, those that moved included. */
  readonly hosts: () => readonly string[]
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
  readonly #keeper: CertificateKeeper | undefined
  /** Those of our own making for onion services. */
  #onions: ReadonlyMap<string, CertificateFiles> = new Map()
  #surroundings: CertificateSurroundings = {
    listening: [],
    servicesOf: () => [],
    resolves: () => Promise.resolve(false),
  }

  constructor(parts: OwnCertificatesParts) {
    this.#parts = parts
    const { acme } = parts.config
    this.#keeper = acme && this.#keeperWith(acme)
  }

  /** The files to be put in force; what is missing is made where it is ours to make. */
  async files(config: Config): Promise<ReadonlyMap<string, CertificateFiles>> {
    const others = await this.#others(config)
    const onions = config.hosts.filter((host) => isOnion(host) && !others.has(host))
    if (onions.length === 0) return others
    const { onionCertificates } = await import('./ops/onion-certificates.ts')
    this.#onions = await onionCertificates(onions, join(config.data, 'tls'), systemClock.now())
    return new Map([...others, ...this.#onions])
  }

  async #others(config: Config): Promise<ReadonlyMap<string, CertificateFiles>> {
    if (this.#keeper && config.acme) return this.#keeper.files()
    if (!config.trial) return config.certificates
    const { trialCertificate } = await import('./ops/trial-certificate.ts')
    await trialCertificate(config.data, systemClock.now())
    return config.certificates
  }

  /** Begins to get and renew them, once everything listens. @returns ends that */
  start(surroundings: CertificateSurroundings): () => Promise<void> {
    this.#surroundings = surroundings
    this.#keeper?.start()
    return async () => this.#keeper?.stop()
  }

  /** A domain more may want a certificate. */
  changed(): void {
    void this.#keeper?.look()
  }

  /** How they are, where they are ours to get. */
  states(): readonly CertificateState[] {
    return this.#keeper?.states() ?? []
  }

  #keeperWith(rules: AcmeOptions): CertificateKeeper {
    const { config, certificates, challenges, log, hosts } = this.#parts
    return new CertificateKeeper({
      rules,
      directory: join(config.data, 'tls'),
      hosts: () => hosts().filter((host) => !isOnion(host)),
      namesOf: (host) => [host, ...this.#surroundings.servicesOf(host)],
      resolves: (name) => this.#surroundings.resolves(name),
      answerers: () => answerersFor(rules, challenges, this.#surroundings.listening),
      install: (files) => certificates.load(new Map([...files, ...this.#onions])),
      clock: systemClock,
      log,
    })
  }
}

/** The ways that are open: each needs a port (RFC 8737 §3, RFC 8555 §8.3), whichever of ours the router before us leads it to. */
function answerersFor(
  { challenge }: AcmeOptions,
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
