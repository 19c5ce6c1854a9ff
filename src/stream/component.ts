// SPDX-License-Identifier: Apache-2.0
// One conversation with a component (XEP-0114): a program of others that answers for a domain, and proves by a secret that
// it may. It speaks for all addresses of that domain and for no other.
import { createHash, randomUUID } from 'node:crypto'
import { same } from '../accounts/credentials.ts'
import type { Clock } from '../clock.ts'
import { andThen } from '../core/feature.ts'
import type { Router } from '../core/router.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { isStanza, NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { settled } from './c2s.ts'
import type { Link, LinkEvents, MaybeAsync, StreamHeader } from './link.ts'
import { NS_STREAMS } from './offer.ts'
import { Pace } from './s2s/pace.ts'

/** XEP-0114 §3: the namespace of its streams. */
const NS_COMPONENT = 'jabber:component:accept'

/** A component, as the configuration has it. */
export interface Component {
  readonly secret: string
  /** What it may send in a second over some time; 0 or nothing for as much as it likes. */
  readonly bytesPerSecond?: number
}

/** Everything that a component's stream works with. */
export interface ComponentParts {
  /** By domain. A reload changes it. */
  readonly components: ReadonlyMap<string, Component>
  readonly limits: { readonly stanzaBytes: number; readonly loginTimeout: number }
  readonly router: Router
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
}

/** What a stream tells those who keep all of them. */
interface Owner {
  /** It has proved that it answers for its domain. */
  joined(stream: ComponentStream, domain: string): void
  gone(stream: ComponentStream): void
}

/** The stream of one component. */
export class ComponentStream implements LinkEvents {
  readonly #link: Link
  readonly #parts: ComponentParts
  readonly #owner: Owner
  readonly #cancelTimeout: () => void
  readonly #id = randomUUID()
  #domain: string | undefined
  /** What it was let in with: another secret ends the stream. */
  #secret: string | undefined
  #joined = false
  readonly #pace: Pace

  constructor(link: Link, parts: ComponentParts, owner: Owner) {
    this.#link = link
    this.#parts = parts
    this.#owner = owner
    this.#pace = new Pace(this.#allowed(), parts.clock)
    this.#cancelTimeout = parts.clock.after(parts.limits.loginTimeout, () =>
      this.close(new StreamError('connection-timeout', 'The handshake took too long.')),
    )
    link.start(this)
  }

  /** The domain that it answers for, once it has proved that it may. */
  get domain(): string | undefined {
    return this.#joined ? this.#domain : undefined
  }

  /** Whether the configuration still has it as it was. */
  get isKnown(): boolean {
    return this.#domain === undefined || this.#parts.components.get(this.#domain)?.secret === this.#secret
  }

  send(stanza: Stanza): void {
    this.#link.send(stanza)
  }

  close(error?: StreamError): void {
    this.#link.close(error)
  }

  /** XEP-0114 §3: `to` is the name of the component, not ours. */
  opened({ element, contentNamespace, prefix }: StreamHeader): void {
    const domain = Jid.tryParse(element.attrs.to)?.domain
    const component = domain === undefined ? undefined : this.#parts.components.get(domain)
    this.#link.open({ from: domain ?? '', id: this.#id, lang: 'en' })
    if (!element.is('stream', NS_STREAMS) || contentNamespace !== NS_COMPONENT) {
      this.close(new StreamError('invalid-namespace'))
    } else if (prefix !== 'stream') this.close(new StreamError('bad-namespace-prefix'))
    else if (!component) this.close(new StreamError('host-unknown'))
    this.#domain = domain
    this.#secret = component?.secret
  }

  element(element: Element): MaybeAsync<void> {
    if (!this.#joined) return this.#handshake(element)
    if (!isStanza(element)) return this.close(new StreamError('unsupported-stanza-type'))
    const pause = this.#pace.spend(element.source?.text.length ?? 0)
    const stanza = this.#parse(element)
    if (!stanza) return pause
    const { from, to } = stanza
    if (!from || !to) return this.close(new StreamError('improper-addressing', 'A stanza needs "from" and "to".'))
    if (from.domain !== this.#domain) return this.close(new StreamError('invalid-from'))
    const { router, store } = this.#parts
    return andThen(router.route(stanza), () => (store.crowded ? settled(store).then(() => pause) : pause))
  }

  ended(): void {
    this.#cancelTimeout()
    this.#owner.gone(this)
  }

  #handshake(element: Element): void {
    const [domain, secret] = [this.#domain, this.#secret]
    if (domain === undefined || secret === undefined || !element.is('handshake', NS_CLIENT)) {
      this.close(new StreamError('not-authorized', 'Send a handshake first.'))
      return
    }
    const digest = createHash('sha1').update(`${this.#id}${secret}`).digest('hex')
    if (!same(Buffer.from(element.text.trim().toLowerCase()), Buffer.from(digest))) {
      this.#parts.log.info('component refused', { stream: this.#link.id })
      this.close(new StreamError('not-authorized', 'This is not the secret.'))
      return
    }
    this.#cancelTimeout()
    this.#joined = true
    this.#link.allowStanzas(this.#parts.limits.stanzaBytes)
    this.#owner.joined(this, domain)
    this.#link.send(el('handshake', NS_CLIENT))
  }

  /** As the configuration has it at the moment. */
  #allowed() {
    const component = (): Component | undefined =>
      this.#domain === undefined ? undefined : this.#parts.components.get(this.#domain)
    return {
      get bytesPerSecond() {
        return component()?.bytesPerSecond || Number.POSITIVE_INFINITY
      },
      stanzasPerSecond: Number.POSITIVE_INFINITY,
    }
  }

  /** A malformed stanza is answered, and the stream lives on. */
  #parse(element: Element): Stanza | undefined {
    try {
      return Stanza.parse(element)
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      const { type, id, from, to } = element.attrs
      if (type === 'error' || type === 'result') return undefined
      const answer = el(element.name, NS_CLIENT, { type: 'error' }, error.element(NS_CLIENT))
      this.#link.send(Stanza.of(answer, Jid.tryParse(to), Jid.tryParse(from), id))
      return undefined
    }
  }
}
