// SPDX-License-Identifier: Apache-2.0
// Dialback as the initiating server (XEP-0220 §2.1.1): on one stream to another server, pairs of domains ask to be let in.
import type { Cancel, Clock } from '../../clock.ts'
import type { Element } from '../../xml/element.ts'
import type { Link } from '../link.ts'
import type { DialbackKeys } from './dialback-keys.ts'
import { type Answer, answerOf, type Pair, pairKey, pairOf, request } from './dialback-words.ts'
import { NS_DIALBACK } from './offer.ts'

/** Questions of ours that may be open on one stream. */
const OPEN_MAX = 64

/** How a request to be let in ended. `lost`: the stream did; `full`: too many are open here. */
export type Asked = Answer | { readonly type: 'timeout' } | { readonly type: 'lost' } | { readonly type: 'full' }

/** What asking needs. */
export interface AskingParts {
  readonly keys: DialbackKeys
  readonly clock: Clock
  /** How long an answer may take, in ms. */
  readonly time: number
}

interface Open {
  readonly promise: Promise<Asked>
  readonly settle: (how: Asked) => void
}

/** Our requests on one stream. */
export class DialbackAsking {
  readonly #link: Pick<Link, 'send'>
  readonly #streamId: string
  readonly #parts: AskingParts
  readonly #open = new Map<string, Open>()
  /** Pairs whose answers may still come, and are of no use any more. */
  readonly #late = new Set<string>()
  #ended = false

  /** @param streamId which the other server gave the stream */
  constructor(link: Pick<Link, 'send'>, streamId: string, parts: AskingParts) {
    this.#link = link
    this.#streamId = streamId
    this.#parts = parts
  }

  /** Asks for a pair, of which `from` is ours. Never rejects; nothing may be sent for the pair before it is valid. */
  ask(pair: Pair): Promise<Asked> {
    const key = pairKey(pair)
    const open = this.#open.get(key)
    if (open) return open.promise
    if (this.#ended) return Promise.resolve({ type: 'lost' })
    if (this.#open.size + this.#late.size >= OPEN_MAX || this.#late.has(key)) return Promise.resolve({ type: 'full' })
    const { keys, clock, time } = this.#parts
    let cancel: Cancel | undefined
    const { promise, resolve } = Promise.withResolvers<Asked>()
    const settle = (how: Asked): void => {
      cancel?.()
      this.#open.delete(key)
      resolve(how)
    }
    this.#open.set(key, { promise, settle })
    cancel = clock.after(time, () => {
      this.#late.add(key)
      settle({ type: 'timeout' })
    })
    const what = { receiving: pair.to, originating: pair.from, streamId: this.#streamId }
    this.#link.send(request('result', pair, keys.make(what)))
    return promise
  }

  /**
   * An answer came. @returns whether it was to something that was asked on this stream: whoever sends others wants to be
   * taken for somebody else (XEP-0220 §3.1), and the stream is to be closed
   */
  take(element: Element): boolean {
    const answer = answerOf(element)
    const pair = pairOf(element)
    if (!element.is('result', NS_DIALBACK) || !answer || !pair) return false
    const key = pairKey({ from: pair.to, to: pair.from })
    const open = this.#open.get(key)
    open?.settle(answer)
    return open !== undefined || this.#late.delete(key)
  }

  /** The stream is gone, and so are the answers. */
  ended(): void {
    this.#ended = true
    for (const { settle } of [...this.#open.values()]) settle({ type: 'lost' })
  }
}
