// SPDX-License-Identifier: Apache-2.0
// What is kept on the disk for another server until it has it.
import { NS_CLIENT, type Stanza } from '../../xmpp/stanza.ts'
import type { Pair } from './out.ts'
import type { ServerStreamParts } from './parts.ts'

const NS_HINTS = 'urn:xmpp:hints'

/** Whether it is a message that is worth a place on the disk (XEP-0334 §4.1). */
export function isKept({ kind, type, element }: Stanza): boolean {
  return kind === 'message' && type !== 'error' && !element.child('no-store', NS_HINTS)
}

/** A pair of domains as the outbox knows it. */
export function wayOf({ ours, theirs }: Pair): string {
  return `${ours} ${theirs}`
}

/** On disk before its sender may forget it. @returns its number in the outbox, if it is worth one */
export function keep(
  { store, clock, log }: Pick<ServerStreamParts, 'store' | 'clock' | 'log'>,
  stanza: Stanza,
  pair: Pair,
): number | undefined {
  if (!isKept(stanza)) return undefined
  const message = { way: wayOf(pair), since: clock.now(), xml: stanza.xml(NS_CLIENT) }
  return store.outbox.put(message, (error) => log.error('message for another server not kept', { error }))
}
