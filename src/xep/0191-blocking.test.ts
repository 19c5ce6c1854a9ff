// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, nothingFor, theatre } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'
import { Jid } from '../xmpp/jid.ts'

const NS = 'urn:xmpp:blocking'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const LIST = `<blocklist xmlns='${NS}'/>`
const PING = `<ping xmlns='urn:xmpp:ping'/>`
const NOT_ACCEPTABLE = `<error type='cancel'><not-acceptable xmlns='${STANZAS}'/><blocked xmlns='${NS}:errors'/></error>`
const UNAVAILABLE = `<error type='cancel'><service-unavailable xmlns='${STANZAS}'/></error>`

function items(jids: readonly string[]): string {
  return jids.map((jid) => `<item jid='${jid}'/>`).join('')
}

function block(...jids: readonly string[]): string {
  return `<block xmlns='${NS}'>${items(jids)}</block>`
}

function unblock(...jids: readonly string[]): string {
  return `<unblock xmlns='${NS}'>${items(jids)}</unblock>`
}

async function blocks(actor: Actor, ...jids: readonly string[]): Promise<void> {
  assertLike(await actor.sets(block(...jids)), `<iq type='result'/>`)
}

async function unblocks(actor: Actor, ...jids: readonly string[]): Promise<void> {
  assertLike(await actor.sets(unblock(...jids)), `<iq type='result'/>`)
}

/** Both may see each other's presence. */
async function befriend(one: Actor, other: Actor): Promise<void> {
  one.sends(`<presence type='subscribe' to='${other.bare}'/>`)
  await one.settles()
  other.sends(`<presence type='subscribed' to='${one.bare}'/>`)
  other.sends(`<presence type='subscribe' to='${one.bare}'/>`)
  await other.settles()
  one.sends(`<presence type='subscribed' to='${other.bare}'/>`)
  for (const actor of [one, other, one, other]) await actor.settles()
}

test('the block list is empty at first, and then has what was blocked', async () => {
  const { juliet } = await cast('juliet')
  const empty = await juliet.gets(LIST)
  assertLike(empty, `<iq type='result'>${LIST}</iq>`)
  assert.deepEqual(empty.child('blocklist', NS)?.elements, [])
  await blocks(juliet, 'Romeo@Montague.net', 'iago@shakespeare.lit', 'romeo@montague.net')
  const list = await juliet.gets(LIST)
  assertLike(
    list,
    `<iq type='result'><blocklist xmlns='${NS}'>${items(['romeo@montague.net', 'iago@shakespeare.lit'])}</blocklist></iq>`,
  )
  assert.equal(list.child('blocklist', NS)?.elements.length, 2)
  await unblocks(juliet, 'romeo@montague.net')
  assert.equal((await juliet.gets(LIST)).child('blocklist', NS)?.elements.length, 1)
})

test('clients that asked for the list are told what changes in it, before the result', async () => {
  const { juliet, phone, mute } = await cast('juliet', { phone: 'juliet' }, { mute: 'juliet' })
  await juliet.gets(LIST)
  await phone.gets(LIST)
  juliet.sends(`<iq type='set' id='block1'>${block('romeo@montague.net')}</iq>`)
  await juliet.receives(`<iq type='set' id='*' to='${juliet.full}'>${block('romeo@montague.net')}</iq>`)
  await juliet.receives(`<iq type='result' id='block1'/>`)
  await phone.receives(`<iq type='set' id='*' to='${phone.full}'>${block('romeo@montague.net')}</iq>`)
  await unblocks(juliet, 'romeo@montague.net')
  await phone.receives(`<iq type='set'>${unblock('romeo@montague.net')}</iq>`)
  await blocks(mute, 'a@example.org', 'b@example.org')
  await phone.receives(`<iq type='set'>${block('a@example.org', 'b@example.org')}</iq>`)
  await unblocks(mute)
  const all = await phone.receives(`<iq type='set'>${unblock()}</iq>`)
  assert.deepEqual(all.child('unblock', NS)?.elements, [])
  await nothingFor(phone, mute)
  assert.deepEqual((await phone.gets(LIST)).child('blocklist', NS)?.elements, [])
})

test('a blocked sender reaches no client, and learns no more than from somebody who is offline', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await blocks(juliet, romeo.bare)
  for (const to of [juliet.bare, juliet.full]) {
    romeo.sends(`<message type='chat' id='m' to='${to}'><body>ohai</body></message>`)
    await romeo.receives(`<message type='error' id='m' from='${to}'>${UNAVAILABLE}</message>`)
    for (const type of ['get', 'set'] as const)
      assertLike(await romeo.asks(type, PING, to), `<iq type='error' from='${to}'>${UNAVAILABLE}</iq>`)
    for (const type of ['', `type='unavailable'`, `type='probe'`]) romeo.sends(`<presence ${type} to='${to}'/>`)
  }
  romeo.sends(`<message type='error' to='${juliet.full}'><body>ohai</body>${NOT_ACCEPTABLE}</message>`)
  romeo.sends(`<iq type='result' id='r1' to='${juliet.full}'/>`)
  romeo.sends(`<iq type='error' id='r2' to='${juliet.full}'>${NOT_ACCEPTABLE}</iq>`)
  await nothingFor(juliet, romeo)
})

test('a blocked stranger asks in vain, and is not told', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await blocks(juliet, romeo.bare)
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
  await romeo.receives(`<iq type='set'><query xmlns='jabber:iq:roster'><item ask='subscribe'/></query></iq>`)
  await nothingFor(juliet, romeo)
})

test('what the user sends to somebody blocked comes back', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await blocks(juliet, romeo.bare)
  juliet.sends(`<message type='chat' id='m' to='${romeo.bare}'><body>Can you hear me now?</body></message>`)
  await juliet.receives(
    `<message type='error' id='m' from='${romeo.bare}' to='${juliet.full}'><body>Can you hear me now?</body>${NOT_ACCEPTABLE}</message>`,
  )
  assertLike(await juliet.gets(PING, romeo.full), `<iq type='error' from='${romeo.full}'>${NOT_ACCEPTABLE}</iq>`)
  juliet.sends(`<presence to='${romeo.full}'/>`)
  await juliet.receives(`<presence type='error' from='${romeo.full}'>${NOT_ACCEPTABLE}</presence>`)
  juliet.sends(`<iq type='result' id='r1' to='${romeo.full}'/>`)
  await nothingFor(juliet, romeo)
})

test('who is unblocked is heard again', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await blocks(juliet, romeo.bare, 'iago@localhost')
  await unblocks(juliet, romeo.bare)
  romeo.sends(`<message to='${juliet.bare}'><body>one</body></message>`)
  await juliet.receives(`<message from='${romeo.full}'><body>one</body></message>`)
  await blocks(juliet, romeo.bare)
  await unblocks(juliet)
  juliet.sends(`<message to='${romeo.bare}'><body>two</body></message>`)
  await romeo.receives(`<message from='${juliet.full}'><body>two</body></message>`)
  await nothingFor(romeo, juliet)
})

test('a blocked contact sees the user go, and come back', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  await befriend(romeo, juliet)
  await blocks(juliet, romeo.bare)
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}' to='${romeo.bare}'/>`)
  juliet.sends('<presence><show>away</show></presence>')
  romeo.sends('<presence><show>dnd</show></presence>')
  await romeo.receives(`<presence from='${romeo.full}'/>`)
  await juliet.receives(`<presence from='${juliet.full}'><show>away</show></presence>`)
  await nothingFor(romeo, juliet)
  juliet.sends(`<iq type='set' id='u'>${unblock(romeo.bare)}</iq>`)
  await romeo.receives(`<presence from='${juliet.full}'><show>away</show></presence>`)
  await juliet.receives(`<presence from='${romeo.full}'><show>dnd</show></presence>`)
  await juliet.receives(`<iq type='result' id='u'/>`)
  await nothingFor(romeo, juliet)
})

test('blocking a client or a whole domain hides the user from those contacts that saw it', async () => {
  for (const pick of [(romeo: Actor) => romeo.full, () => 'localhost']) {
    const { romeo, juliet } = await cast('romeo', 'juliet')
    await befriend(romeo, juliet)
    await blocks(juliet, pick(romeo))
    await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
    await unblocks(juliet)
    await romeo.receives(`<presence from='${juliet.full}'/>`)
    await nothingFor(romeo)
  }
})

test('who was blocked already is not told again, and strangers are told nothing', async () => {
  const { romeo, juliet, iago } = await cast('romeo', 'juliet', 'iago')
  await befriend(romeo, juliet)
  await blocks(juliet, romeo.bare, iago.bare)
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  await blocks(juliet, romeo.bare, romeo.full, 'localhost')
  await unblocks(juliet, romeo.full, 'localhost', iago.bare)
  await nothingFor(romeo, iago)
})

test('directed presence is taken back from who is blocked', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  juliet.sends(`<presence to='${romeo.full}'/>`)
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  await blocks(juliet, romeo.bare)
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}' to='${romeo.full}'/>`)
  juliet.sends(`<presence type='unavailable'/>`)
  await juliet.settles()
  await nothingFor(romeo)
})

test('addresses match as XEP-0191 §6 says', async () => {
  const { romeo, phone, juliet } = await cast('romeo', { phone: 'romeo' }, 'juliet')
  for (const [blocked, free, stopped] of [
    [romeo.full, phone, romeo],
    [phone.full, romeo, phone],
  ] as const) {
    await blocks(juliet, blocked)
    stopped.sends(`<message id='s' to='${juliet.full}'><body>stopped</body></message>`)
    await stopped.receives(`<message type='error' id='s'>${UNAVAILABLE}</message>`)
    free.sends(`<message id='f' to='${juliet.full}'><body>free</body></message>`)
    await juliet.receives(`<message id='f' from='${free.full}'/>`)
    await unblocks(juliet)
  }
  for (const blocked of ['localhost', romeo.bare]) {
    await blocks(juliet, blocked)
    for (const actor of [romeo, phone]) {
      actor.sends(`<message id='s' to='${juliet.full}'><body>stopped</body></message>`)
      await actor.receives(`<message type='error' id='s'>${UNAVAILABLE}</message>`)
    }
    await unblocks(juliet)
  }
  for (const other of ['localhost/romeo', 'romeo@example.org', `${romeo.bare}/other`, 'host', 'sub.localhost']) {
    await blocks(juliet, other)
    romeo.sends(`<message id='f' to='${juliet.full}'><body>free</body></message>`)
    await juliet.receives(`<message id='f' from='${romeo.full}'/>`)
    await unblocks(juliet)
  }
})

test('nobody can lock oneself out', async () => {
  const { juliet, phone } = await cast('juliet', { phone: 'juliet' })
  await blocks(juliet, juliet.bare, phone.full, 'localhost')
  juliet.sends(`<message id='m' to='${phone.full}'><body>note to self</body></message>`)
  await phone.receives(`<message id='m' from='${juliet.full}'/>`)
  assertLike(await phone.gets(PING, 'localhost'), `<iq type='result'/>`)
  assertLike(await phone.gets(PING), `<iq type='result'/>`)
  await unblocks(phone)
})

test('a request that was there before the block does not come to a new client', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  romeo.sends(`<presence type='subscribe' to='${juliet.bare}'/>`)
  await juliet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`)
  await blocks(juliet, romeo.bare)
  juliet.sends(`<presence type='unavailable'/>`)
  juliet.sends('<presence/>')
  await juliet.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  await juliet.receives(`<presence from='${juliet.full}'/>`)
  await nothingFor(juliet)
})

test('a block holds when nobody of the account is there, and over a restart', async () => {
  const stage = await theatre()
  await stage.account('juliet')
  await stage.store.sets.add(Jid.parse('juliet@localhost'), 'blocked', ['romeo@localhost'])
  const romeo = await stage.enter('romeo')
  romeo.sends(`<message id='m' to='juliet@localhost'><body>ohai</body></message>`)
  await romeo.receives(`<message type='error' id='m'>${UNAVAILABLE}</message>`)
})

test('while the list cannot be read, nothing passes', async () => {
  const stage = await theatre()
  const juliet = await stage.enter('juliet')
  await stage.account('iago')
  const all = stage.store.sets.all
  const sets: { all: typeof all } = stage.store.sets
  sets.all = () => Promise.reject(new Error('the disk is gone'))
  juliet.sends(`<message id='m' to='iago@localhost'><body>hi</body></message>`)
  await juliet.receives(
    `<message type='error' id='m'><error type='wait'><internal-server-error xmlns='${STANZAS}'/></error></message>`,
  )
  sets.all = all
  juliet.sends(`<message id='m' to='iago@localhost' type='groupchat'><body>hi</body></message>`)
  await juliet.receives(`<message type='error' id='m'>${UNAVAILABLE}</message>`)
})

test('bad requests change nothing', async () => {
  const { romeo, juliet } = await cast('romeo', 'juliet')
  const many = Array.from({ length: 2000 }, (_, index) => `user${index}@example.org`)
  const refused = async (payload: string, condition: string): Promise<void> =>
    assertLike(await juliet.sets(payload), `<iq type='error'><error><${condition} xmlns='${STANZAS}'/></error></iq>`)
  await refused(block(), 'bad-request')
  await refused(`<block xmlns='${NS}'><item/></block>`, 'bad-request')
  await refused(`<unblock xmlns='${NS}'><other/></unblock>`, 'bad-request')
  await refused(block(romeo.bare, 'a@@b'), 'jid-malformed')
  await refused(block(...many, romeo.bare), 'bad-request')
  await blocks(juliet, ...many)
  await refused(block(romeo.bare), 'resource-constraint')
  await blocks(juliet, 'user7@example.org')
  assertLike(await romeo.gets(LIST, juliet.bare), `<iq type='error'>${UNAVAILABLE}</iq>`)
  assertLike(await romeo.sets(unblock(), juliet.bare), `<iq type='error'>${UNAVAILABLE}</iq>`)
  assert.equal((await juliet.gets(LIST)).child('blocklist', NS)?.elements.length, 2000)
})

test('changes at the same time are made one after the other', async () => {
  const { juliet, phone } = await cast('juliet', { phone: 'juliet' })
  const half = (name: string) => Array.from({ length: 1500 }, (_, index) => `${name}${index}@example.org`)
  const answers = await Promise.all([juliet.sets(block(...half('a'))), phone.sets(block(...half('b')))])
  assert.deepEqual(answers.map(({ attrs }) => attrs.type).toSorted(), ['error', 'result'])
  assert.equal((await juliet.gets(LIST)).child('blocklist', NS)?.elements.length, 1500)
})
