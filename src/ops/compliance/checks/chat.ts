// SPDX-License-Identifier: Apache-2.0
// Roster, messages, and what an account keeps: each is used, not only looked for.
import { randomUUID } from 'node:crypto'
import { type Element, el } from '../../../xml/element.ts'
import { type Client, NS_CLIENT } from '../client.ts'
import { hasFeature, type Lab } from '../lab.ts'
import { becomesAvailable } from '../login.ts'
import { needs, wants } from '../missing.ts'

const NS_ROSTER = 'jabber:iq:roster'
const NS_BLOCKING = 'urn:xmpp:blocking'
const NS_CARBONS = 'urn:xmpp:carbons:2'
const NS_FORWARD = 'urn:xmpp:forward:0'
const NS_PRIVATE = 'jabber:iq:private'
const NS_VCARD = 'vcard-temp'
const ARCHIVES = ['urn:xmpp:mam:2', 'urn:xmpp:mam:1', 'urn:xmpp:mam:0']

/** A chat message with a text that nothing else has. */
export function chat(to: string): { readonly message: Element; readonly text: string } {
  const text = `compliance ${randomUUID()}`
  const body = el('body', NS_CLIENT, null, text)
  return { message: el('message', NS_CLIENT, { type: 'chat', to, id: randomUUID() }, body), text }
}

/** Whether a message says this. */
export function says(text: string): (element: Element) => boolean {
  return (element) => element.is('message', NS_CLIENT) && element.childText('body') === text
}

/** RFC 6121: a contact is added, pushed, read back and removed; a message arrives. */
export async function instantMessaging(lab: Lab): Promise<string> {
  const client = await lab.main()
  const jid = `somebody@${lab.domain}`
  const ask = (what: string, item: Element) => client.asks('set', what, el('query', NS_ROSTER, null, item))
  const pushed = (one: Element) => one.is('iq', NS_CLIENT) && one.attrs.type === 'set' && hasItem(one, jid)
  await client.asks('get', 'the roster', el('query', NS_ROSTER))
  await ask('adding a contact', el('item', NS_ROSTER, { jid, name: 'Somebody' }))
  await client.hears('roster: a push', pushed)
  needs(
    hasItem(await client.asks('get', 'the roster', el('query', NS_ROSTER)), jid),
    'a contact that was added is not there',
  )
  await ask('removing a contact', el('item', NS_ROSTER, { jid, subscription: 'remove' }))
  const other = await lab.other()
  const { message, text } = chat(client.jid)
  other.sends(message)
  await client.hears('a message for a client that is there', says(text))
  return 'a contact was added, pushed and removed; a message arrived'
}

function hasItem(iq: Element, jid: string): boolean {
  return (
    iq
      .child('query', NS_ROSTER)
      ?.childrenNamed('item')
      .some((item) => item.attrs.jid === jid) ?? false
  )
}

/** XEP-0191: somebody is blocked, does not get through, and is unblocked. */
export async function blocking(lab: Lab): Promise<string> {
  needs(hasFeature(await lab.info(lab.domain), NS_BLOCKING), 'the domain does not name it')
  const client = await lab.main()
  const other = await lab.other()
  const alone = other.bare === client.bare
  const jid = alone ? `nobody@${lab.domain}` : other.bare
  const item = el('item', NS_BLOCKING, { jid })
  await client.asks('set', 'blocking', el('block', NS_BLOCKING, null, item))
  const list = await client.asks('get', 'the list of the blocked', el('blocklist', NS_BLOCKING))
  const blocked = list.child('blocklist', NS_BLOCKING)?.childrenNamed('item') ?? []
  needs(
    blocked.some((one) => one.attrs.jid === jid),
    'who was blocked is not on the list',
  )
  const { message, text } = chat(client.bare)
  if (!alone) {
    other.sends(message)
    await other.hears('blocking: an error for who is blocked', (one) => one.attrs.id === message.attrs.id)
  }
  await client.asks('set', 'unblocking', el('unblock', NS_BLOCKING, null, item))
  needs(!client.hasHeard(says(text)), 'a message from somebody who is blocked arrived')
  return alone ? 'blocked, listed, unblocked' : 'blocked, listed, a message refused, unblocked'
}

/** XEP-0280: what one client sends, another one of the same account sees. */
export async function carbons(lab: Lab): Promise<string> {
  needs(hasFeature(await lab.info(lab.domain), NS_CARBONS), 'the domain does not name them')
  const [client, twin, other] = [await lab.main(), await lab.twin(), await lab.other()]
  await twin.asks('set', 'asking for carbons', el('enable', NS_CARBONS))
  const alone = other.bare === client.bare
  const sent = chat(alone ? `nobody@${lab.domain}` : other.bare)
  client.sends(sent.message)
  const copied = (name: 'sent' | 'received', text: string) => (one: Element) =>
    one.is('message', NS_CLIENT) && forwarded(one.child(name, NS_CARBONS), text)
  await twin.hears('a copy of a message that another client sent', copied('sent', sent.text))
  if (alone) return 'a message that one client sent was copied to the other'
  const got = chat(client.jid)
  other.sends(got.message)
  await twin.hears('a copy of a message that another client got', copied('received', got.text))
  return 'messages that one client sent and got were copied to the other'
}

function forwarded(parent: Element | undefined, text: string): boolean {
  const message = parent?.child('forwarded', NS_FORWARD)?.child('message', NS_CLIENT)
  return message?.childText('body') === text
}

/** XEP-0160: a message for somebody who is away waits. */
export async function offline(lab: Lab): Promise<string> {
  needs(hasFeature(await lab.info(lab.domain), 'msgoffline'), 'the domain does not name msgoffline')
  wants(lab.target.second, 'a second account is needed to see it')
  const client = await lab.main()
  const { message, text } = chat((await lab.other()).bare)
  client.sends(message)
  await client.settles()
  const back = await lab.session(lab.second)
  becomesAvailable(back)
  await back.hears('a message that was sent while the account was away', says(text))
  back.leaves()
  return 'a message sent to an account that was away came at its next login'
}

/** XEP-0313: a message is found again. */
export async function archive(lab: Lab): Promise<string> {
  const client = await lab.main()
  const info = await lab.info(client.bare)
  const ns = ARCHIVES.find((one) => hasFeature(info, one))
  needs(ns, 'the account does not name it')
  const { message, text } = chat((await lab.other()).bare)
  client.sends(message)
  await findsIn(client, ns, text)
  return `a message was found again (${ns})`
}

/** Looks for a text among the newest messages of an archive. */
export async function findsIn(client: Client, ns: string, text: string, to?: string): Promise<void> {
  const set = el('set', 'http://jabber.org/protocol/rsm', null)
  const last = el('set', set.ns, null, el('max', set.ns, null, '20'), el('before', set.ns))
  const queryid = randomUUID()
  const found = (one: Element): boolean => {
    const result = one.child('result', ns)
    return result?.attrs.queryid === queryid && forwarded(result, text)
  }
  await client.asks('set', 'asking the archive', el('query', ns, { queryid }, last), to)
  needs(client.hasHeard(found), 'a message that was sent is not in the archive')
}

/** XEP-0054: what is stored is read back. */
export async function vcard(lab: Lab): Promise<string> {
  const client = await lab.main()
  const name = `Compliance ${randomUUID()}`
  const before = await client.asks('get', 'reading the vCard', el('vCard', NS_VCARD)).catch(() => undefined)
  await client.asks('set', 'storing a vCard', el('vCard', NS_VCARD, null, el('FN', NS_VCARD, null, name)))
  const other = await lab.other()
  const read = await other.asks('get', 'reading the vCard', el('vCard', NS_VCARD), client.bare)
  const card = before?.child('vCard', NS_VCARD)
  await client.asks('set', 'storing a vCard', card ?? el('vCard', NS_VCARD))
  needs(read.child('vCard', NS_VCARD)?.childText('FN') === name, 'a vCard that was stored is not read back')
  return 'a vCard was stored and read back by another'
}

/** XEP-0049: what is stored is read back. */
export async function privateXml(lab: Lab): Promise<string> {
  const client = await lab.main()
  const text = randomUUID()
  const note = el('note', 'urn:example:compliance', null, text)
  await client.asks('set', 'storing private XML', el('query', NS_PRIVATE, null, note))
  const ask = el('query', NS_PRIVATE, null, el('note', note.ns))
  const read = await client.asks('get', 'reading private XML', ask)
  const got = read.child('query', NS_PRIVATE)?.childText('note', note.ns)
  await client.asks('set', 'removing private XML', ask)
  needs(got === text, 'private XML that was stored is not read back')
  return 'private XML was stored and read back'
}
