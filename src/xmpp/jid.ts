// SPDX-License-Identifier: Apache-2.0
// XMPP addresses (RFC 7622). A Jid exists only in its one prepared form: comparing two is comparing their text, and nothing
// behind the door has to prepare anything again.
import { escapeAttribute } from '../xml/element.ts'
import { prepareDomain } from './domain.ts'
import { StanzaError } from './errors.ts'
import { opaqueString, usernameCaseMapped } from './precis.ts'

/** Each part, in bytes of UTF-8 (RFC 7622 §3.1). */
const MAX_PART = 1023
/** In UTF-16 units, before preparation, which may make a text shorter: more is not worth looking at. */
const MAX_INPUT = 4 * MAX_PART

// The fast path: ASCII that preparation would leave as it is. Domains must have at least a letter at the start of the last
// label, which sets them apart from IPv4 addresses.
const PLAIN_LOCAL = String.raw`[a-z0-9!#$%()*+,\-.;=?\[\\\]^_${'`'}{|}~]{1,1023}`
const PLAIN_DOMAIN = String.raw`(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.){0,14}[a-z](?:[a-z0-9\-]{0,61}[a-z0-9])?`
const PLAIN_RESOURCE = String.raw`[\x20-\x7e]{1,1023}`
const PLAIN = new RegExp(`^(?:(${PLAIN_LOCAL})@)?(${PLAIN_DOMAIN})(?:/(${PLAIN_RESOURCE}))?$`)
const ONLY_PLAIN_LOCAL = new RegExp(`^${PLAIN_LOCAL}$`)
const ONLY_PLAIN_DOMAIN = new RegExp(`^${PLAIN_DOMAIN}$`)
const ONLY_PLAIN_RESOURCE = new RegExp(`^${PLAIN_RESOURCE}$`)

/** An XMPP address in its prepared form (RFC 7622 §3). */
export class Jid {
  readonly local: string | undefined
  readonly domain: string
  readonly resource: string | undefined
  readonly #text: string
  #bare: Jid | undefined
  #attribute: string | undefined
  #addressee: string | undefined

  private constructor(local: string | undefined, domain: string, resource: string | undefined) {
    this.local = local
    this.domain = domain
    this.resource = resource
    const bare = local === undefined ? domain : `${local}@${domain}`
    this.#text = resource === undefined ? bare : `${bare}/${resource}`
  }

  /** Parses an address (RFC 7622 §3.1). @throws StanzaError `jid-malformed`: whoever sent it gets told */
  static parse(text: string | undefined): Jid {
    return Jid.tryParse(text) ?? malformed()
  }

  /** The same, but undefined for what is no address (RFC 7622 §3.1). */
  static tryParse(text: string | undefined): Jid | undefined {
    if (text === undefined || text.length > MAX_INPUT) return undefined
    const known = recall(text)
    if (known) return known
    const own = detached(text)
    const jid = Jid.#parse(own)
    if (jid) remember(own, jid)
    return jid
  }

  /** Makes an address from parts that nobody prepared yet (RFC 7622 §3.2 to §3.4). @throws StanzaError `jid-malformed` */
  static of(local: string | undefined, domain: string, resource?: string): Jid {
    return Jid.#prepare(local, domain, resource) ?? malformed()
  }

  /** The address without a resource; itself if it has none (RFC 6120 §1.4). */
  get bare(): Jid {
    if (this.resource === undefined) return this
    this.#bare ??= new Jid(this.local, this.domain, undefined)
    return this.#bare
  }

  /** Whether it has no resource (RFC 6120 §1.4). */
  get isBare(): boolean {
    return this.resource === undefined
  }

  /** The address as text, for use as a key: equal addresses have equal keys. */
  get key(): string {
    return this.#text
  }

  /** The address as it stands in an attribute: what a room sends bears the same two addresses again and again. */
  get attribute(): string {
    this.#attribute ??= escapeAttribute(this.#text)
    return this.#attribute
  }

  /** The same with its name, as an addressee: what many are sent is kept for each of them as no more than this. */
  get addressee(): string {
    this.#addressee ??= Buffer.from(` to='${this.attribute}'`).toString()
    return this.#addressee
  }

  toString(): string {
    return this.#text
  }

  /** Whether both are the same address; prepared texts are simply compared (RFC 7622 §3.1). */
  equals(other: Jid): boolean {
    return this.#text === other.#text
  }

  /** The address with this resource instead of its own (RFC 7622 §3.4). @throws StanzaError `jid-malformed` */
  withResource(resource: string): Jid {
    const prepared = prepareResource(resource)
    return prepared === undefined ? malformed() : new Jid(this.local, this.domain, prepared)
  }

  static #parse(text: string): Jid | undefined {
    const match = PLAIN.exec(text)
    const [, local, domain, resource] = match ?? []
    if (domain !== undefined && !domain.includes('xn--')) return new Jid(local, domain, resource)
    const slash = text.indexOf('/')
    const bare = slash < 0 ? text : text.slice(0, slash)
    const at = bare.indexOf('@')
    return Jid.#prepare(
      at < 0 ? undefined : bare.slice(0, at),
      bare.slice(at + 1),
      slash < 0 ? undefined : text.slice(slash + 1),
    )
  }

  static #prepare(local: string | undefined, domain: string, resource: string | undefined): Jid | undefined {
    const [ownLocal, ownDomain, ownResource] = [
      local === undefined ? undefined : prepareLocal(local),
      preparedDomain(domain),
      resource === undefined ? undefined : prepareResource(resource),
    ]
    if (ownDomain === undefined) return undefined
    if ((ownLocal === undefined) !== (local === undefined)) return undefined
    if ((ownResource === undefined) !== (resource === undefined)) return undefined
    return new Jid(ownLocal, ownDomain, ownResource)
  }
}

/** A localpart in its one form, or undefined if it is none (RFC 7622 §3.3). */
export function prepareLocal(local: string): string | undefined {
  if (ONLY_PLAIN_LOCAL.test(local)) return local
  if (local.length > MAX_INPUT) return undefined
  const prepared = usernameCaseMapped(local)
  return prepared === undefined || /["&'/:<>@]/.test(prepared) ? undefined : fitting(prepared)
}

/** A resourcepart in its one form, or undefined if it is none (RFC 7622 §3.4). */
function prepareResource(resource: string): string | undefined {
  if (ONLY_PLAIN_RESOURCE.test(resource)) return resource
  return resource.length > MAX_INPUT ? undefined : fitting(opaqueString(resource))
}

function preparedDomain(domain: string): string | undefined {
  if (ONLY_PLAIN_DOMAIN.test(domain) && !domain.includes('xn--')) return domain
  return domain.length > MAX_INPUT ? undefined : fitting(prepareDomain(domain))
}

function fitting(part: string | undefined): string | undefined {
  return part !== undefined && Buffer.byteLength(part) <= MAX_PART ? part : undefined
}

function malformed(): never {
  throw new StanzaError('modify', 'jid-malformed', 'This is not a valid XMPP address.')
}

// What was parsed lately, by text: two generations, of which the older one is dropped when the younger one is full, so that
// an address in use stays and a flood of new ones costs only memory that is bounded.
const GENERATION = 8192
const MAX_KEY = 256
let young = new Map<string, Jid>()
let old = new Map<string, Jid>()

function recall(text: string): Jid | undefined {
  const jid = young.get(text)
  if (jid) return jid
  const older = old.get(text)
  if (older) remember(detached(text), older)
  return older
}

function remember(text: string, jid: Jid): void {
  if (text.length > MAX_KEY) return
  if (young.size >= GENERATION) {
    old = young
    young = new Map()
  }
  young.set(text, jid)
}

/** A copy that does not hang on to the stanza it was cut from. */
function detached(text: string): string {
  return Buffer.from(text).toString()
}
