// SPDX-License-Identifier: Apache-2.0
// What is said in dialback (XEP-0220 §2): a request has a key, an answer has a type.
import { type Element, el, escapeAttribute, escapeText, type Writable } from '../../xml/element.ts'
import type { ErrorType, StanzaCondition } from '../../xmpp/errors.ts'
import { NS_CLIENT } from '../../xmpp/stanza.ts'
import { domainIn } from './header.ts'
import { NS_DIALBACK } from './offer.ts'

const NS_STANZA_ERROR = 'urn:ietf:params:xml:ns:xmpp-stanzas'
/** An answer is not read beyond this: it is shown to administrators. */
const WORD_MAX = 64

/** Who sends to whom, as prepared domains (RFC 7622 §3.2): the domain pair of XEP-0220 §1.3. */
export interface Pair {
  readonly from: string
  readonly to: string
}

/** A pair in one word, for maps. */
export function pairKey({ from, to }: Pair): string {
  return `${from} ${to}`
}

/** `result` asks the receiving server to let a pair in, `verify` asks the authoritative server whether a key is its own. */
export type Step = 'result' | 'verify'

/** The conditions of XEP-0220 §2.5; one of them is none that stanzas have. */
export type DialbackCondition = StanzaCondition | 'remote-connection-failed'

/** What became of a request. */
export type Answer =
  | { readonly type: 'valid' }
  | { readonly type: 'invalid' }
  | { readonly type: 'error'; readonly condition: string; readonly text?: string | undefined }

/** What a request that failed is told. */
export interface DialbackError {
  readonly condition: DialbackCondition
  readonly text: string
}

const TYPES: Readonly<Partial<Record<DialbackCondition, ErrorType>>> = {
  'not-authorized': 'auth',
  forbidden: 'auth',
  'resource-constraint': 'wait',
  'remote-server-timeout': 'wait',
  'remote-connection-failed': 'wait',
  'policy-violation': 'modify',
}

/** Whose request or answer it is; undefined if not both ends are domains. */
export function pairOf({ attrs }: Element): Pair | undefined {
  const from = domainIn(attrs.from)
  const to = domainIn(attrs.to)
  return from === undefined || to === undefined ? undefined : { from, to }
}

/** The stream that a `verify` is about: as long as anybody's ids are. */
export function streamIdOf({ attrs }: Element): string | undefined {
  return attrs.id !== undefined && attrs.id !== '' && attrs.id.length <= 256 ? attrs.id : undefined
}

/** What an answer says; undefined if it is a request. */
export function answerOf(element: Element): Answer | undefined {
  const { type } = element.attrs
  if (type === undefined) return undefined
  if (type === 'valid' || type === 'invalid') return { type }
  const error = element.child('error', NS_CLIENT)
  const condition = error?.elements.find(({ ns, name }) => ns === NS_STANZA_ERROR && name !== 'text')?.name
  const text = error?.childText('text', NS_STANZA_ERROR)
  return { type: 'error', condition: condition?.slice(0, WORD_MAX) ?? 'undefined-condition', text }
}

/** A request. @param id the stream that a `verify` is about */
export function request(step: Step, { from, to }: Pair, key: string, id?: string): Writable {
  return words(step, { from, to, id }, escapeText(key))
}

/** The answer to a request, to the domains as the peer wrote them, so that it knows them again. */
export function answerTo(
  { name, attrs: { from, to, id } }: Element,
  answer: 'valid' | 'invalid' | DialbackError,
): Writable {
  const step: Step = name === 'verify' ? 'verify' : 'result'
  const swapped = { from: to, to: from, id: step === 'verify' ? id : undefined }
  if (typeof answer === 'string') return words(step, { ...swapped, type: answer }, '')
  const { condition, text } = answer
  const error = el(
    'error',
    NS_CLIENT,
    { type: TYPES[condition] ?? 'cancel' },
    el(condition, NS_STANZA_ERROR),
    el('text', NS_STANZA_ERROR, { 'xml:lang': 'en' }, text),
  )
  return words(step, { ...swapped, type: 'error' }, error.xml(NS_CLIENT))
}

/** With the prefix that everybody understands (XEP-0220 §2, §2.4.1), whatever the start tag declared. */
function words(step: Step, attrs: Readonly<Record<string, string | undefined>>, content: string): Writable {
  const given = Object.entries(attrs).map(([name, value]) =>
    value === undefined ? '' : ` ${name}='${escapeAttribute(value)}'`,
  )
  const tag = `db:${step}`
  return { xml: () => `<${tag} xmlns:db='${NS_DIALBACK}'${given.join('')}>${content}</${tag}>` }
}
