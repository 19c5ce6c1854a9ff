// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, auth, nothingFor, type Theatre, theatre } from '../../test/support/cast.ts'
import { befriend, rosterOf } from '../../test/support/friends.ts'
import { assertLike } from '../../test/support/match.ts'
import type { Element } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'

const NS = 'http://jabber.org/protocol/admin'
const COMMANDS = 'http://jabber.org/protocol/commands'
const ITEMS = 'http://jabber.org/protocol/disco#items'
const DATA = 'jabber:x:data'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'

type Fields = Readonly<Record<string, string | readonly string[]>>

/** A server with an administrator. */
async function withBard(names: readonly string[] = []): Promise<{ stage: Theatre; bard: Actor }> {
  const stage = await theatre({ admins: ['bard@localhost'] })
  for (const name of names) await stage.account(name)
  return { stage, bard: await stage.enter('bard', 'globe') }
}

async function execute(actor: Actor, id: string, attrs = '', inside = ''): Promise<Element> {
  return actor.sets(`<command xmlns='${COMMANDS}' node='${NS}#${id}' ${attrs}>${inside}</command>`, 'localhost')
}

/** Executes a command, gets its form, fills it in. */
async function does(actor: Actor, id: string, fields: Fields): Promise<Element> {
  const asked = await execute(actor, id)
  const names = Object.keys(fields)
  const form = names.map((name) => `<field var='${name}'/>`).join('')
  assertLike(
    asked,
    `<iq type='result'><command xmlns='${COMMANDS}' node='${NS}#${id}' status='executing'>
      <x xmlns='${DATA}' type='form'><field type='hidden' var='FORM_TYPE'><value>${NS}</value></field>${form}</x>
    </command></iq>`,
  )
  const given = Object.entries({ FORM_TYPE: NS, ...fields }).map(([name, values]) => {
    const texts = typeof values === 'string' ? [values] : values
    return `<field var='${name}'>${texts.map((text) => `<value>${text}</value>`).join('')}</field>`
  })
  const sessionid = asked.child('command', COMMANDS)?.attrs.sessionid
  return execute(actor, id, `sessionid='${sessionid}'`, `<x xmlns='${DATA}' type='submit'>${given.join('')}</x>`)
}

async function succeeds(actor: Actor, id: string, fields: Fields): Promise<Element> {
  const answer = await does(actor, id, fields)
  assertLike(answer, `<iq type='result'><command xmlns='${COMMANDS}' node='${NS}#${id}' status='completed'/></iq>`)
  return answer
}

async function isRefused(actor: Actor, id: string, fields: Fields, condition: string): Promise<void> {
  assertLike(await does(actor, id, fields), `<iq type='error'><error><${condition} xmlns='${STANZAS}'/></error></iq>`)
}

function valuesOf(answer: Element, name: string): readonly string[] {
  const form = answer.child('command', COMMANDS)?.child('x', DATA)
  const field = form?.childrenNamed('field').find(({ attrs }) => attrs.var === name)
  return field?.childrenNamed('value').map(({ text }) => text) ?? []
}

function notesOf(answer: Element): readonly string[] {
  return (
    answer
      .child('command', COMMANDS)
      ?.childrenNamed('note')
      .map(({ attrs }) => attrs.type ?? '') ?? []
  )
}

test('only administrators find the commands and may run them', async () => {
  const { stage, bard } = await withBard()
  const romeo = await stage.enter('romeo')
  const query = `<query xmlns='${ITEMS}' node='${COMMANDS}'/>`
  const nodes = (answer: Element) =>
    (answer.child('query', ITEMS)?.elements ?? []).map(({ attrs }) => attrs.node).filter((node) => node?.startsWith(NS))
  const administration = nodes(await bard.gets(query, 'localhost'))
  assert.equal(administration.length, 12)
  assert.ok(administration.includes(`${NS}#add-user`))
  assert.deepEqual(nodes(await romeo.gets(query, 'localhost')), [])
  for (const id of ['add-user', 'get-registered-users-num'])
    assertLike(await execute(romeo, id), `<iq type='error'><error><forbidden xmlns='${STANZAS}'/></error></iq>`)
  await stage.accounts.setAdmin(romeo.jid, true)
  assertLike(await execute(romeo, 'get-registered-users-num'), `<iq type='result'/>`)
  await stage.accounts.setAdmin(romeo.jid, false)
  assertLike(await execute(romeo, 'get-registered-users-num'), `<iq type='error'/>`)
})

test('add a user (§4.1)', async () => {
  const { stage, bard } = await withBard()
  const juliet = { accountjid: 'juliet@localhost', password: 'R0m30', 'password-verify': 'R0m30' }
  await succeeds(bard, 'add-user', juliet)
  await stage.stranger().logsIn(Jid.parse('juliet@localhost'), 'R0m30', 'balcony')
  await isRefused(bard, 'add-user', juliet, 'conflict')
  await isRefused(bard, 'add-user', { ...juliet, accountjid: 'nurse@localhost', password: 'other' }, 'bad-request')
  await isRefused(bard, 'add-user', { ...juliet, accountjid: 'nurse@example.org' }, 'bad-request')
  await isRefused(bard, 'add-user', { accountjid: 'localhost', password: 'x' }, 'bad-request')
  await isRefused(bard, 'add-user', { accountjid: 'nurse@localhost', password: '' }, 'bad-request')
  await isRefused(bard, 'add-user', { accountjid: 'nurse@localhost', password: '\ue000' }, 'not-acceptable')
  assert.equal(await stage.accounts.count(), 2)
})

test('delete users (§4.2): their sessions end, and their contacts are told', async () => {
  const { stage, bard } = await withBard(['nurse'])
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  await befriend(romeo, juliet)
  await isRefused(bard, 'delete-user', { accountjids: [romeo.bare, 'nobody@localhost'] }, 'item-not-found')
  await isRefused(bard, 'delete-user', { accountjids: [romeo.bare, bard.bare] }, 'not-allowed')
  await isRefused(bard, 'delete-user', { accountjids: [] }, 'bad-request')
  await isRefused(bard, 'delete-user', { accountjids: ['a@@b'] }, 'bad-request')
  await nothingFor(romeo)
  await succeeds(bard, 'delete-user', { accountjids: [romeo.bare, 'nurse@localhost'] })
  await romeo.isClosed('not-authorized')
  assert.deepEqual(await rosterOf(juliet), [`${romeo.bare} none`])
  assert.equal(await stage.accounts.count(), 2)
})

test('disable users and enable them again (§4.3, §4.4)', async () => {
  const { stage, bard } = await withBard()
  const romeo = await stage.enter('romeo')
  await isRefused(bard, 'disable-user', { accountjids: bard.bare }, 'not-allowed')
  await succeeds(bard, 'disable-user', { accountjids: romeo.bare })
  await romeo.isClosed('not-authorized')
  const again = stage.stranger()
  await again.opens()
  again.sends(auth('romeo', 'secret'))
  await again.receives(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
  await succeeds(bard, 'reenable-user', { accountjids: romeo.bare })
  await stage.stranger().logsIn(romeo.jid.bare, 'secret', 'orchard')
  await isRefused(bard, 'reenable-user', { accountjids: 'nobody@localhost' }, 'item-not-found')
})

test('end sessions (§4.5): one, or all of a user', async () => {
  const { stage, bard } = await withBard(['nurse'])
  const [romeo, phone, tablet] = [
    await stage.enter('romeo', 'orchard', false),
    await stage.enter('romeo', 'phone', false),
    await stage.enter('romeo', 'tablet', false),
  ]
  await succeeds(bard, 'end-user-session', { accountjids: phone.full })
  await phone.isClosed('reset')
  await nothingFor(romeo, tablet)
  await succeeds(bard, 'end-user-session', { accountjids: romeo.bare })
  await romeo.isClosed('reset')
  await tablet.isClosed('reset')
  for (const gone of [romeo.bare, phone.full, 'nurse@localhost', 'nobody@localhost'])
    await isRefused(bard, 'end-user-session', { accountjids: gone }, 'item-not-found')
  await isRefused(bard, 'end-user-session', { accountjids: bard.bare }, 'not-allowed')
})

test('change a password (§4.7)', async () => {
  const { stage, bard } = await withBard()
  const romeo = await stage.enter('romeo')
  await succeeds(bard, 'change-user-password', { accountjid: romeo.bare, password: 'V3r0n4' })
  await romeo.isClosed('not-authorized')
  await stage.stranger().logsIn(romeo.jid.bare, 'V3r0n4', 'orchard')
  await isRefused(bard, 'change-user-password', { accountjid: 'nobody@localhost', password: 'x' }, 'item-not-found')
  await succeeds(bard, 'change-user-password', { accountjid: bard.bare, password: 'globe' })
  await bard.settles()
})

test('last logins (§4.9): of one, and of many', async () => {
  const { stage, bard } = await withBard()
  const [romeo] = [await stage.enter('romeo'), await stage.account('nurse'), await stage.account('juliet')]
  await stage.store.accounts.seen(Jid.parse('juliet@localhost'), Date.UTC(2003, 11, 19, 17, 58, 35), undefined)
  const one = await succeeds(bard, 'get-user-lastlogin', { accountjids: 'juliet@localhost' })
  assert.deepEqual(valuesOf(one, 'accountjids'), ['juliet@localhost'])
  assert.deepEqual(valuesOf(one, 'lastlogin'), ['2003-12-19T17:58:35.000Z'])
  const many = await succeeds(bard, 'get-user-lastlogin', { accountjids: [romeo.bare, 'nurse@localhost'] })
  assertLike(
    many,
    `<iq><command xmlns='${COMMANDS}'><x xmlns='${DATA}' type='result'>
      <reported><field var='accountjids'/><field var='lastlogin'/></reported>
      <item><field var='accountjids'><value>${romeo.bare}</value></field></item>
      <item><field var='accountjids'><value>nurse@localhost</value></field><field var='lastlogin'><value/></field></item>
    </x></command></iq>`,
  )
})

test('how many users there are, and how many are online (§4.13, §4.15)', async () => {
  const { stage, bard } = await withBard(['nurse', 'friar'])
  await stage.enter('romeo')
  await stage.enter('romeo', 'phone')
  assert.deepEqual(valuesOf(await execute(bard, 'get-registered-users-num'), 'registeredusersnum'), ['4'])
  assert.deepEqual(valuesOf(await execute(bard, 'get-online-users-num'), 'onlineusersnum'), ['2'])
})

test('who they are (§4.18, §4.20), as many as are wanted', async () => {
  const { stage, bard } = await withBard(Array.from({ length: 26 }, (_, index) => `user${index + 10}`))
  await stage.enter('romeo')
  const some = await succeeds(bard, 'get-registered-users-list', { max_items: '25' })
  assert.equal(valuesOf(some, 'registereduserjids').length, 25)
  assert.deepEqual(notesOf(some), ['warn'])
  const all = await succeeds(bard, 'get-registered-users-list', { max_items: 'none' })
  assert.equal(valuesOf(all, 'registereduserjids').length, 28)
  assert.deepEqual(notesOf(all), [])
  const online = await succeeds(bard, 'get-online-users-list', { max_items: '50' })
  assert.deepEqual(valuesOf(online, 'onlineuserjids').toSorted(), [bard.bare, 'romeo@localhost'])
  await isRefused(bard, 'get-online-users-list', { max_items: '1000000' }, 'bad-request')
})

test('an announcement reaches everybody who is online (§4.23)', async () => {
  const { stage, bard } = await withBard(['nurse'])
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  await succeeds(bard, 'announce', { announcement: ['Going down for maintenance.', 'Sorry!'] })
  for (const actor of [romeo, juliet]) {
    const message = await actor.receives(`<message type='headline' from='localhost' to='${actor.bare}'/>`)
    assert.equal(message.childText('body'), 'Going down for maintenance.\nSorry!')
  }
  await isRefused(bard, 'announce', { announcement: '' }, 'bad-request')
  const nurse = await stage.enter('nurse')
  await nothingFor(romeo, juliet, nurse)
})
