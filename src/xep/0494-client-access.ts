// SPDX-License-Identifier: Apache-2.0
// XEP-0494: Client Access Management. An account's owner sees which clients have access to it.
import type { Feature, FeatureContext, IqRequest } from '../core/feature.ts'
import type { Session } from '../core/session.ts'
import type { KnownClient } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'

const NS = 'urn:xmpp:cam:0'

/** XEP-0494: Client Access Management. Others than the owner get `service-unavailable` from the router. */
export const clientAccess: Feature = {
  name: 'client-access',
  implements: [{ xep: 494, version: '0.1.0', name: 'Client Access Management' }],
  setup: (ctx) => ({
    iq: [
      { at: ['account'], type: 'get', ns: NS, name: 'list', answer: (request) => list(request, ctx) },
      { at: ['account'], type: 'set', ns: NS, name: 'revoke', answer: (request) => revoke(request, ctx) },
    ],
  }),
}

/** A client as it is told: connected, or with a token to come again, or both. */
interface Access {
  readonly session: Session | undefined
  readonly known: KnownClient | undefined
}

async function list(request: IqRequest, ctx: FeatureContext): Promise<Element> {
  const now = ctx.clock.now()
  const all = await accesses(request, ctx)
  return el('clients', NS, null, ...[...all].map(([id, access]) => clientElement(id, access, now)))
}

/** §3.2: all our clients have shown the password once, so only a new one keeps them out (and takes all tokens away). */
async function revoke(request: IqRequest, ctx: FeatureContext): Promise<undefined> {
  const known = (await accesses(request, ctx)).has(request.payload.attrs.id ?? '')
  if (!known) throw new StanzaError('cancel', 'item-not-found', 'There is no such client.')
  const detail = el('password-reset-required', NS)
  throw new StanzaError('cancel', 'service-unavailable', 'It knows the password: choose another one.', detail)
}

/** By id: the one that the store has for a client, or its session's if it did not tell who it is. */
async function accesses({ owner, account }: IqRequest, { accounts }: FeatureContext): Promise<Map<string, Access>> {
  const known = await accounts.clients(owner)
  const all = new Map<string, Access>(known.map((client) => [client.id, { session: undefined, known: client }]))
  for (const session of account?.sessions.values() ?? []) {
    const id = session.login.client?.id ?? session.id
    all.set(id, { session, known: all.get(id)?.known })
  }
  return all
}

function clientElement(id: string, { session, known }: Access, now: number): Element {
  const text = (name: string, value: string | undefined) => value !== undefined && el(name, NS, null, value)
  const time = (name: string, ms: number) => el(name, NS, null, new Date(ms).toISOString())
  const { software, device } = session?.login.client ?? known ?? { software: undefined, device: undefined }
  return el(
    'client',
    NS,
    { id, type: 'session', connected: String(session !== undefined) },
    time('first-seen', known?.created ?? session?.login.since ?? now),
    time('last-seen', session ? now : (known?.lastUsed ?? now)),
    el('auth', NS, null, el('password', NS), known && el('fast', NS)),
    el('permission', NS, { status: 'unrestricted' }),
    el('user-agent', NS, null, text('software', software), text('device', device)),
  )
}
