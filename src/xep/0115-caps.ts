// SPDX-License-Identifier: Apache-2.0
// XEP-0115: Entity Capabilities. Ours are told in the stream features. Those of our clients are learned from their presence:
// a hash that is not known yet is answered for by the client itself, and believed only if it is the hash of its answer.
import { createHash } from 'node:crypto'
import { type Feature, type FeatureContext, PASS } from '../core/feature.ts'
import type { Router } from '../core/router.ts'
import type { Session } from '../core/session.ts'
import { type Element, el } from '../xml/element.ts'
import { NS_DATA } from '../xmpp/0004-data-forms.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { disclosedAt, infoElement, NS_INFO } from './0030-disco.ts'

const NS = 'http://jabber.org/protocol/caps'
/** What we are called in our own hash (XEP-0115 §4). */
const NODE = 'urn:aenigma:server'

/** Hashes that we compute (XEP-0115 §5.4), by their registered names; others are ignored. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ['sha-1', 'sha1'],
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])

/** How many kinds of client are remembered; those that were not seen for longest are forgotten. */
const KINDS_MAX = 1000
/** What one kind may announce, in characters; a client of today has about 4,000. */
const FEATURES_MAX = 16_384
const NODE_MAX = 1024
const VER_MAX = 128
/** The one kind of form that clients are known to add. */
const SOFTWARE_INFO = 'urn:xmpp:dataforms:softwareinfo'

// Hangs on the session, so it is gone with it; a note of the server's would have to be handed to each feature that asks.
const notes = new WeakMap<Session, readonly string[]>()

/** The features that a client has, as far as they were learned and proved (XEP-0115 §5.4): `undefined` until then. */
export function capsOf(session: Session): readonly string[] | undefined {
  return notes.get(session)
}

const listeners = new WeakMap<Router, ((session: Session) => void)[]>()

/** Calls the listener whenever what `capsOf` says of a client of this server is known or no longer so. */
export function onCaps(router: Router, listener: (session: Session) => void): void {
  const known = listeners.get(router)
  if (known) known.push(listener)
  else listeners.set(router, [listener])
}

/** XEP-0115: Entity Capabilities. */
export const caps: Feature = {
  name: 'caps',
  implements: [{ xep: 115, version: '1.6.0', name: 'Entity Capabilities' }],
  setup(ctx) {
    const own = ownHash(ctx)
    const learner = new Learner(ctx)
    return {
      streamFeatures: ({ authenticated }) =>
        authenticated ? [el('c', NS, { hash: 'sha-1', node: NODE, ver: own() })] : [],
      onSend(stanza, client) {
        if (stanza.kind === 'presence' && stanza.to === undefined) learner.heard(stanza, client)
        return PASS
      },
      onEnd: (client) => learner.forget(client),
      disco: {
        server: { features: [NS] },
        info({ node, owner }) {
          if (owner.local !== undefined || node !== `${NODE}#${own()}`) return undefined
          return disclosedAt('server', ctx)
        },
      },
    }
  },
}

/** The text of which the hash is made (XEP-0115 §5.1). */
export function verificationText(info: Element): string {
  return partsOf(info)
    .map((part) => `${part}<`)
    .join('')
}

/** What clients have. */
class Learner {
  readonly #ctx: FeatureContext
  /** By hash and its algorithm; the most recently used last. */
  readonly #kinds = new Map<string, readonly string[]>()
  /** Who is being asked, and what it says it is by now. A client is asked one question at a time. */
  readonly #asked = new Map<Session, Element | undefined>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** Presence that a client broadcasts; without `<c/>` what is known stays (XEP-0115 §8.4). */
  heard(stanza: Stanza, client: Session): void {
    if (stanza.type === 'unavailable') this.forget(client)
    const c = stanza.type === '' ? stanza.element.child('c', NS) : undefined
    if (!c || !isUsable(c)) return
    const known = this.#recall(keyOf(c))
    if (known) this.#note(client, known)
    else notes.delete(client)
    if (this.#asked.has(client)) this.#asked.set(client, known ? undefined : c)
    else if (!known) void this.#ask(client, c)
  }

  /** The client is gone, or no longer there for others. An answer that may still come counts no more. */
  forget(client: Session): void {
    notes.delete(client)
    if (this.#asked.has(client)) this.#asked.set(client, undefined)
    this.#tell(client)
  }

  #note(client: Session, features: readonly string[]): void {
    notes.set(client, features)
    this.#tell(client)
  }

  #tell(client: Session): void {
    for (const listener of listeners.get(this.#ctx.router) ?? []) listener(client)
  }

  /** Each client answers for itself as long as nobody has proved the hash, so that none can keep another one waiting. */
  async #ask(client: Session, c: Element): Promise<void> {
    this.#asked.set(client, c)
    const query = el('query', NS_INFO, { node: `${c.attrs.node}#${c.attrs.ver}` })
    const answer = await this.#ctx.router.ask(Jid.parse(client.jid.domain), client.jid, 'get', query)
    const wanted = this.#asked.get(client)
    this.#asked.delete(client)
    if (!wanted) return
    if (keyOf(wanted) === keyOf(c)) this.#learn(client, c, answer)
    else void this.#ask(client, wanted)
  }

  #learn(client: Session, c: Element, answer: Stanza): void {
    const info = answer.type === 'result' ? answer.element.child('query', NS_INFO) : undefined
    if (!info || !isWellFormed(info) || hashOf(info, c.attrs.hash ?? '') !== c.attrs.ver) return
    const features = info.childrenNamed('feature').map((feature) => detached(feature.attrs.var ?? ''))
    if (features.reduce((sum, feature) => sum + feature.length, 0) > FEATURES_MAX) return
    this.#note(client, features)
    if (isUnambiguous(info)) this.#remember(keyOf(c), features)
  }

  #recall(key: string): readonly string[] | undefined {
    const known = this.#kinds.get(key)
    if (known) this.#remember(key, known)
    return known
  }

  #remember(key: string, features: readonly string[]): void {
    this.#kinds.delete(key)
    this.#kinds.set(detached(key), features)
    if (this.#kinds.size <= KINDS_MAX) return
    for (const oldest of this.#kinds.keys()) {
      this.#kinds.delete(oldest)
      return
    }
  }
}

/** Our own hash, made anew when what it is made of has changed. */
function ownHash(ctx: FeatureContext): () => string {
  let text = ''
  let hash = ''
  return () => {
    const info = infoElement(disclosedAt('server', ctx))
    const now = info.contentXml()
    if (now !== text) hash = hashOf(info, 'sha-1') ?? ''
    text = now
    return hash
  }
}

function hashOf(info: Element, algorithm: string): string | undefined {
  const name = HASHES.get(algorithm)
  return name && createHash(name).update(verificationText(info)).digest('base64')
}

function keyOf({ attrs }: Element): string {
  return `${attrs.hash} ${attrs.ver}`
}

/** XEP-0115 §5.4: without a `hash` it is the old format, which nothing can be proved by. */
function isUsable({ attrs: { hash = '', ver = '', node = '' } }: Element): boolean {
  return HASHES.has(hash) && ver !== '' && ver.length <= VER_MAX && node.length <= NODE_MAX
}

/** XEP-0115 §5.4: no identity, feature or form stands in it twice. */
function isWellFormed(info: Element): boolean {
  const forms = formsOf(info)
  return (
    areDistinct(identitiesOf(info)) &&
    areDistinct(featuresOf(info)) &&
    areDistinct(forms.map(formType)) &&
    forms.every((form) => new Set(valuesOf(form.field)).size === 1)
  )
}

/**
 * Whether the text could not be that of another answer too (XEP-0115 §9.3): an attacker might otherwise pass features off
 * as identities or as fields of a form, and make everybody with the same client seem to lack them.
 */
function isUnambiguous(info: Element): boolean {
  const identities = info.childrenNamed('identity')
  return (
    identities.length > 0 &&
    identities.every(
      ({ attrs }) => isWord(attrs.category) && isWord(attrs.type) && !attrs['xml:lang']?.includes('/'),
    ) &&
    formsOf(info).every((form) => formType(form) === SOFTWARE_INFO) &&
    !partsOf(info).some((part) => part.includes('<'))
  )
}

function isWord(text: string | undefined): boolean {
  return text !== undefined && text !== '' && !text.includes('/')
}

function areDistinct(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length
}

/** XEP-0115 §5.1, steps 2 to 7. */
function partsOf(info: Element): readonly string[] {
  const forms = new Map(formsOf(info).map((form) => [formType(form), form]))
  return [
    ...sorted(identitiesOf(info)).map((identity) => identity.replaceAll('\0', '/')),
    ...sorted(featuresOf(info)),
    ...sorted([...forms.keys()]).flatMap((type) => [type, ...fieldsOf(forms.get(type)?.form)]),
  ]
}

/** With a character between the parts that XML cannot have, and that sorts before all others. */
function identitiesOf(info: Element): readonly string[] {
  return info
    .childrenNamed('identity')
    .map(({ attrs: { category = '', type = '', name = '', 'xml:lang': lang = '' } }) =>
      [category, type, lang, name].join('\0'),
    )
}

function featuresOf(info: Element): readonly string[] {
  return info.childrenNamed('feature').map((feature) => feature.attrs.var ?? '')
}

/** A form of XEP-0128 and the field that says what it is. */
interface InfoForm {
  readonly form: Element
  readonly field: Element
}

/** XEP-0115 §5.4: forms that do not say what they are do not count. */
function formsOf(info: Element): readonly InfoForm[] {
  return info.childrenNamed('x', NS_DATA).flatMap((form) => {
    const field = form.childrenNamed('field').find(({ attrs }) => attrs.var === 'FORM_TYPE' && attrs.type === 'hidden')
    return field ? [{ form, field }] : []
  })
}

function formType({ field }: InfoForm): string {
  return valuesOf(field)[0] ?? ''
}

function fieldsOf(form: Element | undefined): readonly string[] {
  const fields = form?.childrenNamed('field').filter(({ attrs }) => attrs.var !== 'FORM_TYPE') ?? []
  const values = new Map(fields.map((field) => [field.attrs.var ?? '', valuesOf(field)]))
  return sorted([...values.keys()]).flatMap((name) => [name, ...sorted(values.get(name) ?? [])])
}

function valuesOf(field: Element): readonly string[] {
  return field.childrenNamed('value').map((value) => value.text)
}

/** By octets (XEP-0115 §5.1, RFC 4790 §9.3), which is not the order of JavaScript. */
function sorted(texts: readonly string[]): readonly string[] {
  return texts
    .map((text) => Buffer.from(text))
    .sort(Buffer.compare)
    .map(String)
}

/** A copy that does not hang on to the stanza it was cut from. */
function detached(text: string): string {
  return Buffer.from(text).toString()
}
