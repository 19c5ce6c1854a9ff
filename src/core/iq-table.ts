// SPDX-License-Identifier: Apache-2.0
// Who answers which question: the table built from the features' `iq` entries.
import type { IqPlace, IqRoute } from './feature.ts'

/** A fixed table of questions. */
export class IqTable {
  readonly #routes = new Map<string, IqRoute>()

  /** Throws if two routes claim one question: that is a mistake in the program. */
  constructor(routes: Iterable<IqRoute>) {
    for (const route of routes) {
      for (const place of route.at) {
        const key = keyOf(place, route.type, route.ns, route.name ?? '*')
        if (this.#routes.has(key)) throw new Error(`two features answer ${key}`)
        this.#routes.set(key, route)
      }
    }
  }

  /** Who answers, if anybody does. */
  find(place: IqPlace, type: 'get' | 'set', ns: string, name: string): IqRoute | undefined {
    const route = this.#routes.get(keyOf(place, type, ns, name)) ?? this.#routes.get(keyOf(place, type, ns, '*'))
    if (route || place === 'server' || place === 'account' || place === 'service') return route
    return this.find('service', type, ns, name)
  }
}

function keyOf(place: IqPlace, type: string, ns: string, name: string): string {
  return `${place} ${type} ${ns} ${name}`
}
