// SPDX-License-Identifier: Apache-2.0
// What a reload may change while the server runs: the parts hold these objects and read them anew each time.
import type { Config, Limits } from './config/config.ts'
import { Jid } from './xmpp/jid.ts'

type Changeable<T> = { -readonly [K in keyof T]: T[K] }

/** The part of a configuration that is in force at this moment. */
export class LiveConfig {
  readonly hosts = new Set<string>()
  readonly options: Record<string, unknown> = {}
  readonly limits: Changeable<Limits>
  /** Bare JIDs of administrators that the configuration names. */
  readonly admins = new Set<string>()
  #config: Config

  constructor(config: Config) {
    this.limits = { ...config.limits }
    this.#config = config
    this.apply(config)
  }

  /** Puts a newer configuration in force. @returns what it changes only after a restart, by option name */
  apply(config: Config): readonly string[] {
    const restart = (['data', 'store', 'accounts', 'listen', 'log'] as const).filter(
      (key) => JSON.stringify(config[key]) !== JSON.stringify(this.#config[key]),
    )
    replace(
      this.hosts,
      config.hosts.map((host) => Jid.of(undefined, host).domain),
    )
    replace(
      this.admins,
      config.admins.map((admin) => Jid.parse(admin).bare.toString()),
    )
    Object.assign(this.limits, config.limits)
    Object.assign(this.options, config.features)
    this.options.contacts = config.contacts
    this.#config = { ...config, data: this.#config.data, store: this.#config.store }
    return restart
  }
}

function replace<T>(set: Set<T>, values: Iterable<T>): void {
  set.clear()
  for (const value of values) set.add(value)
}
