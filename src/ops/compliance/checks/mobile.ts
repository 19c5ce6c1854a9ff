// SPDX-License-Identifier: Apache-2.0
// What telephones need: a stream that survives a broken connection, quiet while the screen is dark, and push.
import { setTimeout as wait } from 'node:timers/promises'
import { type Element, el } from '../../../xml/element.ts'
import { type Client, NS_CLIENT } from '../client.ts'
import { hasFeature, type Lab } from '../lab.ts'
import { authenticate, bind } from '../login.ts'
import { Missing, needs } from '../missing.ts'
import { chat, says } from './chat.ts'

const NS_SM = 'urn:xmpp:sm:3'
const NS_CSI = 'urn:xmpp:csi:0'
const NS_PUSH = 'urn:xmpp:push:0'
/** How long a server may take with what it does not answer, in ms: `<inactive/>`, and presence that comes all the same. */
const GLIMPSE = 300

/** XEP-0198: acknowledgements, and a stream that goes on after its connection was cut. */
export async function streamManagement(lab: Lab): Promise<string> {
  const first = await managed(lab)
  first.client.sends(el('presence', NS_CLIENT))
  await first.client.settles()
  first.client.sends(el('r', NS_SM))
  const { h } = (await first.client.hears('an acknowledgement', (one) => one.is('a', NS_SM))).attrs
  needs(h === '2', `the server acknowledged ${h} stanzas instead of 2`)
  needs(first.id, 'acknowledgements work, but the server does not resume streams')
  first.client.pipe.cut()
  const { message, text } = chat(first.client.jid)
  const other = await lab.other()
  other.sends(message)
  await other.settles()
  const second = await lab.door()
  await authenticate(second, lab.target.first)
  second.sends(el('resume', NS_SM, { previd: first.id, h: String(first.client.handled) }))
  const answer = await second.hears('an answer to <resume/>', (one) => one.ns === NS_SM && one.name !== 'r')
  if (answer.name !== 'resumed') throw new Missing(`resuming: the server answered ${failureOf(answer)}`)
  await second.hears('a message that was sent while the connection was cut', says(text))
  second.leaves()
  return 'acknowledged; resumed after a cut, with the message sent meanwhile'
}

/** XEP-0198's first half: the acknowledgements alone. */
async function managed(lab: Lab): Promise<{ readonly client: Client; readonly id: string | undefined }> {
  const client = await lab.door()
  await authenticate(client, lab.target.first)
  needs(client.features.child('sm', NS_SM), 'the stream features have no stream management')
  await bind(client, 'compliance-managed')
  client.sends(el('enable', NS_SM, { resume: 'true' }))
  const answer = await client.hears('an answer to <enable/>', (one) => one.ns === NS_SM)
  if (answer.name !== 'enabled') throw new Missing(`enabling: the server answered ${failureOf(answer)}`)
  client.countsAnew()
  const { id, resume } = answer.attrs
  return { client, id: resume === 'true' || resume === '1' ? id : undefined }
}

function failureOf(answer: Element): string {
  return answer.elements[0]?.name ?? answer.name
}

/** XEP-0352: presence waits while nobody looks, and comes then. */
export async function clientState(lab: Lab): Promise<string> {
  const [client, twin] = [await lab.main(), await lab.twin()]
  needs(client.features.child('csi', NS_CSI), 'the stream features have no client state')
  await client.settles()
  client.sends(el('inactive', NS_CSI))
  await wait(GLIMPSE) // no ping: some servers let everything through for a while after a client said something
  const status = `compliance ${Math.random()}`
  twin.sends(
    el('presence', NS_CLIENT, null, el('show', NS_CLIENT, null, 'away'), el('status', NS_CLIENT, null, status)),
  )
  await twin.settles()
  await wait(GLIMPSE)
  const came = (one: Element) => one.is('presence', NS_CLIENT) && one.childText('status') === status
  const early = client.hasHeard(came)
  client.sends(el('active', NS_CSI))
  await client.hears('presence after <active/>', came)
  needs(!early, 'accepted, but presence is not held back')
  return 'presence was held back while inactive, and came then'
}

/** XEP-0357: notifications are switched on and off again. */
export async function push(lab: Lab): Promise<string> {
  const client = await lab.main()
  needs(hasFeature(await lab.info(client.bare), NS_PUSH), 'the account does not name it')
  const where = { jid: 'push.example.org', node: 'compliance' }
  await client.asks('set', 'switching push on', el('enable', NS_PUSH, where))
  await client.asks('set', 'switching push off', el('disable', NS_PUSH, where))
  return 'switched on and off (no push service was asked)'
}
