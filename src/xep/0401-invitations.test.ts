// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { push, rosterOf } from '../../test/support/friends.ts'
import { assertLike } from '../../test/support/match.ts'
import type { Element } from '../xml/element.ts'

const NS = 'http://jabber.org/protocol/commands'
const INVITE = 'urn:xmpp:invite#invite'
const CREATE = 'urn:xmpp:invite#create-account'
const PARS = 'urn:xmpp:pars:0'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const WEB = { publicUrl: (host: string) => `https://${host}` }

function run(node: string, more = '', fields: Readonly<Record<string, string>> = {}): string {
  const inside = Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
  const form = inside.length > 0 ? `<x xmlns='jabber:x:data' type='submit'>${inside.join('')}</x>` : ''
  return `<command xmlns='${NS}' node='${node}' ${more}>${form}</command>`
}

/** The fields of a result. */
function fieldsOf(answer: Element): Readonly<Record<string, string>> {
  const fields = answer.child('command', NS)?.child('x', 'jabber:x:data')?.childrenNamed('field') ?? []
  return Object.fromEntries(fields.map((field) => [field.attrs.var ?? '', field.childText('value') ?? '']))
}

function tokenIn(uri = ''): string {
  return /preauth=([a-z0-9]+)/.exec(uri)?.[1] ?? ''
}

async function invites(actor: Actor): Promise<string> {
  return tokenIn(fieldsOf(await actor.sets(run(INVITE), 'localhost')).uri)
}

async function commandsOf(actor: Actor): Promise<readonly (string | undefined)[]> {
  const answer = await actor.gets(`<query xmlns='http://jabber.org/protocol/disco#items' node='${NS}'/>`, 'localhost')
  const nodes =
    answer.child('query', 'http://jabber.org/protocol/disco#items')?.elements.map(({ attrs }) => attrs.node) ?? []
  return nodes.filter((node) => node?.startsWith('urn:xmpp:invite'))
}

function refused(condition: string): string {
  return `<iq type='error'><error><${condition} xmlns='${STANZAS}'/></error></iq>`
}

function asks(fan: Actor, star: Actor, token: string): void {
  fan.sends(`<presence type='subscribe' to='${star.bare}'><preauth xmlns='${PARS}' token='${token}'/></presence>`)
}

test('a user gets a link at once, which tells no more than it has to', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock, options: WEB })
  const romeo = await stage.enter('romeo')
  assert.deepEqual(await commandsOf(romeo), [INVITE])
  const answer = await romeo.sets(run(INVITE), 'localhost')
  assertLike(
    answer,
    `<iq type='result'><command xmlns='${NS}' node='${INVITE}' status='completed'><x xmlns='jabber:x:data' type='result'>
      <field var='FORM_TYPE'><value>urn:xmpp:invite#invitation</value></field></x></command></iq>`,
  )
  const { uri = '', 'landing-url': url, expire } = fieldsOf(answer)
  const token = tokenIn(uri)
  assert.match(token, /^[a-z2-9]{24}$/)
  assert.equal(uri, `xmpp:romeo@localhost?roster;preauth=${token};ibr=y`)
  assert.equal(url, `https://localhost/invite/${token}`)
  assert.equal(expire, new Date(clock.now() + 7 * 86_400_000).toISOString())
})

test('who asks with the token becomes a contact at once, and only once', async () => {
  const stage = await theatre()
  const [romeo, juliet, paris] = [await stage.enter('romeo'), await stage.enter('juliet'), await stage.enter('paris')]
  const token = await invites(romeo)
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
  await juliet.settles()
  asks(juliet, romeo, token)
  await juliet.settles()
  await romeo.settles()
  assert.deepEqual(await rosterOf(romeo), [`${juliet.bare} both`])
  assert.deepEqual(await rosterOf(juliet), [`${romeo.bare} both`])
  asks(paris, romeo, token)
  await romeo.receives(`<presence type='subscribe' from='${paris.bare}'/>`)
  assert.deepEqual(await rosterOf(paris), [`${romeo.bare} none ask`])
})

test('who did not say in advance that it is welcome is asked', async () => {
  const stage = await theatre()
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  asks(juliet, romeo, await invites(romeo))
  await juliet.receives(push(`<item jid='${romeo.bare}' subscription='none' ask='subscribe'/>`))
  await juliet.receives(`<presence type='subscribe' from='${romeo.bare}'/>`)
  await juliet.settles()
  assert.deepEqual(await rosterOf(romeo), [`${juliet.bare} from ask`])
  juliet.sends(`<presence type='subscribed' to='${romeo.bare}'/>`)
  await juliet.settles()
  assert.deepEqual(await rosterOf(romeo), [`${juliet.bare} both`])
})

test('a token of somebody else, or of nobody, is as if there were none', async () => {
  const stage = await theatre()
  const [romeo, juliet, paris] = [await stage.enter('romeo'), await stage.enter('juliet'), await stage.enter('paris')]
  const token = await invites(paris)
  for (const wrong of [token, 'x', '', 'a'.repeat(24)]) {
    asks(juliet, romeo, wrong)
    await juliet.settles()
  }
  await romeo.receives(
    `<presence type='subscribe' from='${juliet.bare}'><preauth xmlns='${PARS}' token='${token}'/></presence>`,
  )
  assert.deepEqual(await rosterOf(romeo), [])
})

test('an administrator invites under a name, which is kept', async () => {
  const stage = await theatre({ admins: ['bard@localhost'], options: WEB })
  const [bard, romeo] = [await stage.enter('bard'), await stage.enter('romeo')]
  assert.deepEqual(await commandsOf(bard), [INVITE, CREATE])
  assertLike(await romeo.sets(run(CREATE), 'localhost'), refused('forbidden'))
  const asked = await bard.sets(run(CREATE), 'localhost')
  assertLike(
    asked,
    `<iq type='result'><command xmlns='${NS}' status='executing'><x xmlns='jabber:x:data' type='form'>
      <field var='username' type='text-single'/><field var='roster-subscription' type='boolean'/></x></command></iq>`,
  )
  const more = `sessionid='${asked.child('command', NS)?.attrs.sessionid}'`
  assertLike(await bard.sets(run(CREATE, more, { username: 'romeo' }), 'localhost'), refused('conflict'))
  assertLike(await bard.sets(run(CREATE, more, { username: 'ro meo' }), 'localhost'), refused('not-acceptable'))
  const { uri = '' } = fieldsOf(await bard.sets(run(CREATE, more, { username: 'Juliet' }), 'localhost'))
  assert.match(uri, /^xmpp:juliet@localhost\?register;preauth=[a-z2-9]{24}$/)
  const [made] = await stage.accounts.invitations.list(10)
  assert.deepEqual([made?.name, made?.contact?.key, made?.uses], ['juliet', 'bard@localhost', 1])
})

test('an administrator invites whoever likes, without becoming a contact', async () => {
  const stage = await theatre({ admins: ['bard@localhost'] })
  const bard = await stage.enter('bard')
  const asked = await bard.sets(run(CREATE), 'localhost')
  const more = `sessionid='${asked.child('command', NS)?.attrs.sessionid}'`
  const wish = { username: '', 'roster-subscription': '0', note: 'Come\n in' }
  const fields = fieldsOf(await bard.sets(run(CREATE, more, wish), 'localhost'))
  assert.match(fields.uri ?? '', /^xmpp:localhost\?register;preauth=[a-z2-9]{24}$/)
  assert.equal(fields['landing-url'], undefined, 'there is no web server')
  const [made] = await stage.accounts.invitations.list(10)
  assert.deepEqual([made?.contact, made?.note], [undefined, 'Come in'])
})

test('the configuration says whom users may invite', async () => {
  const options: Record<string, unknown> = { invitations: 'contacts', invitationDays: 1 }
  const stage = await theatre({ admins: ['bard@localhost'], options })
  const [bard, romeo] = [await stage.enter('bard'), await stage.enter('romeo')]
  assert.doesNotMatch(fieldsOf(await romeo.sets(run(INVITE), 'localhost')).uri ?? '', /ibr/)
  assert.match(fieldsOf(await bard.sets(run(INVITE), 'localhost')).uri ?? '', /;ibr=y$/)
  options.invitations = 'admins'
  assert.deepEqual([await commandsOf(romeo), await commandsOf(bard)], [[], [INVITE, CREATE]])
  assertLike(await romeo.sets(run(INVITE), 'localhost'), refused('forbidden'))
})

test('a user makes so many a day, and has so many waiting', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock, options: { invitationsPerDay: 2, invitationsPerUser: 3 } })
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  const refusal = refused('resource-constraint')
  for (let n = 0; n < 2; n++) assert.notEqual(await invites(romeo), '')
  assertLike(await romeo.sets(run(INVITE), 'localhost'), refusal)
  assert.notEqual(await invites(juliet), '')
  clock.advance(86_400_000)
  assert.notEqual(await invites(await stage.enter('romeo', 'later')), '')
  assertLike(await (await stage.enter('romeo', 'later still')).sets(run(INVITE), 'localhost'), refusal)
})
