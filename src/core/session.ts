// SPDX-License-Identifier: Apache-2.0
// A bound client. It writes to the link it has at this moment; what a client told us about itself lives here.
import type { Link } from '../stream/link.ts'
import type { Writable } from '../xml/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { LocalAccount } from './directory.ts'

/** How much a client may be sent before it is told that it is bound. */
const EARLY_MAX = 1000

/** How a client logged in; for `aenigma sessions`. */
export interface LoginFacts {
  readonly mechanism: string
  readonly encrypted: boolean
  /** ms since 1970. */
  readonly since: number
  /** The client program on its device, if it told who it is (XEP-0388 §2.3); only for its owner and the administrators. */
  readonly client?: ClientAgent | undefined
}

/** A client program on a device. */
export interface ClientAgent {
  /** As the store has it: unique in its account. */
  readonly id: string
  readonly software: string | undefined
  readonly device: string | undefined
}

/** One client of one account, from resource binding until it goes. */
export class Session {
  /** Opaque; safe to log. */
  readonly id: string
  /** The full JID. */
  readonly jid: Jid
  readonly resource: string
  readonly account: LocalAccount
  readonly login: LoginFacts
  /** The last available presence it broadcast (RFC 6121 §4.4); undefined while it is unavailable. */
  presence: Stanza | undefined
  /** RFC 6121 §4.7.2.3; undefined while it is unavailable. */
  priority: number | undefined
  /** Whether it asked for the roster and so gets pushes (RFC 6121 §2.2). */
  interested = false
  /** How many stanzas of the client were dealt with, and how many were sent to it. */
  received = 0
  sent = 0
  /** Called after each stanza that was sent to the client. */
  onSent: ((stanza: Stanza) => void) | undefined
  /** Called after each stanza of the client that was dealt with. */
  onHandled: (() => void) | undefined
  /** Called when the connection is lost: whether the session waits for its client to come back (XEP-0198 §5). */
  onLost: (() => boolean) | undefined
  /** Settles when the stanza that is being dealt with is; undefined if there never was one that took time. */
  handling: Promise<void> | undefined
  /** Who got directed presence (RFC 6121 §4.6): full or bare JIDs by their text. */
  readonly directed = new Map<string, Jid>()
  /** What features note about the client and what must survive a restart with the session: small JSON values. Set with `note`. */
  readonly notes = new Map<string, unknown>()
  /** How often a note was changed. */
  noted = 0
  /** Called when a note was changed. */
  onNoted: (() => void) | undefined
  /** While true, what is sent is only counted: whoever set it writes it later, in order (XEP-0198 §5). */
  held = false
  /** What the client gets when it has been told that it is bound; while there is one, `held` is true too. */
  #early: Writable[] | undefined
  #link: Link | undefined
  /** What ends the session while it has no link. */
  #end: (() => void) | undefined

  /** @param link undefined for a session that waits for its client from the start: `detach` it at once */
  constructor(
    id: string,
    jid: Jid,
    resource: string,
    account: LocalAccount,
    login: LoginFacts,
    link: Link | undefined,
  ) {
    this.id = id
    this.jid = jid
    this.resource = resource
    this.account = account
    this.login = login
    this.#link = link
  }

  /** Whether there is a connection to write to; without one what is sent waits until the client resumes (XEP-0198 §5). */
  get attached(): boolean {
    return this.#link !== undefined
  }

  /** Whether it is this connection that the session writes to. */
  isOn(link: Link): boolean {
    return this.#link === link
  }

  /**
   * Takes the connection away; the session goes on without one.
   * @param end called, once, if it is to end before it gets another one
   * @returns the connection it had
   */
  detach(end: () => void): Link | undefined {
    const link = this.#link
    this.#link = undefined
    this.held = false
    this.#early = undefined
    this.#end = end
    return link
  }

  /** Gives it another connection. */
  attach(link: Link): void {
    this.#link = link
    this.#end = undefined
  }

  /** Notes that a stanza of the client was dealt with. */
  handled(): void {
    this.received++
    this.onHandled?.()
  }

  /** Sets a note, or removes it. */
  note(key: string, value: unknown): void {
    if (value === undefined) this.notes.delete(key)
    else this.notes.set(key, value)
    this.noted++
    this.onNoted?.()
  }

  /** Queues a stanza for the client; never waits. */
  send(stanza: Stanza): void {
    this.sent++
    if (!this.held) this.#link?.send(stanza)
    else if (this.#early) this.#keepEarly(stanza, this.#early)
    this.onSent?.(stanza)
  }

  /** Queues something that does not count: no stanza, or one that was sent before. */
  sendNonza(item: Writable): void {
    if (this.#early) this.#keepEarly(item, this.#early)
    else this.#link?.send(item)
  }

  /** Until `release` nothing is written: the client does not know yet that it is bound. */
  hold(): void {
    this.held = true
    this.#early = []
  }

  /** Writes what was kept since `hold`. */
  release(): void {
    const early = this.#early
    if (!early) return
    this.#early = undefined
    this.held = false
    for (const item of early) this.#link?.send(item)
  }

  /** A moment in which much comes is one in which something is wrong. */
  #keepEarly(item: Writable, early: Writable[]): void {
    if (early.push(item) > EARLY_MAX) this.close(new StreamError('resource-constraint'))
  }

  /** Ends the client's stream, and with it the session; one without a stream just ends. */
  close(error?: StreamError): void {
    if (this.#link) {
      this.#link.close(error)
      return
    }
    const end = this.#end
    this.#end = undefined
    end?.()
  }
}
