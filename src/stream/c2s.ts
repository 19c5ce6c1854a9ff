// SPDX-License-Identifier: Apache-2.0
// One conversation with a client, from its header to its close (RFC 6120 §4): TLS, login, resource, then stanzas.
import { randomUUID } from 'node:crypto'
import { networkOf } from '../accounts/throttle.ts'
import { nonzaKey } from '../core/feature.ts'
import type { LoginFacts, Session } from '../core/session.ts'
import type { Store } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { isStanza, NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { Attempts } from './attempts.ts'
import { bindRequest, enterSession } from './bind.ts'
import type { ClientParts } from './client-parts.ts'
import type { Link, LinkEvents, MaybeAsync, StreamHeader } from './link.ts'
import { Login } from './login.ts'
import { type Entry, Login2, NS_SASL2 } from './login2.ts'
import { NS_SASL, NS_SESSION, NS_STREAMS, NS_TLS, streamFeatures } from './offer.ts'

/** Requests and malformed stanzas of somebody who has not bound a resource; nobody needs nearly as many. */
const EARLY_MAX = 30

/** RFC 6120 §7.7.3: at least five, at most ten retries to bind. */
const BIND_ATTEMPTS = 5

/** A language tag (RFC 5646 §2.1, §4.4.1) of sensible length: it is put into every stanza of the stream. */
const LANGUAGE = /^[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,7}$/

/** The stream of one client. */
export class ClientStream implements LinkEvents {
  /** When the peer was last heard, in ms since 1970. */
  lastHeard: number
  /** When it was asked whether it is still there, in ms since 1970; 0 if it was not. */
  askedAt = 0
  readonly #parts: ClientParts
  readonly #link: Link
  readonly #gone: (stream: ClientStream) => void
  readonly #cancelTimeout: () => void
  #host: string | undefined
  #lang: string | undefined
  #from: Jid | undefined
  #login: Login | undefined
  #login2: Login2 | undefined
  #username: string | undefined
  #mechanism = ''
  #bindFailures = 0
  #early = 0
  #session: Session | undefined
  #over = false
  /** Whether the session may outlive the stream although it was we who ended it. */
  #resumable = false

  constructor(link: Link, parts: ClientParts, gone: (stream: ClientStream) => void) {
    this.#link = link
    this.#parts = parts
    this.#gone = gone
    this.lastHeard = parts.clock.now()
    this.#cancelTimeout = parts.clock.after(parts.limits.loginTimeout, () =>
      this.close(new StreamError('connection-timeout', 'The login took too long.')),
    )
    link.start(this)
  }

  /** The bound client, if it has come so far. */
  get session(): Session | undefined {
    return this.#session
  }

  /** Whether it is about to become a client of this account: it is logging in, or has not bound a resource yet. */
  isEntering(account: Jid): boolean {
    if (this.#session || this.#host !== account.domain) return false
    if (this.#username !== undefined) return this.#username === account.local
    return [this.#login?.username, this.#login2?.username].includes(account.local)
  }

  /** Ends the stream if its domain is not served any more: the client learns where it is now, or that it is gone. */
  endIfGone(): void {
    const host = this.#host
    if (host === undefined || this.#parts.hosts.has(host)) return
    const moved = this.#parts.moved.has(host)
    // Not in the clear (RFC 6120 §4.9.3.19): who has not come to TLS yet learns it behind that.
    if (!moved) this.close(new StreamError('host-gone'))
    else if (this.#link.encrypted) this.close(this.#elsewhere(host))
  }

  /** Ends the stream; a client that is silent, or must go because we do, may come back (XEP-0198 §5). */
  close(error?: StreamError): void {
    this.#resumable = error?.condition === 'system-shutdown' || error?.condition === 'connection-timeout'
    this.#link.close(error)
  }

  alive(): void {
    this.lastHeard = this.#parts.clock.now()
    this.askedAt = 0
  }

  opened(header: StreamHeader): void {
    const { attrs } = header.element
    this.#lang = LANGUAGE.exec(attrs['xml:lang'] ?? '')?.[0]
    const problem = this.#judge(header)
    const host = this.#host ?? [...this.#parts.hosts][0] ?? ''
    this.#from = Jid.tryParse(attrs.from)?.bare
    this.#link.open({ from: host, to: this.#from?.toString(), id: randomUUID(), lang: 'en', version: '1.0' })
    if (problem) this.close(problem)
    else this.#offer(host)
  }

  element(element: Element): MaybeAsync<void> {
    if (this.#session) return this.#stanza(element, this.#session)
    if (isStanza(element) && ++this.#early > EARLY_MAX)
      return this.close(new StreamError('policy-violation', 'Log in first.'))
    if (this.#username !== undefined) return this.#enter(element, this.#username)
    return this.#negotiate(element)
  }

  ended(reason: 'closed' | 'error' | 'lost'): void {
    this.#over = true
    this.#cancelTimeout()
    const session = this.#session
    this.#session = undefined
    this.#gone(this)
    if (session?.isOn(this.#link)) this.#leave(session, reason === 'lost' || this.#resumable)
  }

  /** The session goes with the stream, unless its client may come back. */
  #leave(session: Session, resumable: boolean): void {
    const { directory } = this.#parts
    session.detach(() => directory.end(session))
    if (!(resumable && session.onLost?.())) session.close()
  }

  /** RFC 6120 §4.7, §4.8, §4.9.3. */
  #judge({ element, prefix, contentNamespace }: StreamHeader): StreamError | undefined {
    const { attrs } = element
    const host = this.#hostOf(attrs.to)
    if (!element.is('stream', NS_STREAMS)) return new StreamError('invalid-namespace')
    if (contentNamespace !== NS_CLIENT) return new StreamError('invalid-namespace')
    if (prefix !== 'stream') return new StreamError('bad-namespace-prefix')
    if (!host) return new StreamError('host-unknown')
    if (this.#host !== undefined && this.#host !== host)
      return new StreamError('not-authorized', 'The domain must not change.')
    this.#host = host
    const major = /^(\d+)\.\d+$/.exec(attrs.version ?? '')?.[1]
    if (major === undefined || Number(major) < 1) return new StreamError('unsupported-version')
    return this.#link.encrypted ? this.#elsewhere(host) : undefined
  }

  #hostOf(to: string | undefined): string | undefined {
    const { hosts, moved } = this.#parts
    if (to === undefined) return hosts.size === 1 ? [...hosts][0] : undefined
    const domain = Jid.tryParse(to)?.domain
    return domain !== undefined && (hosts.has(domain) || moved.has(domain)) ? domain : undefined
  }

  /** Where a domain that moved can be reached (RFC 6120 §4.9.3.19); said only where nobody on the way can change it. */
  #elsewhere(host: string): StreamError | undefined {
    const address = this.#parts.moved.get(host)
    return address === undefined ? undefined : new StreamError('see-other-host', undefined, undefined, address)
  }

  #offer(host: string): void {
    const { encrypted } = this.#link
    const authenticated = this.#username !== undefined
    const session = this.#session
    if (encrypted && !authenticated && !this.#login) this.#beginLogin(host)
    const mechanisms = this.#login?.mechanisms ?? []
    const state = {
      host,
      encrypted,
      authenticated,
      bound: session !== undefined,
      mechanisms,
      bindings: this.#login?.bindings ?? [],
      authentication: authenticated ? undefined : this.#login2?.offer(mechanisms),
    }
    const stream = { host, encrypted, authenticated, session }
    const more = this.#parts.hooks.flatMap((hook) => hook.streamFeatures?.(stream) ?? [])
    this.#link.send(streamFeatures(state, more))
  }

  #beginLogin(host: string): void {
    const [link, parts] = [this.#link, this.#parts]
    const attempts = new Attempts(link, host, parts)
    this.#login = new Login(link, host, parts, attempts)
    const entered = (entry: Entry): void => this.#entered(entry, host)
    const over = (): boolean => this.#over
    this.#login2 = new Login2({ link, host, from: this.#from, parts, attempts, over, entered })
  }

  /** Before login: TLS, SASL, and what a feature allows strangers (registration). */
  #negotiate(element: Element): MaybeAsync<void> {
    if (!this.#link.encrypted) {
      if (element.is('starttls', NS_TLS)) return this.#startTls()
      return this.close(new StreamError('policy-violation', 'Use TLS first.'))
    }
    if (element.ns === NS_SASL2 && this.#login2) return this.#login2.step(element)
    if (this.#login2?.busy) return this.close(new StreamError('policy-violation', 'Finish the login first.'))
    if (element.is('starttls', NS_TLS)) return this.#refuseTls()
    if (element.ns === NS_SASL && this.#login) return this.#sasl(element, this.#login)
    if (isStanza(element) && element.name === 'iq') return this.#beforeLogin(element)
    return this.close(new StreamError('not-authorized', 'Log in first.'))
  }

  async #startTls(): Promise<void> {
    // Whatever was said in the clear may have been said by somebody else (RFC 6120 §5.4.3.3).
    const host = this.#host
    this.#host = undefined
    this.#lang = undefined
    try {
      await this.#link.startTls(el('proceed', NS_TLS), host)
    } catch {
      this.close() // the handshake failed: there is nobody left to tell
    }
  }

  /** RFC 6120 §5.4.2.2: it was not on offer. */
  #refuseTls(): void {
    this.#link.send(el('failure', NS_TLS))
    this.close()
  }

  async #sasl(element: Element, login: Login): Promise<void> {
    const outcome = await login.step(element)
    if (!outcome) return
    this.#login = undefined // 6 KiB that nobody needs any more
    this.#login2 = undefined
    this.#username = outcome.username
    this.#mechanism = outcome.mechanism
    this.#link.allowStanzas(this.#parts.limits.stanzaBytes)
    this.#link.restart()
    this.#link.send(outcome.answer)
  }

  /** Logged in by SASL2, perhaps with a session already; no new stream begins. */
  #entered({ username, mechanism, session, answer, replay }: Entry, host: string): void {
    if (this.#over) {
      // It left while the account was looked up. A session that it had before waits on.
      if (session?.isOn(this.#link)) this.#parts.directory.end(session)
      return
    }
    this.#username = username
    this.#mechanism = mechanism
    this.#login = undefined
    this.#login2 = undefined // and with it what the client asked for
    this.#session = session
    if (session) this.#cancelTimeout()
    this.#link.allowStanzas(this.#parts.limits.stanzaBytes)
    this.#link.send(answer)
    this.#offer(host)
    replay()
  }

  async #beforeLogin(element: Element): Promise<void> {
    const stanza = this.#parse(element)
    if (!stanza?.payload || !this.#host) return
    const { type, payload } = stanza
    if (type !== 'get' && type !== 'set') return
    const request = { stanza, payload, host: this.#host, network: networkOf(this.#link.address), stream: this.#link }
    for (const hook of this.#parts.hooks) {
      const answer = await hook.beforeLogin?.(request)
      if (answer) return this.#link.send(answer)
    }
    this.close(new StreamError('not-authorized', 'Log in first.'))
  }

  /** After login: a session that exists goes on, or a new one begins. */
  async #enter(element: Element, username: string): Promise<void> {
    if (isStanza(element) || !this.#host) return this.#bind(element, username)
    const request = { element, jid: Jid.of(username, this.#host), login: this.#loginFacts(), link: this.#link }
    for (const hook of this.#parts.hooks) {
      const resumption = await hook.resume?.(request)
      if (!resumption) continue
      if (this.#over) return undefined // the session waits on
      this.#link.send(resumption.answer)
      if (resumption.session) this.#resume(resumption.session, resumption.replay)
      else this.#entryFailed()
      return undefined
    }
    return this.#bind(element, username)
  }

  #resume(session: Session, replay: () => void): void {
    this.#session = session
    this.#cancelTimeout()
    this.#parts.metrics.logins++
    replay()
  }

  #loginFacts(): LoginFacts {
    return { mechanism: this.#mechanism, encrypted: this.#link.encrypted, since: this.#parts.clock.now() }
  }

  #entryFailed(): void {
    if (++this.#bindFailures > BIND_ATTEMPTS)
      this.close(new StreamError('policy-violation', 'Too many failed attempts to bind a resource.'))
  }

  async #bind(element: Element, username: string): Promise<void> {
    const request = bindRequest(element)
    if (!request) return this.close(new StreamError('not-authorized', 'Bind a resource first.'))
    const stanza = this.#parse(element)
    if (!stanza || !this.#host) return
    try {
      const jid = Jid.of(username, this.#host)
      const session = await enterSession({ jid, request, login: this.#loginFacts(), link: this.#link }, this.#parts)
      if (!session) return this.close(new StreamError('not-authorized', 'The account is gone.'))
      if (this.#over) return this.#parts.directory.end(session) // it left while the account was looked up
      this.#session = session
      this.#cancelTimeout()
      this.#link.send(stanza.result(bindResult(session.jid)))
    } catch (error) {
      this.#link.send(stanza.bounce(this.#parts.router.wireError(error)))
      this.#entryFailed()
    }
  }

  #stanza(element: Element, session: Session): MaybeAsync<void> {
    if (!isStanza(element)) return this.#nonza(element, session)
    const stanza = this.#parse(element)
    if (!stanza) return session.handled()
    // RFC 6120 §8.1.2.1: a client speaks for itself only.
    if (stanza.from && !stanza.from.equals(session.jid) && !stanza.from.equals(session.account.jid)) {
      return this.close(new StreamError('invalid-from'))
    }
    if (isSessionRequest(stanza, session)) {
      session.send(stanza.result())
      return session.handled()
    }
    const waiting = this.#parts.router.fromClient(this.#stamp(stanza, session), session)
    if (waiting) {
      session.handling = waiting.then(() => session.handled())
      return this.#settle(session.handling)
    }
    session.handled()
    return this.#parts.store.crowded ? settled(this.#parts.store) : undefined
  }

  /** Stream management and the like, by the feature that owns it. */
  #nonza(element: Element, session: Session): MaybeAsync<void> {
    const key = nonzaKey(element.ns, element.name)
    for (const { nonzas } of this.#parts.hooks) {
      const handle = nonzas && Object.hasOwn(nonzas, key) ? nonzas[key] : undefined
      if (handle) return handle(element, session)
    }
    this.close(new StreamError('unsupported-stanza-type'))
  }

  /** Waits for what the stanza needed, and while too much is not on disk yet. */
  async #settle(handling: Promise<void>): Promise<void> {
    await handling
    if (this.#parts.store.crowded) await settled(this.#parts.store)
  }

  /** The sender's own address, and the language of its stream where it gave none (RFC 6120 §8.1.5). */
  #stamp(stanza: Stanza, session: Session): Stanza {
    const stamped = stanza.with({ from: session.jid })
    if (this.#lang === undefined || stamped.kind === 'iq' || stamped.lang !== undefined) return stamped
    return stamped.withElement(stamped.element.withAttrs({ 'xml:lang': this.#lang }))
  }

  /** A malformed stanza is answered, and the stream lives on. */
  #parse(element: Element): Stanza | undefined {
    try {
      return Stanza.parse(element)
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      const { type, id } = element.attrs
      if (type === 'error' || type === 'result') return undefined
      const children = [...element.elements, error.element(NS_CLIENT)]
      const answer = Stanza.of(
        el(element.name, NS_CLIENT, { type: 'error' }, ...children),
        Jid.tryParse(this.#host),
        undefined,
        id,
      )
      if (this.#session) this.#session.send(answer)
      else this.#link.send(answer)
      return undefined
    }
  }
}

/** RFC 3921 §3: asked of the server, by clients that still do. */
function isSessionRequest({ type, to, payload }: Stanza, { account }: Session): boolean {
  const asked = type === 'set' && payload?.is('session', NS_SESSION)
  return asked === true && (!to || to.equals(account.jid) || to.toString() === account.jid.domain)
}

/** Waits for the commit; if it fails, whoever wrote has been told by then, and here only the waiting counts. */
export function settled(store: Store): Promise<void> {
  return store.durable().catch(() => undefined)
}

function bindResult(jid: Jid): Element {
  const ns = 'urn:ietf:params:xml:ns:xmpp-bind'
  return el('bind', ns, null, el('jid', ns, null, jid.toString()))
}
