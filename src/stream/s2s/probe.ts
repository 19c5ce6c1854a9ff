// SPDX-License-Identifier: Apache-2.0
// A stream to another server that is opened to see how far one gets: each step waits for its answer, and nothing else is sent.
import { type Element, el } from '../../xml/element.ts'
import type { Link, LinkEvents, StreamHeader } from '../link.ts'
import { NS_SASL, NS_STREAMS, NS_TLS } from '../offer.ts'
import type { DialbackKeys } from './dialback-keys.ts'
import { type Answer, answerOf, pairOf, request } from './dialback-words.ts'
import { domainIn, headerProblem } from './header.ts'
import { NS_DIALBACK } from './offer.ts'
import type { Pair } from './out.ts'
import { peerText } from './traffic.ts'

/** What may lie here unread: nobody has a reason to send more. */
const INBOX_MAX = 20
const NS_STREAM_ERROR = 'urn:ietf:params:xml:ns:xmpp-streams'

/** How far one gets no further; the message is for administrators. */
export class ProbeFailure extends Error {
  override readonly name = 'ProbeFailure'
}

type Heard = { readonly header: StreamHeader } | { readonly element: Element } | { readonly ended: string }

/** One stream. */
export class Probe implements LinkEvents {
  readonly link: Link
  readonly #pair: Pair
  readonly #heard: Heard[] = []
  #waiting: ((heard: Heard) => void) | undefined
  #id = ''

  /** @param signal ends it */
  constructor(link: Link, pair: Pair, signal: AbortSignal) {
    this.link = link
    this.#pair = pair
    signal.addEventListener('abort', () => this.#hear({ ended: 'It took too long.' }), { once: true })
    link.start(this)
  }

  /** Opens the stream, or opens it anew. @returns what is offered. Rejects with a `ProbeFailure`, as all of these */
  async open(): Promise<Element> {
    const { ours, theirs } = this.#pair
    this.link.open({ from: ours, to: theirs, id: '', lang: 'en', version: '1.0' })
    const heard = await this.#next()
    if (!('header' in heard)) throw new ProbeFailure('It sent something else than the beginning of a stream.')
    const { attrs } = heard.header.element
    const problem = headerProblem(heard.header)
    if (problem) throw new ProbeFailure(`Its stream begins wrongly: ${problem.condition}.`)
    if (attrs.from !== undefined && domainIn(attrs.from) !== theirs)
      throw new ProbeFailure('It answers as another domain.')
    this.#id = attrs.id ?? ''
    const features = await this.#element()
    if (!features.is('features', NS_STREAMS)) throw new ProbeFailure('It does not say what it offers.')
    return features
  }

  /** Goes over to TLS. */
  async startTls(): Promise<void> {
    this.link.send(el('starttls', NS_TLS))
    const answer = await this.#element()
    if (!answer.is('proceed', NS_TLS)) throw new ProbeFailure('It refuses to begin with TLS, although it offers it.')
    try {
      await this.link.startTls(undefined, this.#pair.theirs)
    } catch (error) {
      throw new ProbeFailure(error instanceof Error ? error.message : String(error))
    }
  }

  /** Proves our domain by our certificate (XEP-0178 §3). @returns why that failed, if it did: what it calls it */
  async external(): Promise<string | undefined> {
    const identity = Buffer.from(this.#pair.ours).toString('base64')
    this.link.send(el('auth', NS_SASL, { mechanism: 'EXTERNAL' }, identity))
    for (;;) {
      const answer = await this.#element()
      if (answer.is('challenge', NS_SASL)) this.link.send(el('response', NS_SASL, null, '='))
      else if (answer.is('success', NS_SASL)) return undefined
      else return answer.elements.find(({ name }) => name !== 'text')?.name ?? answer.name
    }
  }

  /** What follows when it was proved: the stream begins anew. */
  async again(): Promise<Element> {
    this.link.restart()
    return this.open()
  }

  /** Proves our domain by a key (XEP-0220 §2.1.1). */
  async dialback(keys: DialbackKeys): Promise<Answer> {
    const { ours: from, theirs: to } = this.#pair
    const key = keys.make({ receiving: to, originating: from, streamId: this.#id })
    this.link.send(request('result', { from, to }, key))
    const element = await this.#element()
    const answer = element.is('result', NS_DIALBACK) ? answerOf(element) : undefined
    const pair = pairOf(element)
    if (!answer || pair?.from !== to || pair.to !== from) throw new ProbeFailure('It answered something else.')
    return answer
  }

  close(): void {
    this.link.close()
  }

  opened(header: StreamHeader): void {
    this.#hear({ header })
  }

  element(element: Element): void {
    this.#hear({ element })
  }

  ended(reason: 'closed' | 'error' | 'lost'): void {
    this.#hear({ ended: reason === 'lost' ? 'The connection broke.' : 'It ended the stream.' })
  }

  #hear(heard: Heard): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting) waiting(heard)
    else if (this.#heard.length < INBOX_MAX || 'ended' in heard) this.#heard.push(heard)
    else this.link.close()
  }

  #next(): Promise<Heard> {
    return new Promise((resolve, reject) => {
      const settle = (heard: Heard): void => {
        const why = 'ended' in heard ? heard.ended : 'element' in heard ? streamErrorIn(heard.element) : undefined
        if (why === undefined) resolve(heard)
        else reject(new ProbeFailure(why))
      }
      const heard = this.#heard.shift()
      if (heard) settle(heard)
      else this.#waiting = settle
    })
  }

  async #element(): Promise<Element> {
    const heard = await this.#next()
    if ('element' in heard) return heard.element
    throw new ProbeFailure('It began the stream anew for no reason.')
  }
}

function streamErrorIn(element: Element): string | undefined {
  if (!element.is('error', NS_STREAMS)) return undefined
  const condition = element.elements.find(({ ns, name }) => ns === NS_STREAM_ERROR && name !== 'text')?.name
  const text = peerText(element)
  return `It ended the stream: ${condition ?? 'for no reason'}${text === undefined ? '' : ` (${text})`}.`
}
