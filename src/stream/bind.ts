// SPDX-License-Identifier: Apache-2.0
// Resource binding (RFC 6120 §7): the moment at which a stream becomes a client of an account.
import { randomBytes } from 'node:crypto'
import type { LocalAccount } from '../core/directory.ts'
import { type LoginFacts, Session } from '../core/session.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import type { ClientParts } from './client-parts.ts'
import type { Link } from './link.ts'
import { NS_BIND } from './offer.ts'

/** What the client asks for. */
export interface BindRequest {
  /** Undefined: one that we make (RFC 6120 §7.6). */
  readonly resource: string | undefined
}

/** Who binds. */
export interface Binding {
  /** The account's bare JID. */
  readonly jid: Jid
  readonly request: BindRequest
  readonly login: LoginFacts
  readonly link: Link
}

/** Reads a `<bind/>` request; undefined for anything else. */
export function bindRequest(element: Element): BindRequest | undefined {
  if (element.name !== 'iq' || element.attrs.type !== 'set') return undefined
  const bind = element.child('bind', NS_BIND)
  return bind && { resource: bind.childText('resource') || undefined }
}

/**
 * Makes the session, unless the account does not exist any more.
 * @throws StanzaError as `enterAccount`
 */
export async function enterSession(binding: Binding, parts: ClientParts): Promise<Session | undefined> {
  const account = await parts.directory.find(binding.jid)
  return account && enterAccount(account, binding, parts)
}

/**
 * Makes the session, at once. A resource in use goes to the newcomer, who is mostly the same client after a broken
 * connection; the older stream ends with `conflict` (RFC 6120 §7.7.2.2).
 * @throws StanzaError `bad-request` for a bad resource (RFC 6120 §7.7.2.1), `resource-constraint` for too many clients
 */
export function enterAccount(account: LocalAccount, binding: Binding, parts: ClientParts): Session {
  const { jid, request, login, link } = binding
  const full = Jid.tryParse(`${jid}/${request.resource ?? randomBytes(9).toString('base64url')}`)
  const resource = full?.resource
  if (!full || resource === undefined) throw new StanzaError('modify', 'bad-request', 'This cannot be a resource.')
  account.sessions.get(resource)?.close(new StreamError('conflict', 'Replaced by a newer stream.'))
  if (account.sessions.size >= parts.limits.sessionsPerAccount) endOldestDetached(account)
  if (account.sessions.size >= parts.limits.sessionsPerAccount) {
    throw new StanzaError('wait', 'resource-constraint', 'Too many clients of this account are connected.')
  }
  const session = new Session(link.id, full, resource, account, login, link)
  parts.directory.enter(session)
  parts.metrics.logins++
  return session
}

/** Who is there goes before who may come back. */
function endOldestDetached(account: LocalAccount): void {
  for (const session of account.sessions.values()) {
    if (session.attached) continue
    session.close()
    return
  }
}
