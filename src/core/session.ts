// SPDX-License-Identifier: Apache-2.0
// A bound client. It writes to the link it has at this moment; what a client told us about itself lives here.
import type { Link } from '../stream/link.ts'
import type { Element } from '../xml/element.ts'
import type { StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { LocalAccount } from './directory.ts'

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
  /** How many stanzas came from the client, and how many were sent to it. */
  received = 0
  sent = 0
  /** Called after each stanza that was sent to the client. */
  onSent: ((stanza: Stanza) => void) | undefined
  /** Who got directed presence (RFC 6121 §4.6): full or bare JIDs by their text. */
  readonly directed = new Map<string, Jid>()
  #link: Link

  constructor(id: string, jid: Jid, resource: string, account: LocalAccount, login: LoginFacts, link: Link) {
    this.id = id
    this.jid = jid
    this.resource = resource
    this.account = account
    this.login = login
    this.#link = link
  }

  /** Whether there is a connection to write to; without one what is sent waits until the client resumes (XEP-0198 §5). */
  get attached(): boolean {
    return true
  }

  /** Queues a stanza for the client; never waits. */
  send(stanza: Stanza): void {
    this.sent++
    this.#link.send(stanza)
    this.onSent?.(stanza)
  }

  /** Queues an element that is no stanza and so does not count. */
  sendNonza(element: Element): void {
    this.#link.send(element)
  }

  /** Ends the client's stream. */
  close(error?: StreamError): void {
    this.#link.close(error)
  }
}
