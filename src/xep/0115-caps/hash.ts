// SPDX-License-Identifier: Apache-2.0
// The hash of XEP-0115 §5: made of an answer, and what an answer must be like to be believed because of it. Pure functions.
import { createHash } from 'node:crypto'
import type { Element } from '../../xml/element.ts'
import { NS_DATA } from '../../xmpp/0004-data-forms.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { NS_INFO } from '../0030-disco.ts'

/** The namespace. */
export const NS_CAPS = 'http://jabber.org/protocol/caps'

/** Hashes that we compute (XEP-0115 §5.4), by their registered names; others are ignored. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ['sha-1', 'sha1'],
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])

/** What one kind may announce, in characters; a client of today has about 4,000. */
const FEATURES_MAX = 16_384
const NODE_MAX = 1024
const VER_MAX = 128
/** The one kind of form that clients are known to add. */
const SOFTWARE_INFO = 'urn:xmpp:dataforms:softwareinfo'

/** What a client has. */
export interface Proved {
  readonly features: readonly string[]
  /** Whether all clients of this hash have the same. */
  readonly ofAll: boolean
}

/** What an answer to the question of a `<c/>` proves (XEP-0115 §5.4); undefined if it proves nothing. */
export function provedBy(answer: Stanza, c: Element): Proved | undefined {
  const info = answer.type === 'result' ? answer.element.child('query', NS_INFO) : undefined
  if (!info || !isWellFormed(info) || hashOf(info, c.attrs.hash ?? '') !== c.attrs.ver) return undefined
  const features = info.childrenNamed('feature').map((feature) => detached(feature.attrs.var ?? ''))
  if (features.reduce((sum, feature) => sum + feature.length, 0) > FEATURES_MAX) return undefined
  return { features, ofAll: isUnambiguous(info) }
}

/** The text of which the hash is made (XEP-0115 §5.1). */
export function verificationText(info: Element): string {
  return partsOf(info)
    .map((part) => `${part}<`)
    .join('')
}

/** The hash of an answer, by an algorithm with this registered name; undefined if we do not compute such. */
export function hashOf(info: Element, algorithm: string): string | undefined {
  const name = HASHES.get(algorithm)
  return name && createHash(name).update(verificationText(info)).digest('base64')
}

/** The kind of client that a `<c/>` tells. */
export function keyOf({ attrs }: Element): string {
  return `${attrs.hash} ${attrs.ver}`
}

/** XEP-0115 §5.4: without a `hash` it is the old format, which nothing can be proved by. */
export function isUsable({ attrs: { hash = '', ver = '', node = '' } }: Element): boolean {
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
export function detached(text: string): string {
  return Buffer.from(text).toString()
}
