// SPDX-License-Identifier: Apache-2.0
// The refusals of XEP-0060, each with its own condition beside the one of RFC 6120.
import { type Element, el } from '../../xml/element.ts'
import { type ErrorType, type StanzaCondition, StanzaError } from '../../xmpp/errors.ts'

/** XEP-0060: what is asked by everybody, by owners, and what is told. */
export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
/** XEP-0060 §8. */
export const NS_OWNER = `${NS_PUBSUB}#owner`
/** XEP-0060 §7.1.2. */
export const NS_EVENT = `${NS_PUBSUB}#event`
const NS_ERRORS = `${NS_PUBSUB}#errors`

/** A refusal. @param detail the condition of XEP-0060, if it has one @param feature what is not supported */
export function refusal(
  type: ErrorType,
  condition: StanzaCondition,
  detail?: string,
  text?: string,
  feature?: string,
): StanzaError {
  return new StanzaError(type, condition, text, detail === undefined ? undefined : detailElement(detail, feature))
}

/** What we do not do (XEP-0060 §6.2.3.10 and others). */
export function unsupported(feature: string): StanzaError {
  return refusal('cancel', 'feature-not-implemented', 'unsupported', undefined, feature)
}

function detailElement(name: string, feature: string | undefined): Element {
  return el(name, NS_ERRORS, { feature })
}
