// SPDX-License-Identifier: Apache-2.0
// What a reload may change while the server runs: the parts hold these objects and read them anew each time.
import type { Config, FederationRules, Limits } from './config/config.ts'
import { isOnion } from './config/domains.ts'
import { Jid } from './xmpp/jid.ts'

type Changeable<T> = { -readonly [K in keyof T]: T[K] }

/** The part of a configuration that is in force at this moment. */
export class LiveConfig {
  /** The domains that this server serves: not those that moved. */
  readonly hosts = new Set<string>()
  /** The domains that moved, and where to. */
  readonly moved = new Map<string, string>()
  readonly options: Record<string, unknown> = {}
  readonly limits: Changeable<Limits>
  /** Whom among other servers this one talks to. */
  readonly federation: Changeable<FederationRules>
  /** Programs that answer for domains of their own. */
  readonly components = new Map<string, { readonly secret: string; readonly bytesPerSecond?: number }>()
  /** Bare JIDs of administrators that the configuration names. */
  readonly admins = new Set<string>()
  /** Whether everything is looked at once a night. */
  doctor: Config['doctor']
  #config: Config
  /** Whether there was a reason to listen for components at the start. */
  readonly #hadComponents: boolean
  /** Whether there was one to listen for other servers, and for Tor. */
  readonly #federated: boolean
  readonly #hadOnion: boolean

  constructor(config: Config) {
    this.limits = { ...config.limits }
    this.federation = { ...config.federation }
    this.doctor = config.doctor
    this.#config = config
    this.#hadComponents = config.components.size > 0
    this.#federated = config.federation.enabled
    this.#hadOnion = config.hosts.some(isOnion)
    this.apply(config)
  }

  /** The newest one, with the data and the store that are in use. */
  get config(): Config {
    return this.#config
  }

  /** Puts a newer configuration in force. @returns what it changes only after a restart, by option name */
  apply(config: Config): readonly string[] {
    return this.prepare(config)()
  }

  /**
   * Checks what could not be checked before, and changes nothing yet.
   * @returns puts the configuration in force, as `apply`
   * @throws Error for a domain or administrator that is no XMPP address
   */
  prepare(config: Config): () => readonly string[] {
    const moved = [...config.moved].map(([host, address]) => [addressOf(host).domain, address] as const)
    const gone = new Set(moved.map(([host]) => host))
    const hosts = config.hosts.map((host) => addressOf(host).domain).filter((host) => !gone.has(host))
    const admins = config.admins.map((admin) => addressOf(admin).bare.key)
    const components = [...config.components].map(([name, one]) => [addressOf(name).domain, one] as const)
    return () => {
      const restart: string[] = (
        ['data', 'store', 'accounts', 'listen', 'behind', 'http', 'proxy', 'log'] as const
      ).filter((key) => JSON.stringify(config[key]) !== JSON.stringify(this.#config[key]))
      if (components.length > 0 && !this.#hadComponents) restart.push('components')
      if (config.federation.enabled && !this.#federated) restart.push('federation.enabled')
      if (config.hosts.some(isOnion) && !this.#hadOnion) restart.push('hosts')
      this.components.clear()
      for (const [name, one] of components) this.components.set(name, one)
      replace(this.hosts, hosts)
      this.moved.clear()
      for (const [host, address] of moved) this.moved.set(host, address)
      replace(this.admins, admins)
      this.doctor = config.doctor
      Object.assign(this.limits, config.limits)
      Object.assign(this.federation, config.federation)
      Object.assign(this.options, config.features)
      this.options.contacts = config.contacts
      this.options.uploads = config.uploads
      this.#config = { ...config, data: this.#config.data, store: this.#config.store }
      return restart
    }
  }
}

function addressOf(text: string): Jid {
  const jid = Jid.tryParse(text)
  if (jid) return jid
  throw new Error(`The configuration names ${JSON.stringify(text)}, which is not a valid XMPP address.`)
}

function replace<T>(set: Set<T>, values: Iterable<T>): void {
  set.clear()
  for (const value of values) set.add(value)
}

/** Where the pages of a domain are, once everything listens. */
export function urlFrom({ options }: Pick<LiveConfig, 'options'>, host: string): string | undefined {
  return typeof options.publicUrl === 'function' ? options.publicUrl(host) : undefined
}
