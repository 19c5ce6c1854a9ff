// SPDX-License-Identifier: Apache-2.0
// A stream to the authoritative server of a domain, over which keys are verified and nothing else (XEP-0220 §2.1.2). What
// proves that it is the right server is that DNS named it; what it says is taken over TLS only.
import type { Clock } from '../../clock.ts'
import { type Element, el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { DialError, type Dialer, type Link, type LinkEvents, type MaybeAsync, type StreamHeader } from '../link.ts'
import { NS_STREAMS, NS_TLS } from '../offer.ts'
import { answerOf, type DialbackError, type Pair, pairOf, request, streamIdOf } from './dialback-words.ts'
import { NS_DIALBACK } from './offer.ts'

/** A key, and the stream on which it came. */
export interface Verification {
  readonly id: string
  readonly key: string
}

/** What the authoritative server says of a key. */
export type Verified = 'valid' | 'invalid' | DialbackError

/** Where to, and until when. */
export interface VerifyWay {
  readonly dialer: Dialer
  readonly clock: Clock
  readonly ours: string
  readonly theirs: string
  /** How long an answer may take, in ms. */
  readonly time: number
  /** Ends the attempt to get there. */
  readonly signal: AbortSignal
}

/** One stream. */
export class VerifyStream implements LinkEvents {
  readonly #link: Link
  readonly #pair: Pair
  readonly #clock: Clock
  readonly #time: number
  readonly #ready = Promise.withResolvers<void>()
  readonly #waiting = new Map<string, (answer: Verified) => void>()
  #ended = false

  private constructor(link: Link, { ours, theirs, clock, time }: VerifyWay) {
    this.#link = link
    this.#pair = { from: ours, to: theirs }
    this.#clock = clock
    this.#time = time
    link.start(this)
    this.#opens()
  }

  /** Connects, and negotiates TLS. Rejects with a `DialError`. */
  static async open(way: VerifyWay): Promise<VerifyStream> {
    const { dialer, ours, theirs, signal } = way
    const { link } = await dialer.dial(ours, theirs, signal)
    const stream = new VerifyStream(link, way)
    const end = (): void => stream.#fail(new DialError('unreachable', 'It took too long.'))
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      await stream.#ready.promise
      return stream
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  /** Asks about a key. Never rejects. */
  ask({ id, key }: Verification): Promise<Verified> {
    if (this.#ended || this.#waiting.has(id)) return Promise.resolve(UNANSWERED)
    const { promise, resolve } = Promise.withResolvers<Verified>()
    const cancel = this.#clock.after(this.#time, () => this.#settle(id, UNANSWERED))
    this.#waiting.set(id, (answer) => {
      cancel()
      resolve(answer)
    })
    this.#link.send(request('verify', this.#pair, key, id))
    return promise
  }

  /** Says goodbye. */
  close(): void {
    this.#link.close()
  }

  opened({ element }: StreamHeader): void {
    const { version } = element.attrs
    if (version === undefined || Number.parseFloat(version) >= 1) return // features follow
    if (this.#link.encrypted) this.#ready.resolve()
    else this.#fail(new DialError('tls', 'It offers no TLS.'))
  }

  element(element: Element): MaybeAsync<void> {
    if (element.is('verify', NS_DIALBACK)) return this.#answered(element)
    if (element.is('error', NS_STREAMS)) return this.#refused(element)
    if (element.is('features', NS_STREAMS)) return this.#features(element)
    if (element.is('proceed', NS_TLS) && !this.#link.encrypted) return this.#secure()
    return this.#fail(new DialError('tls', 'It says something else than it was asked.'))
  }

  ended(): void {
    this.#ended = true
    this.#ready.reject(new DialError('unreachable', 'The connection broke.'))
    for (const id of [...this.#waiting.keys()]) this.#settle(id, UNANSWERED)
  }

  #opens(): void {
    this.#link.open({ from: this.#pair.from, to: this.#pair.to, id: '', lang: 'en', version: '1.0' })
  }

  #features(features: Element): void {
    if (this.#link.encrypted) this.#ready.resolve()
    else if (features.child('starttls', NS_TLS)) this.#link.send(el('starttls', NS_TLS))
    else this.#fail(new DialError('tls', 'It offers no TLS.'))
  }

  async #secure(): Promise<void> {
    try {
      await this.#link.startTls(undefined)
    } catch {
      return this.#fail(new DialError('tls', 'TLS could not be negotiated.')) // the dialer tells more of its own attempts
    }
    if (!this.#ended) this.#opens()
  }

  /** Only what was asked, of whom it was asked, about the stream it was asked of (XEP-0220 §3.1). */
  #answered(element: Element): void {
    const answer = answerOf(element)
    const pair = pairOf(element)
    const id = streamIdOf(element)
    if (!answer || id === undefined || pair?.from !== this.#pair.to || pair.to !== this.#pair.from) return
    this.#settle(id, answer.type === 'error' ? UNANSWERED : answer.type)
  }

  #refused(error: Element): void {
    const unknown = error.elements.some(({ name }) => name === 'host-unknown' || name === 'host-gone')
    this.#fail(
      unknown
        ? new DialError('no-such-domain', 'The server says that it does not serve this domain.')
        : new DialError('unreachable', 'The server ended the stream.'),
    )
  }

  #settle(id: string, answer: Verified): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.(answer)
  }

  #fail(error: DialError): void {
    this.#ready.reject(error)
    this.#link.close(new StreamError('reset'))
  }
}

/** XEP-0220 §2.5: whatever goes wrong there becomes this. */
const UNANSWERED: DialbackError = {
  condition: 'remote-server-timeout',
  text: 'The server of your domain did not tell whether the key is its own.',
}
