// SPDX-License-Identifier: Apache-2.0
// The subdomains that features own: `pubsub.example.org` for each of our domains.
import type { Hooks, Service, ServiceLabel } from './feature.ts'

/** Domains that programs of others answer for; see `Outside`. */
interface Others {
  has(domain: string): boolean
  domains(): Iterable<string>
}

/** All services; our domains may change. */
export class Services {
  readonly #hosts: ReadonlySet<string>
  readonly #byLabel: ReadonlyMap<string, Service>
  readonly #outside: Others | undefined

  /** Throws if two features own one subdomain: that is a mistake in the program. */
  constructor(hosts: ReadonlySet<string>, hooks: readonly Hooks[], outside?: Others) {
    const byLabel = new Map<string, Service>()
    for (const { service } of hooks) {
      if (!service) continue
      if (byLabel.has(service.label)) throw new Error(`two features own ${service.label}`)
      byLabel.set(service.label, service)
    }
    this.#hosts = hosts
    this.#byLabel = byLabel
    this.#outside = outside
  }

  /** The service at a domain; undefined if there is none, or if the configuration names the domain. */
  at(domain: string): Service | undefined {
    if (this.#byLabel.size === 0) return undefined
    const dot = domain.indexOf('.')
    const service = dot > 0 ? this.#byLabel.get(domain.slice(0, dot)) : undefined
    if (!service || this.#hosts.has(domain) || !this.#hosts.has(domain.slice(dot + 1))) return undefined
    if (this.#outside?.has(domain)) return undefined
    return service
  }

  /** The addresses of the services of one of our domains, and of others' programs below it. */
  of(host: string): readonly string[] {
    const domains = [...this.#byLabel.keys()].map((label) => `${label}.${host}`)
    const others = [...(this.#outside?.domains() ?? [])].filter((domain) => domain.endsWith(`.${host}`))
    return [...domains.filter((domain) => this.at(domain) !== undefined), ...others]
  }

  /** The addresses of one service, for all our domains. */
  addresses(label: ServiceLabel): readonly string[] {
    return [...this.#hosts].map((host) => `${label}.${host}`).filter((domain) => this.at(domain) !== undefined)
  }
}
