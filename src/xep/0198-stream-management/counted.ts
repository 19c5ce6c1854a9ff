// SPDX-License-Identifier: Apache-2.0
// Which clients count what they are sent (XEP-0198 §4); other features want to know it, and need nothing else of this one.
import type { Session } from '../../core/session.ts'

/** What counts a client's stanzas. */
interface Counter {
  /** Undefined if more may be sent; else settles when the client has acknowledged some of it, or is gone. */
  room(): Promise<void> | undefined
}

// Hangs on the session, so it is gone with it; a note of the server's would have to be handed to each feature that asks.
const counted = new WeakMap<Session, Counter>()

/** Whether what is sent to this client comes back when it goes without having acknowledged it (§5). */
export function isCounted(client: Session): boolean {
  return counted.has(client)
}

/**
 * For those who have much to send at once: who leaves too much unacknowledged is cut off. Undefined if the client may get
 * more; else settles when it has acknowledged some of it, or is gone.
 */
export function roomFor(client: Session): Promise<void> | undefined {
  return counted.get(client)?.room()
}

/** From now on it does. */
export function setCounted(client: Session, counter: Counter): void {
  counted.set(client, counter)
}
