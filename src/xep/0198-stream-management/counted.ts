// SPDX-License-Identifier: Apache-2.0
// Which clients count what they are sent (XEP-0198 §4); other features want to know it, and need nothing else of this one.
import type { Session } from '../../core/session.ts'

// Hangs on the session, so it is gone with it; a note of the server's would have to be handed to each feature that asks.
const counted = new WeakSet<Session>()

/** Whether what is sent to this client comes back when it goes without having acknowledged it (§5). */
export function isCounted(client: Session): boolean {
  return counted.has(client)
}

/** From now on it does. */
export function setCounted(client: Session): void {
  counted.add(client)
}
