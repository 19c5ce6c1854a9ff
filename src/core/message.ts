// SPDX-License-Identifier: Apache-2.0
// Who gets a message that is for a local account (RFC 6121 §8.5, table 1 of §8.5.4), as a pure function. It runs once per
// message, so it goes over the clients once, and the answers without clients are constants.
import type { MessageType } from '../xmpp/stanza.ts'

/** What delivery needs to know of a connected client. */
export interface Client {
  readonly resource: string
  /** RFC 6121 §4.7.2.3; undefined while it is connected but not available. */
  readonly priority: number | undefined
}

/** What becomes of a message. */
export type Fate<C> =
  /** These clients get it; there is at least one. The `to` stays as it is (RFC 6121 §8.5.2.1.1). */
  | { readonly kind: 'deliver'; readonly clients: readonly C[] }
  /** Nobody is there: keep it for later, or answer `service-unavailable` if that cannot be done. */
  | { readonly kind: 'store' }
  /** Answer `service-unavailable`. */
  | { readonly kind: 'bounce' }
  | { readonly kind: 'ignore' }

const STORE = Object.freeze({ kind: 'store' })
const BOUNCE = Object.freeze({ kind: 'bounce' })
const IGNORE = Object.freeze({ kind: 'ignore' })

/**
 * The fate of a message (RFC 6121 §8.5.2 and §8.5.3). Where the RFC leaves a choice: what is for the account goes to all
 * its clients of non-negative priority; a full JID means that client alone, available or not; when it is gone, chat and
 * normal messages go where those for the account go (for normal ones §8.5.3.2.1 would ignore or bounce, which would lose
 * messages to a client that just reconnected), a groupchat message bounces, so that the room learns that an occupant is
 * gone, and a headline is dropped.
 * @param resource that of the message's `to`; undefined for a bare JID
 * @param clients all connected clients of the account; may be an iterator, it is used once
 */
export function recipients<C extends Client>(
  type: MessageType,
  resource: string | undefined,
  clients: Iterable<C>,
): Fate<C> {
  let open: C[] | undefined
  for (const client of clients) {
    if (client.resource === resource) return { kind: 'deliver', clients: [client] }
    if (client.priority === undefined || client.priority < 0) continue
    if (open) open.push(client)
    else open = [client]
  }
  switch (type) {
    case 'normal':
    case 'chat':
      return open ? { kind: 'deliver', clients: open } : STORE
    case 'headline':
      return open && resource === undefined ? { kind: 'deliver', clients: open } : IGNORE
    case 'groupchat':
      return BOUNCE
    case 'error':
      return IGNORE
  }
}
