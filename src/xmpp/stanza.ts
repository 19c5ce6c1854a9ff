// SPDX-License-Identifier: Apache-2.0
// A stanza as a checked, read-only value (RFC 6120 §8): addresses parsed, type known. "Changing" one makes another.
import { attributesXml, type Element, escapeAttribute, type Writable, Element as XmlElement } from '../xml/element.ts'
import { detach } from '../xml/intern.ts'
import { StanzaError } from './errors.ts'
import { Jid } from './jid.ts'

/** The content namespace of streams between clients and servers (RFC 6120 §4.8.2). */
export const NS_CLIENT = 'jabber:client'

/** The three kinds of stanza. */
export type StanzaKind = 'message' | 'presence' | 'iq'

/** RFC 6121 §5.2.2. */
export type MessageType = 'normal' | 'chat' | 'groupchat' | 'headline' | 'error'

const TYPES: Readonly<Record<StanzaKind, ReadonlySet<string>>> = {
  message: new Set(['normal', 'chat', 'groupchat', 'headline', 'error']),
  presence: new Set(['error', 'probe', 'subscribe', 'subscribed', 'unavailable', 'unsubscribe', 'unsubscribed']),
  iq: new Set(['get', 'set', 'result', 'error']),
}

const TAG: Readonly<Record<StanzaKind, string>> = { message: '<message', presence: '<presence', iq: '<iq' }

/** What `Stanza.with` may change; `undefined` removes, an absent key keeps. */
export interface StanzaChanges {
  readonly from?: Jid | undefined
  readonly to?: Jid | undefined
  readonly id?: string | undefined
}

/** Whether an element is meant to be a stanza. */
export function isStanza(element: Element): boolean {
  return (
    element.ns === NS_CLIENT && (element.name === 'message' || element.name === 'presence' || element.name === 'iq')
  )
}

/** One message, presence or iq. */
export class Stanza implements Writable {
  readonly kind: StanzaKind
  /** Never empty for messages (`normal` when absent or unknown, RFC 6121 §5.2.2); '' for available presence. */
  readonly type: string
  readonly id: string | undefined
  readonly from: Jid | undefined
  readonly to: Jid | undefined
  /** Its children are true; its `from`, `to`, `id` are those of the wire and may be outdated: read ours. */
  readonly element: Element
  /** Of which this is a copy to somebody else: what stands behind the addressee is written once for all of them. */
  readonly #original: Stanza | undefined
  /** What stands behind the addressee, on streams of clients. */
  #rest: string | undefined
  /** Whether it has been made for copies, in memory of its own. */
  #isShared = false
  #client: string | undefined

  private constructor(
    kind: StanzaKind,
    type: string,
    id: string | undefined,
    from: Jid | undefined,
    to: Jid | undefined,
    element: Element,
    original?: Stanza,
  ) {
    this.kind = kind
    this.type = type
    this.id = id
    this.from = from
    this.to = to
    this.element = element
    this.#original = original
  }

  /**
   * Checks an element. Throws a StanzaError that its sender should get: `jid-malformed` for a bad address,
   * `bad-request` for an unknown type or an iq that is not as RFC 6120 §8.2.3 wants it.
   */
  static parse(element: Element): Stanza {
    const { attrs, name } = element
    if (name !== 'message' && name !== 'presence' && name !== 'iq') throw new StanzaError('modify', 'bad-request')
    const to = attrs.to === undefined ? undefined : Jid.parse(attrs.to)
    const from = attrs.from === undefined ? undefined : Jid.parse(attrs.from)
    const stanza = new Stanza(name, typeOf(name, attrs.type), attrs.id, from, to, element)
    if (name === 'iq') checkIq(stanza)
    return stanza
  }

  /** Makes a stanza of our own; attributes of `element` other than from, to and id stay. */
  static of(element: Element, from: Jid | undefined, to: Jid | undefined, id?: string): Stanza {
    const kind = element.name as StanzaKind
    return new Stanza(kind, typeOf(kind, element.attrs.type), id ?? element.attrs.id, from, to, element)
  }

  with(changes: StanzaChanges): Stanza {
    const from = 'from' in changes ? changes.from : this.from
    const to = 'to' in changes ? changes.to : this.to
    const id = 'id' in changes ? changes.id : this.id
    const isCopy = from === this.from && id === this.id
    return new Stanza(this.kind, this.type, id, from, to, this.element, isCopy ? (this.#original ?? this) : undefined)
  }

  /** The same stanza around other content. */
  withElement(element: Element): Stanza {
    return new Stanza(this.kind, this.type, this.id, this.from, this.to, element)
  }

  /** The same stanza with another child at its end; what was rendered already is not rendered again. */
  append(child: Element): Stanza {
    const { element } = this
    const written = element.ns === NS_CLIENT ? child.xml(NS_CLIENT) : undefined
    const longer = this.withElement(element.append(child, written))
    if (this.#rest === undefined) return longer
    longer.#rest = withLast(this.#rest, this.kind, written ?? child.xml(NS_CLIENT))
    return longer
  }

  /** The first child element: an iq's payload. */
  get payload(): Element | undefined {
    for (const child of this.element.children) if (typeof child !== 'string') return child
    return undefined
  }

  /** The language of its texts (RFC 6120 §8.1.5). */
  get lang(): string | undefined {
    return this.element.attrs['xml:lang']
  }

  /** The result of this iq (RFC 6120 §8.2.3). */
  result(payload?: Element): Stanza {
    const element = new XmlElement('iq', NS_CLIENT, { type: 'result' }, payload ? [payload] : [])
    return new Stanza('iq', 'result', this.id, this.to, this.from, element)
  }

  /** This stanza sent back with an error (RFC 6120 §8.3). Whether one may be sent at all is for the router to say. */
  bounce(error: StanzaError): Stanza {
    const children = this.kind === 'iq' ? (this.payload ? [this.payload] : []) : this.element.children
    const echoed = error.echo ? children : []
    const element = new XmlElement(this.kind, NS_CLIENT, { type: 'error' }, [...echoed, error.element(NS_CLIENT)])
    return new Stanza(this.kind, 'error', this.id, this.to, this.from, element)
  }

  xml(inherited: string): string {
    if (inherited !== NS_CLIENT) return this.#start(this.#declaration(inherited)) + this.#behindAddressee()
    this.#client ??= this.#start() + (this.#original ? this.#original.#sharedRest() : this.#ownRest())
    return this.#client
  }

  /** Adds the text on streams of clients to others, in as many parts as it has already. @returns how long it is */
  write(parts: string[]): number {
    const { shared } = this
    if (shared === undefined) {
      const text = this.xml(NS_CLIENT)
      parts.push(text)
      return text.length
    }
    const tag = TAG[this.kind]
    const addressee = this.to?.addressee ?? ''
    parts.push(tag, addressee, shared)
    return tag.length + addressee.length + shared.length
  }

  /**
   * The text on streams of clients for those who keep it long, in memory of its own (see `detach`); of a copy to somebody only
   * what stands between its name and `shared`.
   */
  kept(): string {
    if (this.#original) return this.to?.addressee ?? ''
    return this.element.source?.own ? this.xml(NS_CLIENT) : detach(this.xml(NS_CLIENT))
  }

  /** The end of the text of a copy: the same for all copies of a stanza, once in memory. Undefined for what is no copy. */
  get shared(): string | undefined {
    return this.#original ? this.#original.#sharedRest() : undefined
  }

  #ownRest(): string {
    this.#rest ??= this.#declaration(NS_CLIENT) + this.#behindAddressee()
    return this.#rest
  }

  #sharedRest(): string {
    if (this.#isShared && this.#rest !== undefined) return this.#rest
    const rest = detach(this.#ownRest())
    this.#isShared = true
    this.#rest = rest
    return rest
  }

  #start(declaration = ''): string {
    return TAG[this.kind] + declaration + (this.to?.addressee ?? '')
  }

  #declaration(inherited: string): string {
    return inherited === this.element.ns ? '' : ` xmlns='${this.element.ns}'`
  }

  #behindAddressee(): string {
    const { element } = this
    let tag = ''
    if (this.from) tag += ` from='${this.from.attribute}'`
    if (this.id !== undefined) tag += ` id='${escapeAttribute(this.id)}'`
    tag += attributesXml(element.attrs, isAddressing)
    const content = element.contentXml()
    if (element.source) tag += element.source.declarations
    return content === '' ? `${tag}/>` : `${tag}>${content}</${this.kind}>`
  }
}

/** The text of a stanza with more at the end of its content. */
function withLast(stanza: string, kind: StanzaKind, child: string): string {
  const end = `</${kind}>`
  return stanza.endsWith('/>')
    ? `${stanza.slice(0, -2)}>${child}${end}`
    : `${stanza.slice(0, -end.length)}${child}${end}`
}

/** Whether an attribute is written by `Stanza` itself. */
function isAddressing(name: string): boolean {
  return name === 'to' || name === 'from' || name === 'id'
}

function typeOf(kind: StanzaKind, type: string | undefined): string {
  if (type !== undefined && TYPES[kind].has(type)) return type
  if (kind === 'message') return 'normal'
  if (kind === 'presence' && type === undefined) return ''
  throw new StanzaError(
    'modify',
    'bad-request',
    kind === 'iq' ? 'An iq needs one of the types get, set, result, error.' : 'Unknown type of presence.',
  )
}

function checkIq(stanza: Stanza): void {
  if (stanza.id === undefined) throw new StanzaError('modify', 'bad-request', 'An iq needs an id.')
  if (stanza.type !== 'get' && stanza.type !== 'set') return
  if (stanza.element.elements.length !== 1)
    throw new StanzaError('modify', 'bad-request', 'A request carries exactly one element.')
}
