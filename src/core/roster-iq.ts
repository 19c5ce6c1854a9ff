// SPDX-License-Identifier: Apache-2.0
// What clients ask of their roster (RFC 6121 §2): get it, put an item, remove one.
import type { RosterItem } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { LocalAccount } from './directory.ts'
import { type Hooks, type IqRequest, PASS, type Verdict } from './feature.ts'
import { itemElement, NS_ROSTER, newItem } from './roster.ts'
import type { RosterLimits, Subscriptions } from './subscriptions.ts'

/** Bytes of a name or of a group's name (RFC 6121 §2.1.2.4, §2.1.2.6 leave the limit to us). */
const NAME_MAX = 1023
const GROUPS_MAX = 50

const FOREIGN_PUSH: Verdict = {
  stop: 'a push that is not ours',
  error: new StanzaError('cancel', 'service-unavailable'),
}

/** The roster's part in the iq table. */
export function rosterHooks(subscriptions: Subscriptions, limits: RosterLimits): Hooks {
  const set = (request: IqRequest): Promise<undefined> => setItem(request, subscriptions, limits.rosterItems)
  return {
    iq: [
      { at: ['account'], type: 'get', ns: NS_ROSTER, name: 'query', answer: getRoster },
      { at: ['account'], type: 'set', ns: NS_ROSTER, name: 'query', answer: set },
    ],
    only: { onReceive: ['iq'] },
    onReceive: (stanza, owner) => (isForeignPush(stanza, owner) ? FOREIGN_PUSH : PASS),
    disco: { server: { features: [NS_ROSTER] } },
  }
}

/**
 * RFC 6121 §2.1.6: a push from anybody but the account's own server is to be ignored. Not every client does so, and ours do
 * not come this way, so others' are not even delivered; those of block lists neither.
 */
function isForeignPush({ kind, type, payload, from, to }: Stanza, { jid }: LocalAccount): boolean {
  if (kind !== 'iq' || type !== 'set' || to?.resource === undefined || from?.bare.equals(jid)) return false
  return payload?.ns === NS_ROSTER || payload?.ns === 'urn:xmpp:blocking'
}

/** RFC 6121 §2.2 and §2.6: all of it, or nothing if the client's copy is the current one. */
function getRoster({ payload, session, account }: IqRequest): Element | undefined {
  if (!session || !account) return undefined
  session.interested = true
  const { roster } = account
  if (payload.attrs.ver === roster.version) return undefined
  const items: Element[] = []
  for (const item of roster.items) if (item.listed) items.push(itemElement(item))
  return el('query', NS_ROSTER, { ver: roster.version }, ...items)
}

async function setItem(
  { payload, account }: IqRequest,
  subscriptions: Subscriptions,
  most: number,
): Promise<undefined> {
  const items = payload.childrenNamed('item')
  const [item] = items
  if (!account || !item || items.length !== 1)
    throw new StanzaError('modify', 'bad-request', 'Exactly one item, please.')
  const contact = Jid.parse(item.attrs.jid)
  if (item.attrs.subscription === 'remove') return removeItem(account, contact, subscriptions)
  if (contact.equals(account.jid)) throw new StanzaError('cancel', 'not-allowed', 'You cannot be your own contact.')
  const { name, groups } = namesOf(item)
  const change = await account.roster.change(contact, (before) => {
    if (!before && account.roster.size >= most)
      throw new StanzaError('wait', 'resource-constraint', 'The roster is full.')
    return { ...(before ?? newItem(contact)), name, groups, listed: true }
  })
  if (change) subscriptions.push(account, change)
  return undefined
}

/** RFC 6121 §2.5. */
async function removeItem(account: LocalAccount, contact: Jid, subscriptions: Subscriptions): Promise<undefined> {
  if (!account.roster.item(contact)?.listed) throw new StanzaError('cancel', 'item-not-found')
  await subscriptions.end(account, contact)
  const change = await account.roster.change(contact, () => undefined)
  if (change) subscriptions.push(account, change)
  return undefined
}

/** RFC 6121 §2.3.3: what a name and the groups may be. */
function namesOf(item: Element): Pick<RosterItem, 'name' | 'groups'> {
  const name = item.attrs.name || undefined
  const groups = item.childrenNamed('group').map((group) => group.text)
  if (new Set(groups).size !== groups.length) throw new StanzaError('modify', 'bad-request', 'A group stands twice.')
  if (groups.includes('')) throw new StanzaError('modify', 'not-acceptable', 'A group needs a name.')
  const tooLong = [name ?? '', ...groups].some((text) => Buffer.byteLength(text) > NAME_MAX)
  if (tooLong || groups.length > GROUPS_MAX)
    throw new StanzaError('modify', 'not-acceptable', 'A name is too long, or there are too many groups.')
  return { name, groups }
}
