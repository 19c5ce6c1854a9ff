// SPDX-License-Identifier: Apache-2.0
// A client, as much of one as the checks need: one stream, questions and answers, and what comes unasked.
import type { ClientPipe } from '../../net/probes/client-socket.ts'
import { type Element, el } from '../../xml/element.ts'
import { Reader } from '../../xml/reader.ts'
import { Missing, Refused } from './missing.ts'

/** RFC 6120 §4.8.2. */
export const NS_CLIENT = 'jabber:client'
/** RFC 6120 §4.8.1. */
export const NS_STREAMS = 'http://etherx.jabber.org/streams'
const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info'
const NS_SM = 'urn:xmpp:sm:3'

/** How long an answer may take, in ms. */
const PATIENCE = 4_000
/** How much a server may send that nobody asked for, if nothing else was said. */
const INBOX_MAX = 200
/** In bytes. */
const STANZA_MAX = 1_048_576

/** Who waits for what. */
interface Waiter {
  readonly matches: (element: Element) => boolean
  readonly take: (element: Element) => void
  readonly fail: (error: Error) => void
}

/** One stream of a client. */
export class Client {
  readonly domain: string
  readonly #pipe: ClientPipe
  readonly #signal: AbortSignal
  readonly #reader = new Reader({ stanzaBytes: STANZA_MAX })
  readonly #waiters = new Set<Waiter>()
  readonly #inbox: Element[] = []
  readonly #inboxMax: number
  #questions = 0
  #handled = 0
  #over: string | undefined

  /** The last stream features. */
  features: Element = el('features', NS_STREAMS)
  /** The full JID after binding. */
  jid = ''
  /** What it says that it is, when asked (XEP-0030); without it, it does not answer. */
  info: Element | undefined

  /**
   * @param signal ends all waiting
   * @param inboxMax how much may come that nobody asked for; the oldest goes first
   */
  constructor(pipe: ClientPipe, domain: string, signal: AbortSignal, inboxMax = INBOX_MAX) {
    this.#pipe = pipe
    this.#inboxMax = inboxMax
    this.domain = domain
    this.#signal = signal
    pipe.listen(
      (bytes) => this.#read(bytes),
      (why) => this.#end(why),
    )
  }

  /** The connection below. */
  get pipe(): ClientPipe {
    return this.#pipe
  }

  /** Whether nothing more can come. */
  get isOver(): boolean {
    return this.#over !== undefined
  }

  /** The stanzas received since stream management was enabled (XEP-0198 §4). */
  get handled(): number {
    return this.#handled
  }

  /** The bare JID. */
  get bare(): string {
    return this.jid.split('/')[0] ?? ''
  }

  /** Opens the stream, anew after TLS and after the login, and waits for its features. */
  async opens(): Promise<Element> {
    this.#reader.restart()
    this.#pipe.opens(this.domain)
    this.features = await this.hears('stream features', (one) => one.is('features', NS_STREAMS))
    return this.features
  }

  /** Sends an element. */
  sends(element: Element): void {
    this.#pipe.write(element.xml(this.#pipe.namespace))
  }

  /** Asks a question and waits for its answer. Rejects with `Refused` if that is an error. @returns the iq */
  async asks(type: 'get' | 'set', what: string, payload: Element, to?: string): Promise<Element> {
    const id = `q${++this.#questions}`
    this.sends(el('iq', NS_CLIENT, { type, id, to }, payload))
    const answer = await this.hears(
      `${what}: an answer`,
      (one) => one.is('iq', NS_CLIENT) && one.attrs.id === id && isAnswer(one),
    )
    if (answer.attrs.type === 'error') throw new Refused(what, conditionOf(answer))
    return answer
  }

  /** Waits for the first element like this, now or later. */
  hears(what: string, matches: (element: Element) => boolean, within: number = PATIENCE): Promise<Element> {
    const index = this.#inbox.findIndex(matches)
    const [found] = index < 0 ? [] : this.#inbox.splice(index, 1)
    if (found) return Promise.resolve(found)
    if (this.#over !== undefined) return Promise.reject(new Missing(`${what} did not come: ${this.#over}`))
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(late)
        this.#signal.removeEventListener('abort', abort)
        this.#waiters.delete(waiter)
      }
      const fail = (error: Error): void => {
        done()
        reject(error)
      }
      const abort = (): void => fail(new Missing(`${what} did not come before the time for all checks was over`))
      const late = setTimeout(() => fail(new Missing(`${what} did not come`)), within)
      const take = (element: Element): void => {
        done()
        resolve(element)
      }
      const waiter: Waiter = {
        matches,
        take,
        fail: (error) => fail(new Missing(`${what} did not come: ${error.message}`)),
      }
      this.#waiters.add(waiter)
      this.#signal.addEventListener('abort', abort)
      if (this.#signal.aborted) abort()
    })
  }

  /** Whether something like this has come already. */
  hasHeard(matches: (element: Element) => boolean): boolean {
    return this.#inbox.some(matches)
  }

  /** Done when the server has dealt with everything that was sent. */
  async settles(): Promise<void> {
    await this.asks('get', 'ping', el('ping', 'urn:xmpp:ping'), this.domain)
  }

  /** From here on stanzas are counted (XEP-0198 §4). */
  countsAnew(): void {
    this.#handled = 0
  }

  /** Closes the stream. */
  leaves(): void {
    this.#pipe.end()
  }

  #read(bytes: Uint8Array): void {
    if (this.#over !== undefined) return
    try {
      this.#reader.push(bytes)
      for (let event = this.#reader.next(); event; event = this.#reader.next()) {
        if (event.kind === 'element') this.#take(event.element)
        if (event.kind === 'close') this.#end('the server closed the stream')
      }
    } catch (error) {
      this.#end(`the server sent what is no XMPP: ${error instanceof Error ? error.message : String(error)}`)
      this.#pipe.cut()
    }
  }

  #take(element: Element): void {
    if (element.ns === NS_CLIENT) this.#handled++
    if (element.is('error', NS_STREAMS)) {
      this.#end(`the server ended the stream with ${conditionOf(element)}`)
    } else if (element.is('r', NS_SM)) {
      this.sends(el('a', NS_SM, { h: String(this.#handled) }))
    } else {
      if (element.is('iq', NS_CLIENT) && !isAnswer(element)) this.#answer(element)
      this.#hand(element)
    }
  }

  /** To who waits for it, or into the inbox. */
  #hand(element: Element): void {
    for (const waiter of this.#waiters) {
      if (!waiter.matches(element)) continue
      waiter.take(element)
      return
    }
    if (this.#inbox.push(element) > this.#inboxMax) this.#inbox.shift()
  }

  /** What a client must answer (RFC 6120 §8.2.3): pushes are accepted, questions about what it is told, others refused. */
  #answer(iq: Element): void {
    const { id, from } = iq.attrs
    const [payload] = iq.elements
    if (iq.attrs.type === 'set') this.sends(el('iq', NS_CLIENT, { type: 'result', id, to: from }))
    else if (payload?.is('query', NS_DISCO_INFO) && this.info) {
      const info = el('query', NS_DISCO_INFO, { node: payload.attrs.node }, ...this.info.children)
      this.sends(el('iq', NS_CLIENT, { type: 'result', id, to: from }, info))
    } else {
      const condition = el('service-unavailable', 'urn:ietf:params:xml:ns:xmpp-stanzas')
      this.sends(
        el('iq', NS_CLIENT, { type: 'error', id, to: from }, el('error', NS_CLIENT, { type: 'cancel' }, condition)),
      )
    }
  }

  #end(why: string): void {
    if (this.#over !== undefined) return
    this.#over = why
    for (const waiter of [...this.#waiters]) waiter.fail(new Error(why))
  }
}

/** The condition of a stanza's or stream's error, with its text if there is one. */
export function conditionOf(element: Element): string {
  const error = element.child('error', NS_CLIENT) ?? element
  const condition = error.elements.find((child) => child.name !== 'text')?.name ?? 'an error'
  const text = error.elements.find((child) => child.name === 'text')?.text
  return text ? `${condition} (“${text}”)` : condition
}

function isAnswer(iq: Element): boolean {
  return iq.attrs.type === 'result' || iq.attrs.type === 'error'
}
