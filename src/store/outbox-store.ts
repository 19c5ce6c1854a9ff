// SPDX-License-Identifier: Apache-2.0
// The deeds for messages on their way to other servers.

/** A message on its way. */
export interface OutgoingMessage {
  /** Order and identity: they only grow, but those of messages that are gone may come again after a restart. */
  readonly id: number
  /** From which of our domains to which of theirs: a message's place is behind those of the same way that have lower ids. */
  readonly way: string
  /** When it was handed over, in ms since 1970. */
  readonly since: number
  readonly xml: string
}

/** Messages for other servers, from when their senders may forget them until the other server has them. */
export interface OutboxStore {
  /**
   * Takes the message at once and returns its id; it joins the next group commit. Nothing may be acknowledged before
   * `Store.durable()`.
   * @param failed called instead of being durable, once, if the disk refused it
   */
  put(message: Omit<OutgoingMessage, 'id'>, failed?: (error: Error) => void): number
  /** Everything of a way up to this id has arrived. Goes with some later commit: after a crash it may be there again. */
  arrived(way: string, upTo: number): void
  /** These went back to their senders. As above. */
  drop(ids: readonly number[]): void
  /** The first messages after an id, of all ways. */
  page(after: number, limit: number): Promise<readonly OutgoingMessage[]>
}
