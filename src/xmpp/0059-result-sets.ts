// SPDX-License-Identifier: Apache-2.0
// XEP-0059: Result Set Management. Which page of a long list somebody asks for, and which one they got.
import { type Element, el } from '../xml/element.ts'
import { StanzaError } from './errors.ts'

const NS = 'http://jabber.org/protocol/rsm'

/** The page that is asked for. */
export interface PageRequest {
  /** At most so many items (XEP-0059 §2.1); undefined: as many as seems fit. */
  readonly max: number | undefined
  /** The one before the page (XEP-0059 §2.2). */
  readonly after: string | undefined
  /** The one behind the page (XEP-0059 §2.3); '' asks for the last page (§2.5). */
  readonly before: string | undefined
}

/** The page that is given. */
export interface ResultSet {
  readonly first: string | undefined
  readonly last: string | undefined
  /** How many there are on all pages together (XEP-0059 §2.1), if that is known. */
  readonly count?: number
}

/** Reads the `<set/>` inside a question; without one everything is undefined. Throws `bad-request` and `feature-not-implemented`. */
export function readPageRequest(question: Element): PageRequest {
  const set = question.child('set', NS)
  if (set?.child('index')) throw new StanzaError('cancel', 'feature-not-implemented', 'Pages are not numbered here.') // §2.6
  const max = set?.childText('max')
  const before = set?.childText('before')
  const after = set?.childText('after') || undefined
  if (max !== undefined && !/^\d{1,9}$/.test(max.trim()))
    throw new StanzaError('modify', 'bad-request', 'max is a number.')
  if (before !== undefined && after !== undefined)
    throw new StanzaError('modify', 'bad-request', 'A page comes before or after something, not both.')
  return { max: max === undefined ? undefined : Number(max), after, before }
}

/** The `<set/>` of an answer. */
export function resultSetElement({ first, last, count }: ResultSet): Element {
  return el(
    'set',
    NS,
    null,
    first !== undefined && el('first', NS, null, first),
    last !== undefined && el('last', NS, null, last),
    count !== undefined && el('count', NS, null, String(count)),
  )
}
