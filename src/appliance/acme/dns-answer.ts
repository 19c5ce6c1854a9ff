// SPDX-License-Identifier: Apache-2.0
// dns-01 (RFC 8555 §8.4): a TXT record that whoever keeps the zone puts there for us, shown by all servers of the zone before the
// authority looks, and gone afterwards whatever happened.
import type { DnsProvider } from '../dns/record.ts'
import type { Answerer } from './order.ts'

/** Seconds: it is asked for once. */
const TTL = 60
/** How often removing is tried, and the first pause between, in ms. */
const TRIES = 3
const PAUSE = 2_000

/** Where a record is to be put. */
export interface Place {
  readonly zone: string
  /** In the zone, where the name that is looked up leads by its aliases. */
  readonly name: string
}

/** What it takes. */
export interface DnsAnswerParts {
  readonly provider: () => Promise<DnsProvider>
  /** Where what is looked up at a name is to be put. */
  readonly place: (name: string) => Promise<Place>
  /** Resolves when the servers of the zone show a text at a place. Rejects if they do not, or when that is no matter any more. */
  readonly shown: (place: Place, text: string, signal: AbortSignal) => Promise<void>
  /** A record stayed where it was put; why. */
  readonly left: (why: unknown) => void
  /** Waits so many ms. */
  readonly wait: (ms: number) => Promise<unknown>
}

/** Answers in the DNS. */
export function byDns(parts: DnsAnswerParts): Answerer {
  const texts = new Map<string, Texts>()
  const turn = new Turn()
  return {
    type: 'dns-01',
    async answer({ name, keyAuthorization: text, signal }) {
      const place = await parts.place(`_acme-challenge.${name}`)
      const provider = await parts.provider()
      const key = `${place.zone} ${place.name}`
      const there = texts.get(key) ?? new Texts(provider, place, turn)
      texts.set(key, there)
      const end = async (): Promise<void> => {
        await persistently(() => there.change({ without: text }), parts).catch(parts.left)
        if (there.isEmpty) texts.delete(key)
      }
      try {
        await there.change({ with: text })
        await parts.shown(place, text, signal)
        return end
      } catch (error) {
        await end()
        throw error
      }
    },
  }
}

/** The texts at one name: a domain and `*.` before it are proved at the same one. What others left there goes. */
class Texts {
  readonly #provider: DnsProvider
  readonly #place: Place
  readonly #texts = new Set<string>()
  readonly #turn: Turn

  constructor(provider: DnsProvider, place: Place, turn: Turn) {
    this.#provider = provider
    this.#place = place
    this.#turn = turn
  }

  get isEmpty(): boolean {
    return this.#texts.size === 0
  }

  /** Writes what is wanted by the time of its turn. */
  change(what: { readonly with?: string; readonly without?: string }): Promise<void> {
    if (what.with !== undefined) this.#texts.add(what.with)
    if (what.without !== undefined) this.#texts.delete(what.without)
    return this.#turn.take(() => this.#write())
  }

  async #write(): Promise<void> {
    const { zone, name } = this.#place
    const values = [...this.#texts]
    if (values.length > 0) await this.#provider.set(zone, { name, type: 'TXT', ttl: TTL, values })
    else await this.#provider.remove(zone, { name, type: 'TXT' })
  }
}

/** One change after the other: providers count how many come at once. */
class Turn {
  #last: Promise<unknown> = Promise.resolve()

  take(what: () => Promise<void>): Promise<void> {
    const mine = this.#last.then(what)
    this.#last = mine.catch(() => undefined) // whoever asked for it hears of it
    return mine
  }
}

async function persistently(what: () => Promise<void>, { wait }: DnsAnswerParts): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await what()
    } catch (error) {
      if (tries >= TRIES) throw error
      await wait(PAUSE * 2 ** (tries - 1))
    }
  }
}
