// SPDX-License-Identifier: Apache-2.0
// Who a client says it is (XEP-0388 §2.3), and what follows from it: its name here and its resource.
import { createHmac, randomBytes } from 'node:crypto'
import { clientIdOf } from '../accounts/ht.ts'
import type { ClientAgent } from '../core/session.ts'
import type { Element } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** Characters that are kept of what a client calls itself and its device. */
const MAX_TEXT = 100
/** The same of the tag that it wants to have in its resource. */
const MAX_TAG = 100

/** A `<user-agent/>`. */
export interface UserAgent {
  /** The UUID of the installation: a secret of the client's and ours, not to be shown to anybody (XEP-0386 §3.2.1). */
  readonly id: string | undefined
  readonly software: string | undefined
  readonly device: string | undefined
}

/** Reads the user agent of an `<authenticate/>`; what cannot be one is left out. */
export function userAgentOf(authenticate: Element): UserAgent {
  const agent = authenticate.child('user-agent')
  const id = agent?.attrs.id?.toLowerCase() ?? ''
  return {
    id: UUID.test(id) ? id : undefined,
    software: plain(agent?.childText('software')),
    device: plain(agent?.childText('device')),
  }
}

/** What the client is called here; undefined if it did not say who it is. */
export function clientOf({ id, software, device }: UserAgent, jid: Jid): ClientAgent | undefined {
  return id === undefined ? undefined : { id: clientIdOf(jid.bare.toString(), id), software, device }
}

/**
 * The resource (XEP-0386 §3.2.1): the tag, and a text that is the same for this client each time and tells nobody
 * anything, neither about the client nor about another account of it.
 * @param secret of this server
 */
export function resourceFor(tag: string | undefined, agent: UserAgent, jid: Jid, secret: Buffer): string {
  const own =
    agent.id === undefined
      ? randomBytes(9)
      : createHmac('sha256', secret).update(`resource\0${jid.bare}\0${agent.id}`).digest().subarray(0, 9)
  const unique = own.toString('base64url')
  if (!tag || tag.length > MAX_TAG) return unique
  const tagged = `${tag}/${unique}`
  return Jid.tryParse(`${jid.bare}/${tagged}`) ? tagged : unique
}

/** Text for a table: one line without anything that a terminal might obey. */
function plain(text: string | undefined): string | undefined {
  const line = text?.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim()
  return line ? [...line].slice(0, MAX_TEXT).join('') : undefined
}
