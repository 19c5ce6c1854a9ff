// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, nothingFor } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'
import { event, itemsOf, listens, publish, pubsub, refused } from '../../test/support/pubsub.ts'
import type { Element } from '../xml/element.ts'

const NS = 'urn:xmpp:bookmarks:1'
const LEGACY = 'storage:bookmarks'
const OK = `<iq type='result'/>`
const OPTIONS = {
  persist_items: 'true',
  max_items: 'max',
  send_last_published_item: 'never',
  access_model: 'whitelist',
}
const EXTENSIONS = `<extensions><state xmlns='http://myclient.example/bookmark/state' minimized='true'/></extensions>`

function room(jid: string, attrs: string, content: string): string {
  return `<item id='${jid}'><conference xmlns='${NS}' ${attrs}>${content}</conference></item>`
}

function storage(content: string): string {
  return `<storage xmlns='${LEGACY}'>${content}</storage>`
}

function privately(content: string): string {
  return `<query xmlns='jabber:iq:private'>${content}</query>`
}

async function kept(actor: Actor): Promise<readonly Element[]> {
  const answer = await actor.gets(privately(storage('')))
  return answer.child('query', 'jabber:iq:private')?.child('storage', LEGACY)?.elements ?? []
}

test('bookmarks of one protocol are those of the others', async () => {
  const { juliet, phone, old } = await cast('juliet', { phone: 'juliet' }, { old: 'juliet' })
  await listens(phone, NS)
  await listens(old, LEGACY)
  for (const actor of [juliet, phone, old]) await actor.settles()
  const play = room('theplay@conference.example', `name='The Play' autojoin='true'`, `<nick>JC</nick>${EXTENSIONS}`)
  assertLike(await juliet.sets(publish(NS, play, OPTIONS)), OK)
  await phone.receives(event(NS, play))
  const shown = `<conference jid='theplay@conference.example' name='The Play' autojoin='true'><nick>JC</nick></conference>`
  await old.receives(event(LEGACY, `<item id='current'>${storage(shown)}</item>`))
  assertLike(await old.gets(privately(storage(''))), `<iq>${privately(storage(shown))}</iq>`)
  assertLike(
    await old.gets(itemsOf(LEGACY)),
    `<iq>${itemsOf(LEGACY, `<item id='current'>${storage(shown)}</item>`)}</iq>`,
  )
  const orchard = `<conference jid='orchard@conference.example' autojoin='1'><nick>J</nick><password>pw</password></conference>`
  assertLike(await old.sets(privately(storage(shown + orchard))), OK)
  await phone.receives(
    event(NS, room('orchard@conference.example', `autojoin='1'`, '<nick>J</nick><password>pw</password>')),
  )
  await nothingFor(phone)
  assertLike(await juliet.gets(itemsOf(NS)), `<iq>${itemsOf(NS, play)}</iq>`)
})

test('what the older protocols cannot say survives them', async () => {
  const { juliet, phone } = await cast('juliet', { phone: 'juliet' })
  await juliet.sets(publish(NS, room('a@conference.example', `name='A'`, `<nick>N</nick>${EXTENSIONS}`), OPTIONS))
  await juliet.sets(publish(NS, room('b@conference.example', '', EXTENSIONS), OPTIONS))
  await listens(phone, NS)
  const url = `<url name='Complete Works' url='http://the-tech.mit.edu/Shakespeare/'/>`
  const renamed = storage(`<conference jid='a@conference.example' name='New'/>${url}<conference jid='a@@b'/>`)
  assertLike(await juliet.sets(publish(LEGACY, `<item id='current'>${renamed}</item>`)), OK)
  await phone.receives(
    event(NS, `<retract id='b@conference.example'/>${room('a@conference.example', `name='New'`, EXTENSIONS)}`),
  )
  const answer = await juliet.gets(itemsOf(NS))
  assertLike(answer, `<iq>${itemsOf(NS, room('a@conference.example', `name='New'`, EXTENSIONS))}</iq>`)
  assert.equal(answer.xml('').includes('<nick'), false)
  assertLike(await juliet.gets(privately(storage(''))), `<iq>${privately(renamed)}</iq>`)
})

test('what did not change is told to nobody', async () => {
  const { juliet, phone } = await cast('juliet', { phone: 'juliet' })
  await listens(phone, NS, LEGACY)
  const one = storage(`<conference jid='a@conference.example' name='A' autojoin='1'/>`)
  await juliet.sets(privately(one))
  await phone.settles()
  await juliet.sets(privately(one))
  await nothingFor(phone)
  assert.equal((await kept(juliet)).length, 1)
  await juliet.sets(pubsub(`<retract node='${NS}' notify='true'><item id='a@conference.example'/></retract>`))
  assert.equal((await kept(juliet)).length, 0)
})

test('an account says that all bookmarks are one', async () => {
  const { juliet, iago } = await cast('juliet', 'iago')
  const info = await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, juliet.bare)
  const features = [`${NS}#compat`, `${NS}#compat-pep`, 'urn:xmpp:bookmarks-conversion:0']
  assertLike(
    info,
    `<iq><query xmlns='http://jabber.org/protocol/disco#info'>${features.map((name) => `<feature var='${name}'/>`).join('')}</query></iq>`,
  )
  assertLike(
    await juliet.sets(publish(LEGACY, `<item><a xmlns='urn:a'/></item>`)),
    refused('modify', 'bad-request', 'invalid-payload'),
  )
  assert.equal((await kept(juliet)).length, 0)
  await juliet.sets(privately(storage(`<conference jid='a@conference.example'/>`)))
  assertLike(await iago.gets(itemsOf(NS), juliet.bare), refused('cancel', 'not-allowed', 'closed-node'))
  assertLike(await iago.gets(itemsOf(LEGACY), juliet.bare), refused('cancel', 'service-unavailable'))
})
