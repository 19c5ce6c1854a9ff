// SPDX-License-Identifier: Apache-2.0
// The subdomains that features own: `pubsub.example.org` for each of our domains.
import type { Hooks, Service, ServiceLabel } from './feature.ts'

/** All services; our domains may change. */
export class Services {
  readonly #hosts: ReadonlySet<string>
  readonly #byLabel: ReadonlyMap<string, Service>

  /** Throws if two features own one subdomain: that is a mistake in the program. */
  constructor(hosts: ReadonlySet<string>, hooks: readonly Hooks[]) {
    const byLabel = new Map<string, Service>()
    for (const { service } of hooks) {
      if (!service) continue
      if (byLabel.has(service.label)) throw new Error(`two features own ${service.label}`)
      byLabel.set(service.label, service)
    }
    this.#hosts = hosts
    this.#byLabel = byLabel
  }

  /** The service at a domain; undefined if there is none, or if the configuration says that the domain is a host itself. */
  at(domain: string): Service | undefined {
    if (this.#byLabel.size === 0) return undefined
    const dot = domain.indexOf('.')
    const service = dot > 0 ? this.#byLabel.get(domain.slice(0, dot)) : undefined
    if (!service || this.#hosts.has(domain) || !this.#hosts.has(domain.slice(dot + 1))) return undefined
    return service
  }

  /** The services of one of our domains, with their addresses. */
  of(host: string): readonly string[] {
    const domains = [...this.#byLabel.keys()].map((label) => `${label}.${host}`)
    return domains.filter((domain) => this.at(domain) !== undefined)
  }

  /** The addresses of one service, for all our domains. */
  addresses(label: ServiceLabel): readonly string[] {
    return [...this.#hosts].map((host) => `${label}.${host}`).filter((domain) => this.at(domain) !== undefined)
  }
}
