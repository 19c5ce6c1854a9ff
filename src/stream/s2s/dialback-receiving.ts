// SPDX-License-Identifier: Apache-2.0
// Dialback on a stream that another server opened: as the receiving server, which lets pairs of domains in (XEP-0220 §2.2.1),
// and as the authoritative server, which knows its own keys again (§2.2.2).
import type { Log } from '../../log.ts'
import type { Element } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import type { Link } from '../link.ts'
import type { DialbackKeys } from './dialback-keys.ts'
import type { Question, Verdict } from './dialback-verifier.ts'
import { answerTo, type DialbackError, type Pair, pairKey, pairOf, streamIdOf } from './dialback-words.ts'
import { NS_DIALBACK } from './offer.ts'
import type { Gate, ProvedBy } from './parts.ts'

/** Requests that may be open on one stream. */
const OPEN_MAX = 16
/** Requests that may come to nothing on one stream: each makes us check certificates, or look for another server. */
const FAILURES_MAX = 50

/** Characters of a key; those of XEP-0185 have 64. */
const KEY_MAX = 1024

/** What handling dialback needs. */
export interface ReceivingParts {
  readonly keys: DialbackKeys
  readonly policy: Pick<Gate, 'refusal' | 'trust'>
  /** Whether a domain is here: `Router.answersFor`. */
  readonly answersFor: (domain: string) => boolean
  readonly verify: (question: Question) => Promise<Verdict>
  readonly log: Log
}

/** The stream, as far as dialback has to do with it. */
export interface ReceivingStream {
  readonly link: Pick<Link, 'id' | 'send' | 'encrypted' | 'proves'>
  /** Which we gave it. */
  readonly id: string
  /** Whether it may send for anybody yet. */
  readonly isStranger: boolean
  /** Whether there is room for one more. */
  readonly takesMore: boolean
  may(pair: Pair): boolean
  /** From now on it may send for this pair. Throws a `StreamError` if there is no room for it after all. */
  admit(pair: Pair, by: ProvedBy): void
  /** It has been told so. */
  admitted?(pair: Pair): void
  close(error?: StreamError): void
}

/** Requests of another server on one stream. */
export class DialbackReceiving {
  readonly #stream: ReceivingStream
  readonly #parts: ReceivingParts
  readonly #open = new Set<string>()
  #failures = 0
  #ended = false

  constructor(stream: ReceivingStream, parts: ReceivingParts) {
    this.#stream = stream
    this.#parts = parts
  }

  /**
   * A request came; the stream reads on while it is dealt with. Throws a `StreamError` for what nobody may say.
   * @returns whether it was one; answers are none
   */
  take(element: Element): boolean {
    const isVerify = element.is('verify', NS_DIALBACK)
    if ((!isVerify && !element.is('result', NS_DIALBACK)) || element.attrs.type !== undefined) return false
    const pair = pairOf(element)
    if (!pair) throw new StreamError('improper-addressing', 'Dialback is from a domain and to a domain.')
    if (element.text.length > KEY_MAX) throw new StreamError('policy-violation', 'No key is that long.')
    const refused = this.#refused(pair)
    if (refused) this.#answer(element, refused)
    else if (isVerify) this.#verify(element, pair)
    else void this.#request(element, pair).catch((error: unknown) => this.#failed(element, error))
    return true
  }

  /** The stream is gone: what is still being found out is of no use. */
  ended(): void {
    this.#ended = true
  }

  #refused({ from, to }: Pair): DialbackError | undefined {
    const { policy, answersFor } = this.#parts
    if (!this.#stream.link.encrypted) return { condition: 'policy-violation', text: 'Switch to TLS first.' }
    if (!answersFor(to)) return { condition: 'item-not-found', text: 'That domain is not served here.' }
    if (answersFor(from)) return { condition: 'not-authorized', text: 'That is a domain of this server.' }
    if (policy.refusal(from))
      return { condition: 'policy-violation', text: 'This server does not talk to that domain.' }
    return undefined
  }

  /** XEP-0220 §2.2.2: the key alone tells; who asks needs no authorisation. */
  #verify(element: Element, { from, to }: Pair): void {
    const streamId = streamIdOf(element)
    if (streamId === undefined) throw new StreamError('bad-format', 'A key belongs to a stream: "id" is missing.')
    const valid = this.#parts.keys.verify(element.text, { receiving: from, originating: to, streamId })
    this.#answer(element, valid ? 'valid' : 'invalid')
  }

  async #request(element: Element, pair: Pair): Promise<void> {
    const stream = this.#stream
    if (stream.may(pair)) return this.#answer(element, 'valid')
    const key = pairKey(pair)
    if (this.#open.has(key)) return undefined // its answer is on the way
    const isFull = this.#open.size >= OPEN_MAX || this.#failures >= FAILURES_MAX || !stream.takesMore
    if (isFull) return this.#answer(element, FULL)
    this.#open.add(key)
    const verdict = await this.#proved(element, pair).finally(() => this.#open.delete(key))
    if (typeof verdict !== 'string' || verdict === 'invalid') this.#failures++
    if (this.#ended) return undefined
    if (verdict === 'invalid') return this.#isInvalid(element)
    if (typeof verdict !== 'string') return this.#answer(element, verdict)
    this.#admit(element, pair, verdict)
  }

  #admit(element: Element, pair: Pair, by: ProvedBy): void {
    const problem = this.#refused(pair) ?? this.#noRoom(pair, by) // a reload may have come between
    this.#answer(element, problem ?? 'valid')
    if (!problem) this.#stream.admitted?.(pair)
  }

  #noRoom(pair: Pair, by: ProvedBy): DialbackError | undefined {
    try {
      this.#stream.admit(pair, by)
      return undefined
    } catch (error) {
      if (!(error instanceof StreamError)) throw error
      return FULL
    }
  }

  /** What proves the domain, the strongest first; a certificate is enough without asking anybody (XEP-0220 §1.2). */
  async #proved(element: Element, { from, to }: Pair): Promise<ProvedBy | 'invalid' | DialbackError> {
    const proof = await this.#stream.link.proves?.(from)
    if (proof?.by) return proof.by
    const { policy, verify, log } = this.#parts
    if (policy.trust(from) === 'certificate') {
      log.info('dialback refused: no certificate proves the domain', { stream: this.#stream.link.id })
      return {
        condition: 'not-authorized',
        text: 'Your certificate does not prove that domain, and this server wants it to.',
      }
    }
    const verdict = await verify({ ours: to, theirs: from, id: this.#stream.id, key: element.text.trim() })
    return verdict === 'valid' ? 'dialback' : verdict
  }

  /** XEP-0220 §2.2.1: a stream that is good for nothing else ends. */
  #isInvalid(element: Element): void {
    const { log } = this.#parts
    log.warn('dialback refused: the key is forged or of another secret', { stream: this.#stream.link.id })
    if (!this.#stream.isStranger) {
      this.#answer(element, { condition: 'forbidden', text: 'The server of that domain does not know the key.' })
      return
    }
    this.#answer(element, 'invalid')
    this.#stream.close()
  }

  #failed(element: Element, error: unknown): void {
    this.#parts.log.error('dialback failed', { stream: this.#stream.link.id, error })
    this.#answer(element, { condition: 'internal-server-error', text: 'Something failed here.' })
  }

  #answer(element: Element, answer: 'valid' | 'invalid' | DialbackError): void {
    this.#stream.link.send(answerTo(element, answer))
  }
}

const FULL: DialbackError = {
  condition: 'resource-constraint',
  text: 'This stream is for as many domains as it can be; open another one.',
}

/** A stream of ours, on which the other side may ask about our keys, and hears that further domains need a stream of their own. */
export function ofOurs(link: ReceivingStream['link'], id: string, may: ReceivingStream['may']): ReceivingStream {
  return {
    link,
    id,
    may,
    isStranger: false,
    takesMore: false,
    admit() {
      throw new StreamError('policy-violation')
    },
    close: () => undefined,
  }
}
