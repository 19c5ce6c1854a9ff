// SPDX-License-Identifier: Apache-2.0
// Rooms: one is made, spoken in, looked at and destroyed.
import { randomUUID } from 'node:crypto'
import { type Element, el } from '../../../xml/element.ts'
import { type Client, conditionOf, NS_CLIENT } from '../client.ts'
import { hasFeature, type Lab } from '../lab.ts'
import { becomesAvailable } from '../login.ts'
import { Missing, needs } from '../missing.ts'
import { findsIn, says } from './chat.ts'

const NS_MUC = 'http://jabber.org/protocol/muc'
const NS_USER = 'http://jabber.org/protocol/muc#user'
const NS_OWNER = 'http://jabber.org/protocol/muc#owner'
const NS_DATA = 'jabber:x:data'
const NS_CONFERENCE = 'jabber:x:conference'
const ARCHIVES = ['urn:xmpp:mam:2', 'urn:xmpp:mam:1', 'urn:xmpp:mam:0']
/** How servers name the option of an archive in a room's form. */
const ARCHIVE_FIELDS = ['mam', 'muc#roomconfig_mam', 'muc#roomconfig_enablearchiving']
const NICK = 'compliance'

/** A room that we own and are in. */
interface Room {
  readonly jid: string
  readonly info: Element
  readonly form: Element | undefined
}

/** The run's room, made when it is first needed. */
function roomOf(lab: Lab): Promise<Room> {
  return lab.once('room', async () => {
    const [service] = await lab.services('conference', 'text')
    if (service === undefined) throw new Missing('there is no room service')
    const client = await lab.main()
    const jid = `compliance-${randomUUID()}@${service}`
    await joins(client, jid)
    const form = await client.asks('get', 'the form of a room', el('query', NS_OWNER), jid).catch(() => undefined)
    await client.asks('set', 'making a room', el('query', NS_OWNER, null, el('x', NS_DATA, { type: 'submit' })), jid)
    return { jid, form: form?.child('query', NS_OWNER)?.child('x', NS_DATA), info: await lab.infoNow(jid) }
  })
}

async function joins(client: Client, jid: string): Promise<void> {
  client.sends(el('presence', NS_CLIENT, { to: `${jid}/${NICK}` }, el('x', NS_MUC)))
  const from = (one: Element) => one.is('presence', NS_CLIENT) && one.attrs.from?.startsWith(jid) === true
  const isSelf = (one: Element) =>
    one
      .child('x', NS_USER)
      ?.childrenNamed('status')
      .some(({ attrs }) => attrs.code === '110')
  const answer = await client.hears(
    'our own presence in a room',
    (one) => from(one) && (one.attrs.type === 'error' || isSelf(one) === true),
  )
  if (answer.attrs.type === 'error') throw new Missing(`entering a room: the server answered ${conditionOf(answer)}`)
}

/** XEP-0045: a room is made and what is said in it comes back. */
export async function rooms(lab: Lab): Promise<string> {
  const { jid } = await roomOf(lab)
  await speaks(await lab.main(), jid)
  return 'a room was made, and what was said in it came back'
}

async function speaks(client: Client, room: string): Promise<string> {
  const text = `compliance ${randomUUID()}`
  const body = el('body', NS_CLIENT, null, text)
  client.sends(el('message', NS_CLIENT, { type: 'groupchat', to: room, id: randomUUID() }, body))
  await client.hears('what was said in a room', says(text))
  return text
}

/** XEP-0249: an invitation arrives. */
export async function invitations(lab: Lab): Promise<string> {
  const { jid } = await roomOf(lab)
  const other = await lab.session(lab.second)
  becomesAvailable(other)
  await other.settles()
  const client = await lab.main()
  client.sends(el('message', NS_CLIENT, { to: other.jid }, el('x', NS_CONFERENCE, { jid })))
  await other.hears('an invitation', (one) => one.child('x', NS_CONFERENCE)?.attrs.jid === jid)
  other.leaves()
  return 'an invitation arrived'
}

/** XEP-0313 in a room: what was said is found again; as an option of the room it counts too. */
export async function roomArchive(lab: Lab): Promise<string> {
  const { jid, info, form } = await roomOf(lab)
  const ns = ARCHIVES.find((one) => hasFeature(info, one))
  if (ns === undefined) {
    const option = form?.childrenNamed('field').find(({ attrs }) => ARCHIVE_FIELDS.includes(attrs.var ?? ''))
    needs(option, 'a new room has no archive, nor an option for one')
    return `an option of the room (${option.attrs.var})`
  }
  const client = await lab.main()
  await findsIn(client, ns, await speaks(client, jid), jid)
  return `what was said in a room was found again (${ns})`
}

/** vCards of rooms: their pictures. */
export async function roomVcard(lab: Lab): Promise<string> {
  const { info } = await roomOf(lab)
  needs(hasFeature(info, 'vcard-temp'), 'a new room does not name vcard-temp')
  return 'a room names vcard-temp'
}

/** XEP-0410: the room answers for itself whether we are in it. */
export async function selfPing(lab: Lab): Promise<string> {
  const { jid } = await roomOf(lab)
  const client = await lab.main()
  await client.asks('get', 'a ping to ourselves in a room', el('ping', 'urn:xmpp:ping'), `${jid}/${NICK}`)
  return 'a ping to ourselves in a room came back'
}

/** Destroys the run's room, if there is one. */
export async function leaveRoom(lab: Lab): Promise<void> {
  if (!lab.has('room')) return
  const { jid } = await roomOf(lab)
  const client = await lab.main()
  await client.asks('set', 'destroying a room', el('query', NS_OWNER, null, el('destroy', NS_OWNER)), jid)
}
