// SPDX-License-Identifier: Apache-2.0
// Domains as an administrator lists them: `example.org`, or `*.example.org` for all below it.
import { prepareDomain } from '../../xmpp/domain.ts'

/** A list that is asked often: looking up takes as long as the domain has labels, however long the list is. */
export class DomainList {
  readonly #exact = new Set<string>()
  /** Domains whose subdomains are in the list. */
  readonly #above = new Set<string>()

  /** @param deep whether a domain stands for all below it, too */
  constructor(entries: readonly string[], deep = false) {
    for (const entry of entries) {
      const below = entry.startsWith('*.')
      const domain = prepareDomain(below ? entry.slice(2) : entry)
      if (domain === undefined) continue // the configuration has been checked: only what can be no address at all
      if (!below) this.#exact.add(domain)
      if (below || deep) this.#above.add(domain)
    }
  }

  /** Whether there is nothing in it. */
  get isEmpty(): boolean {
    return this.#exact.size === 0 && this.#above.size === 0
  }

  /** @param domain prepared (RFC 7622 §3.2) */
  has(domain: string): boolean {
    if (this.#exact.has(domain)) return true
    if (this.#above.size === 0) return false
    for (let dot = domain.indexOf('.'); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
      if (this.#above.has(domain.slice(dot + 1))) return true
    }
    return false
  }
}
