// SPDX-License-Identifier: Apache-2.0
// For tests: a store whose answers come late and in another order. SQLite on a laptop answers so soon and so regularly that
// races of those who use it would never show.
import type { Store } from './store.ts'

/**
 * The same store, whose promises are kept a random number of turns of the event loop later. Calls arrive at once and in order.
 * @param random gives numbers from 0 to 1, as Math.random
 */
export function delayedStore(store: Store, random: () => number): Store {
  return {
    accounts: delayed(store.accounts, random),
    clients: delayed(store.clients, random),
    rosters: delayed(store.rosters, random),
    messages: delayed(store.messages, random),
    documents: delayed(store.documents, random),
    sets: delayed(store.sets, random),
    pushes: delayed(store.pushes, random),
    reports: delayed(store.reports, random),
    sessions: delayed(store.sessions, random),
    pubsub: delayed(store.pubsub, random),
    uploads: delayed(store.uploads, random),
    rooms: delayed(store.rooms, random),
    outbox: delayed(store.outbox, random),
    invitations: delayed(store.invitations, random),
    secret: (name) => later(store.secret(name), random),
    durable: () => store.durable(),
    get failures() {
      return store.failures
    },
    get uncommitted() {
      return store.uncommitted
    },
    get crowded() {
      return store.crowded
    },
    close: () => store.close(),
  }
}

function delayed<T extends object>(part: T, random: () => number): T {
  return new Proxy(part, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name, target)
      if (typeof method !== 'function') return method
      return (...values: unknown[]) => {
        const answer: unknown = Reflect.apply(method, target, values)
        return answer instanceof Promise ? later(answer, random) : answer
      }
    },
  })
}

async function later<T>(answer: Promise<T>, random: () => number): Promise<T> {
  try {
    return await answer
  } finally {
    for (let turns = Math.floor(random() * 8); turns > 0; turns--) await new Promise(setImmediate)
  }
}
