// SPDX-License-Identifier: Apache-2.0
// Personal eventing and what is built on it: each node is published and read back, also by somebody else.
import { createHash, randomUUID } from 'node:crypto'
import { type Element, el } from '../../../xml/element.ts'
import { type Client, NS_CLIENT } from '../client.ts'
import { hasFeature, isOfKind, type Lab } from '../lab.ts'
import { becomesAvailable } from '../login.ts'
import { needs, Refused, wants } from '../missing.ts'
import { capsHash } from './streams.ts'

const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
const NS_OWNER = 'http://jabber.org/protocol/pubsub#owner'
const NS_EVENT = 'http://jabber.org/protocol/pubsub#event'
const NS_OPTIONS = 'http://jabber.org/protocol/pubsub#publish-options'
const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_DATA = 'jabber:x:data'
const NS_OMEMO = 'eu.siacs.conversations.axolotl'
const NS_AVATAR = 'urn:xmpp:avatar'
const NS_BOOKMARKS = 'urn:xmpp:bookmarks:1'
const NS_OLD_BOOKMARKS = 'storage:bookmarks'
const NS_PRIVATE = 'jabber:iq:private'
/** A picture of one transparent dot. */
const DOT = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='

/** One item for one node. */
interface Publication {
  readonly node: string
  readonly id: string
  readonly payload: Element
  readonly options?: Readonly<Record<string, string>>
}

async function publishes(client: Client, { node, id, payload, options }: Publication): Promise<void> {
  const item = el('publish', NS_PUBSUB, { node }, el('item', NS_PUBSUB, { id }, payload))
  const form = options && el('publish-options', NS_PUBSUB, null, optionsForm(options))
  await client.asks('set', `publishing to ${node}`, el('pubsub', NS_PUBSUB, null, item, form))
}

function optionsForm(options: Readonly<Record<string, string>>): Element {
  const field = (name: string, value: string, type?: string) =>
    el('field', NS_DATA, { var: name, type }, el('value', NS_DATA, null, value))
  const fields = Object.entries(options).map(([name, value]) => field(`pubsub#${name}`, value))
  return el('x', NS_DATA, { type: 'submit' }, field('FORM_TYPE', NS_OPTIONS, 'hidden'), ...fields)
}

async function reads(client: Client, node: string, owner: string): Promise<readonly Element[]> {
  const items = el('items', NS_PUBSUB, { node })
  const answer = await client.asks('get', `reading ${node}`, el('pubsub', NS_PUBSUB, null, items), owner)
  return answer.child('pubsub', NS_PUBSUB)?.child('items')?.childrenNamed('item') ?? []
}

/** Clears up; a node that is not there is as good. */
async function removes(client: Client, node: string): Promise<void> {
  const request = el('pubsub', NS_OWNER, null, el('delete', NS_OWNER, { node }))
  await client.asks('set', `deleting ${node}`, request).catch((error: unknown) => {
    if (!(error instanceof Refused)) throw error
  })
}

async function hasPep(lab: Lab): Promise<Element> {
  const info = await lab.info(await lab.bare())
  needs(isOfKind(info, 'pubsub', 'pep'), 'the account does not say that it has personal eventing')
  return info
}

/** XEP-0163: who is interested (by XEP-0115) is told at once, without subscribing. */
export async function eventing(lab: Lab): Promise<string> {
  await hasPep(lab)
  const client = await lab.main()
  const node = `urn:example:compliance:${randomUUID()}`
  const watcher = await watcherOf(lab, node)
  const payload = el('note', 'urn:example:compliance', null, randomUUID())
  await publishes(client, { node, id: 'current', payload })
  const told = (one: Element): boolean => {
    const items = one.child('event', NS_EVENT)?.child('items')
    return items?.attrs.node === node && items.child('item')?.childText('note', payload.ns) === payload.text
  }
  await watcher.hears('a notification for who is interested', told)
  const [item] = await reads(client, node, client.bare)
  watcher.leaves()
  await removes(client, node)
  needs(item?.childText('note', payload.ns) === payload.text, 'what was published is not read back')
  return 'published, notified, read back'
}

/** A session of the first account that is interested in a node, and has been asked about it. */
async function watcherOf(lab: Lab, node: string): Promise<Client> {
  const client = await lab.session()
  const feature = (name: string) => el('feature', NS_INFO, { var: name })
  const identity = el('identity', NS_INFO, { category: 'client', type: 'console', name: 'aenigma compliance' })
  const info = el('query', NS_INFO, null, identity, feature(NS_INFO), feature(`${node}+notify`))
  client.info = info
  const ver = capsHash(info)
  const caps = { hash: 'sha-1', node: 'urn:example:compliance', ver }
  becomesAvailable(client, el('c', 'http://jabber.org/protocol/caps', caps))
  await client.hears(
    'a question for what a client is interested in',
    (one) => one.is('iq', NS_CLIENT) && one.child('query', NS_INFO)?.attrs.node?.endsWith(ver) === true,
  )
  await client.settles()
  return client
}

/** XEP-0384: keys that everybody may read, also who shares no presence. */
export async function omemo(lab: Lab): Promise<string> {
  const info = await hasPep(lab)
  needs(hasFeature(info, NS_OPTIONS), 'the account does not name publish-options')
  const [client, other] = [await lab.main(), await lab.other()]
  const device = '1234567'
  const list = el('list', NS_OMEMO, null, el('device', NS_OMEMO, { id: device }))
  const bundle = el('bundle', NS_OMEMO, null, el('identityKey', NS_OMEMO, null, 'AAAA'))
  const nodes: readonly (readonly [string, Element])[] = [
    [`${NS_OMEMO}.devicelist`, list],
    [`${NS_OMEMO}.bundles:${device}`, bundle],
  ]
  const [mayReplace] = await reads(client, `${NS_OMEMO}.devicelist`, client.bare).catch(() => [])
  for (const [node, payload] of mayReplace ? nodes.slice(1) : nodes) {
    await publishes(client, { node, id: 'current', payload, options: { persist_items: 'true', access_model: 'open' } })
    const [item] = await reads(other, node, client.bare)
    await removes(client, node)
    needs(item?.child(payload.name, payload.ns), `another account could not read ${node}`)
  }
  return 'device list and bundle were published with an open access model and read by another'
}

/** XEP-0223: only the owner reads it. */
export async function privateItems(lab: Lab): Promise<string> {
  const [client, other] = [await lab.main(), await lab.other()]
  const node = `urn:example:compliance:${randomUUID()}`
  const payload = el('secret', 'urn:example:compliance', null, randomUUID())
  await publishes(client, {
    node,
    id: 'current',
    payload,
    options: { persist_items: 'true', access_model: 'whitelist' },
  })
  const [own] = await reads(client, node, client.bare)
  const alone = other.bare === client.bare
  const foreign = alone ? [] : await reads(other, node, client.bare).catch(() => [])
  await removes(client, node)
  needs(own?.childText('secret', payload.ns) === payload.text, 'what was published is not read back')
  needs(foreign.length === 0, 'another account could read what is private')
  return alone ? 'published and read back' : 'published and read back; another account could not'
}

/** XEP-0398: an avatar that was published is in the vCard, and its hash in presence (XEP-0153). */
export async function avatars(lab: Lab): Promise<string> {
  const info = await lab.info(await lab.bare())
  needs(hasFeature(info, 'urn:xmpp:pep-vcard-conversion:0'), 'the account does not name it')
  const [client, twin] = [await lab.main(), await lab.twin()]
  wants(lab.target.second, 'not tried: it would replace the picture of this account')
  const bytes = Buffer.from(DOT, 'base64')
  const id = createHash('sha1').update(bytes).digest('hex')
  const data = el('data', `${NS_AVATAR}:data`, null, DOT)
  await publishes(client, { node: data.ns, id, payload: data })
  const described = el('info', `${NS_AVATAR}:metadata`, { id, bytes: String(bytes.length), type: 'image/png' })
  const metadata = el('metadata', described.ns, null, described)
  await publishes(client, { node: metadata.ns, id, payload: metadata })
  const card = await client.asks('get', 'reading the vCard', el('vCard', 'vcard-temp'))
  const picture = card.child('vCard', 'vcard-temp')?.child('PHOTO')?.childText('BINVAL')?.replace(/\s/g, '')
  needs(picture === DOT, 'the avatar is not in the vCard')
  client.sends(el('presence', NS_CLIENT))
  const hashed = (one: Element) => one.child('x', 'vcard-temp:x:update')?.childText('photo') === id
  await twin.hears('the hash of the avatar in presence', (one) => one.is('presence', NS_CLIENT) && hashed(one))
  return 'a published avatar was in the vCard, and its hash in presence'
}

/** XEP-0411 and the compatibility of XEP-0402: bookmarks of both kinds are the same. */
export function bookmarks(...features: readonly string[]): (lab: Lab) => Promise<string> {
  return async (lab) => {
    const info = await lab.info(await lab.bare())
    needs(hasFeature(info, ...features), 'the account does not name it')
    return lab.once('bookmarks', () => convertsBookmarks(lab))
  }
}

async function convertsBookmarks(lab: Lab): Promise<string> {
  const client = await lab.main()
  const room = `compliance-${randomUUID()}@rooms.${lab.domain}`
  const conference = el('conference', NS_BOOKMARKS, { name: 'Compliance', autojoin: 'false' })
  const options = {
    persist_items: 'true',
    max_items: 'max',
    send_last_published_item: 'never',
    access_model: 'whitelist',
  }
  await publishes(client, { node: NS_BOOKMARKS, id: room, payload: conference, options })
  const ask = el('query', NS_PRIVATE, null, el('storage', NS_OLD_BOOKMARKS))
  const answer = await client.asks('get', 'reading the bookmarks of old', ask)
  const old = answer.child('query', NS_PRIVATE)?.child('storage', NS_OLD_BOOKMARKS)?.childrenNamed('conference') ?? []
  const retract = el('retract', NS_PUBSUB, { node: NS_BOOKMARKS }, el('item', NS_PUBSUB, { id: room }))
  await client.asks('set', 'removing a bookmark', el('pubsub', NS_PUBSUB, null, retract))
  needs(
    old.some((one) => one.attrs.jid === room),
    'a bookmark (XEP-0402) is not among the private XML (XEP-0048)',
  )
  return 'a bookmark of the new kind was read as one of the old kind'
}

/** XEP-0402: bookmarks are kept. */
export const NEW_BOOKMARKS = [`${NS_BOOKMARKS}#compat`, `${NS_BOOKMARKS}#compat-pep`]
