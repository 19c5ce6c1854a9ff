// SPDX-License-Identifier: Apache-2.0
// The other profile of SASL (XEP-0388): everything that a client wants in one element, everything it gets in another, and
// no new stream between them. The mechanisms, and how often one may try, are those of RFC 6120 (`login.ts`).
import { randomBytes } from 'node:crypto'
import { saltedVerifier } from '../accounts/credentials.ts'
import type { SaslContext, SaslExchange, SaslFailure, SaslStep } from '../accounts/exchange.ts'
import { clientIdOf, HtExchange, startHt } from '../accounts/ht.ts'
import { startSasl } from '../accounts/sasl.ts'
import type { ScramHash } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { type Arrival, arrive, inlineOffer, NS_FAST, type Proved, type Wishes, wishesOf } from './arrival.ts'
import type { Attempts } from './attempts.ts'
import type { ClientParts } from './client-parts.ts'
import type { Link } from './link.ts'
import { saslContext } from './login.ts'
import { NS_SASL } from './offer.ts'

/** XEP-0388. */
export const NS_SASL2 = 'urn:xmpp:sasl:2'
/** XEP-0480. */
const NS_UPGRADE = 'urn:xmpp:sasl:upgrade:0'
const NS_SCRAM_UPGRADE = 'urn:xmpp:scram-upgrade:0'

/** A client that is in. */
export interface Entry extends Omit<Arrival, 'elements'> {
  readonly username: string
  readonly mechanism: string
  /** The `<success/>`, still to be sent. */
  readonly answer: Element
}

/** Somebody who has proved who it is and has tasks left (XEP-0388 §2.6.3). */
interface Tasks {
  readonly proved: Proved
  /** Verifiers to be made, the next one first (XEP-0480). */
  readonly left: readonly ScramHash[]
  /** What the client was told for the first of them. */
  readonly salt: Buffer | undefined
}

/** Where a login takes place, and who takes over when it is done. */
export interface Place {
  readonly link: Link
  readonly host: string
  /** The `from` of the stream. */
  readonly from: Jid | undefined
  readonly parts: ClientParts
  readonly attempts: Attempts
  /** Whether the stream has ended meanwhile. */
  readonly over: () => boolean
  /** Called in the turn in which the session begins. */
  readonly entered: (entry: Entry) => void
}

/** The attempts to log in by SASL2 on one stream. */
export class Login2 {
  readonly #place: Place
  readonly #context: SaslContext
  #wishes: Wishes | undefined
  #mechanism = ''
  #exchange: SaslExchange | undefined
  #proof: Buffer | undefined
  #username: string | undefined
  #tasks: Tasks | undefined
  #proved = false

  constructor(place: Place) {
    const { link, host, parts } = place
    this.#place = place
    const context = saslContext(link, host, parts)
    this.#context = {
      ...context,
      // Remembered, so that what follows from the login holds only while the password is the same.
      verifierOf: async (username, mechanism) => {
        const found = await context.verifierOf(username, mechanism)
        if (found) this.#proof = found.storedKey
        return found
      },
    }
  }

  /** Whether nothing but the elements of the exchange may come now (XEP-0388 §2.4). */
  get busy(): boolean {
    return this.#exchange !== undefined || this.#tasks !== undefined
  }

  /** As whom the client tries, or tried last, to log in. */
  get username(): string | undefined {
    return this.#exchange?.username ?? this.#username
  }

  /** The stream feature (XEP-0388 §2.1). @param mechanisms as RFC 6120 offers them */
  offer(mechanisms: readonly string[]): Element | undefined {
    const { link, parts } = this.#place
    if (mechanisms.length === 0) return undefined
    return el(
      'authentication',
      NS_SASL2,
      null,
      ...mechanisms.map((name) => el('mechanism', NS_SASL2, null, name)),
      inlineOffer(NS_SASL2, link, parts.hooks),
      ...parts.sasl.hashes.map((hash) => el('upgrade', NS_UPGRADE, null, `UPGR-${hash}`)),
    )
  }

  /** Takes one element of the exchange and answers it; success is told to `entered`. */
  async step(element: Element): Promise<void> {
    if (element.name === 'authenticate') return this.#authenticate(element)
    if (element.name === 'abort') return this.#fail('aborted')
    if (this.#tasks) return this.#task(element, this.#tasks)
    const exchange = this.#exchange
    if (element.name === 'response' && exchange) {
      const data = decode(element.text)
      if (!data) return this.#fail('incorrect-encoding')
      return this.#answer(exchange, await exchange.next(data))
    }
    if (exchange) return this.#place.link.close(new StreamError('policy-violation', 'Finish the login first.'))
    return this.#fail('malformed-request')
  }

  async #authenticate(element: Element): Promise<void> {
    if (this.busy || this.#proved) {
      return this.#place.link.close(new StreamError('policy-violation', 'One login at a time.'))
    }
    const response = element.child('initial-response')
    const data = response && decode(response.text)
    if (data === null) return this.#fail('incorrect-encoding')
    this.#mechanism = element.attrs.mechanism ?? ''
    this.#proof = undefined
    this.#wishes = wishesOf(element)
    this.#exchange = startSasl(this.#mechanism, this.#context) ?? this.#byToken(element, this.#wishes)
    if (!this.#exchange) return this.#fail('invalid-mechanism')
    return this.#answer(this.#exchange, await this.#exchange.next(data))
  }

  /** XEP-0484 §3.4. */
  #byToken(element: Element, { agent }: Wishes): HtExchange | undefined {
    const fast = element.child('fast', NS_FAST)
    const { host, link, parts } = this.#place
    const { clients } = parts.store
    const clientId = (jid: Jid): string => clientIdOf(jid.toString(), agent.id ?? '')
    const count = /^\d{1,15}$/.test(fast?.attrs.count ?? '') ? Number(fast?.attrs.count) : undefined
    if (!fast || (count === undefined && fast.attrs.count !== undefined)) return undefined
    return startHt(this.#mechanism, {
      encrypted: link.encrypted,
      bindings: link.bindings,
      agent: agent.id,
      now: () => parts.clock.now(),
      tokensOf(username) {
        const jid = Jid.of(username, host)
        return clients.tokens(jid, clientId(jid))
      },
      use(username, token) {
        const jid = Jid.of(username, host)
        return clients.use(jid, clientId(jid), token, count)
      },
    })
  }

  async #answer(exchange: SaslExchange, step: SaslStep): Promise<void> {
    if (step.kind === 'challenge') {
      this.#place.link.send(el('challenge', NS_SASL2, null, step.data.toString('base64')))
      return undefined
    }
    this.#username = exchange.username
    const end = await this.#place.attempts.judge(exchange, step)
    if (this.#place.over()) return undefined
    if (end.kind === 'failure') return this.#refuse(end)
    const { username, data } = end
    const { from } = this.#place
    // XEP-0388 §2.3, and stricter: who says from the beginning who it is must be that.
    if (from?.local !== undefined && !from.bare.equals(Jid.of(username, this.#place.host))) {
      return this.#fail('invalid-authzid')
    }
    const token = exchange instanceof HtExchange ? exchange.token : undefined
    const proof = token?.seed ?? this.#proof
    const wishes = this.#wishes
    if (!proof || !wishes) return this.#fail('not-authorized')
    this.#proved = true
    this.#exchange = undefined
    const proved: Proved = { username, mechanism: this.#mechanism, wishes, proof, token }
    const more = data && el('additional-data', NS_SASL2, null, data.toString('base64'))
    const left = token ? [] : await this.#upgrades(proved)
    return left.length > 0 ? this.#continue({ proved, left, salt: undefined }, more) : this.#arrive(proved, more)
  }

  async #arrive(proved: Proved, more?: Element): Promise<void> {
    const { link, entered } = this.#place
    const { username, mechanism } = proved
    this.#tasks = undefined
    try {
      await arrive(proved, this.#place, ({ session, jid, elements, replay }) => {
        const who = el('authorization-identifier', NS_SASL2, null, jid.toString())
        const answer = el('success', NS_SASL2, null, more, who, ...elements)
        entered({ username, mechanism, session, jid, replay, answer })
      })
    } catch (error) {
      if (error instanceof StreamError) return link.close(error)
      if (!(error instanceof StanzaError)) throw error
      link.close(new StreamError('resource-constraint', error.text)) // nothing is wrong with the login itself
    }
  }

  /** Which verifiers the client wants to add and the account lacks (XEP-0480 §2.2). */
  async #upgrades({ username, wishes }: Proved): Promise<readonly ScramHash[]> {
    const { host, parts } = this.#place
    const asked = wishes.authenticate.childrenNamed('upgrade', NS_UPGRADE).map((element) => element.text)
    const wanted = parts.sasl.hashes.filter((hash) => asked.includes(`UPGR-${hash}`))
    if (wanted.length === 0) return []
    const account = await parts.store.accounts.find(Jid.of(username, host))
    return wanted.filter((hash) => account?.verifiers.every(({ mechanism }) => mechanism !== hash))
  }

  #continue(tasks: Tasks, more?: Element): void {
    this.#tasks = tasks
    const task = el('task', NS_SASL2, null, `UPGR-${tasks.left[0]}`)
    this.#place.link.send(el('continue', NS_SASL2, null, more, el('tasks', NS_SASL2, null, task)))
  }

  /** XEP-0480 §3. */
  async #task(element: Element, { proved, left, salt }: Tasks): Promise<void> {
    const { link, host, parts } = this.#place
    const [hash, ...others] = left
    if (hash === undefined) return this.#fail('malformed-request')
    const { iterations } = parts.sasl
    if (!salt) {
      if (element.name !== 'next' || element.attrs.task !== `UPGR-${hash}`) return this.#fail('malformed-request')
      const fresh = randomBytes(16)
      this.#tasks = { proved, left, salt: fresh }
      const told = el('salt', NS_SCRAM_UPGRADE, { iterations: String(iterations) }, fresh.toString('base64'))
      return link.send(el('task-data', NS_SASL2, null, told))
    }
    const salted = decode(element.childText('hash', NS_SCRAM_UPGRADE) ?? '')
    const verifier = salted && saltedVerifier(hash, salted, salt, iterations)
    if (element.name !== 'task-data' || !verifier) return this.#fail('malformed-request')
    if (!(await parts.store.accounts.addVerifier(Jid.of(proved.username, host), verifier, proved.proof))) {
      return link.close(new StreamError('not-authorized', 'The account was changed.'))
    }
    return others.length > 0 ? this.#continue({ proved, left: others, salt: undefined }) : this.#arrive(proved)
  }

  #fail(condition: SaslFailure['condition']): void {
    this.#refuse({ kind: 'failure', condition })
  }

  #refuse({ condition, text }: SaslFailure): void {
    this.#username = this.#exchange?.username ?? this.#username
    this.#exchange = undefined
    this.#tasks = undefined
    const words = text !== undefined && el('text', NS_SASL2, { 'xml:lang': 'en' }, text)
    this.#place.link.send(el('failure', NS_SASL2, null, el(condition, NS_SASL), words))
    this.#place.attempts.tooMany()
  }
}

/** XEP-0388 §2.2: Base64, where nothing stands for nothing. @returns null for what is none */
function decode(text: string): Buffer | null {
  const data = Buffer.from(text, 'base64')
  return data.toString('base64') === text ? data : null
}
