// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, type Stage, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { befriend } from '../../test/support/friends.ts'
import { assertLike } from '../../test/support/match.ts'
import { enableResume, resume } from '../../test/support/resume.ts'
import { type Hooks, nonzaKey } from '../core/feature.ts'
import { el } from '../xml/element.ts'
import { NS_CLIENT } from '../xmpp/stanza.ts'
import { becomeActive, csi, isInactive } from './0352-csi.ts'
import { features } from './index.ts'

const NS = 'urn:xmpp:csi:0'
const SM = 'urn:xmpp:sm:3'
const DELAY = 'urn:xmpp:delay'
const AWAY = '<presence><show>away</show></presence>'
const BODY = '<body>Wherefore art thou?</body>'

function chatState(name: string): string {
  return `<${name} xmlns='http://jabber.org/protocol/chatstates'/>`
}

function displayed(id: string): string {
  return `<displayed xmlns='urn:xmpp:chat-markers:0' id='${id}'/>`
}

/** Juliet on her phone, and Romeo, who are friends. */
async function lovers(stage: Stage = {}) {
  const clock = new FakeClock()
  const { scene, enter, server, store, stranger } = await theatre({ clock, ...stage })
  const { romeo, juliet } = await scene('romeo', 'juliet')
  await befriend(romeo, juliet)
  await juliet.settles()
  const session = [...server.sessions()].find(({ jid }) => jid.equals(juliet.jid))
  assert.ok(session)
  return { clock, romeo, juliet, session, scene, enter, store, stranger }
}

/** Nobody looks any more. */
async function rests(actor: Actor): Promise<void> {
  actor.sends(`<inactive xmlns='${NS}'/>`)
  await actor.settles()
}

/** She looks, and gets nothing but this; in-order processing (§5.1): the pong comes last. */
async function wakes(actor: Actor, ...expected: readonly string[]): Promise<void> {
  actor.sends(`<active xmlns='${NS}'/>`)
  const heard = (await actor.hearsOut()).filter(({ ns }) => ns !== SM)
  assert.equal(heard.length, expected.length, heard.map((one) => one.xml(NS_CLIENT)).join('\n'))
  for (const [index, one] of heard.entries()) assertLike(one, expected[index] ?? '')
}

async function says(actor: Actor, to: Actor, content: string, type = 'chat'): Promise<void> {
  actor.sends(`<message to='${to.full}' type='${type}'>${content}</message>`)
  await actor.settles()
}

async function shows(actor: Actor, presence: string): Promise<void> {
  actor.sends(presence)
  await actor.settles()
}

/** Stream management, so that nothing that may wait is lost if the client goes. */
async function counts(actor: Actor): Promise<void> {
  actor.sends(`<enable xmlns='${SM}'/>`)
  await actor.receives(`<enabled xmlns='${SM}'/>`)
}

/** An event of publish-subscribe (XEP-0060 §7.1.2.1). */
function event(node: string, id: string): string {
  return `<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='${node}'><item id='${id}'/></items></event>`
}

test('it is offered after login only', async () => {
  const { stranger, account } = await theatre()
  assert.equal((await stranger().opens()).child('csi', NS), undefined)
  const offered = await stranger().proves(await account('juliet'))
  assert.ok(offered.child('csi', NS))
})

test('presence waits while nobody looks, and the last one of each client counts', async () => {
  const { romeo, juliet, clock, session } = await lovers()
  await rests(juliet)
  const before = session.sent
  await shows(romeo, AWAY)
  await shows(romeo, `<presence type='unavailable'/>`)
  await shows(romeo, '<presence><show>xa</show></presence>')
  await shows(romeo, '<presence><show>dnd</show></presence>')
  assert.equal(session.sent, before)
  clock.advance(60_000)
  const delay = `<delay xmlns='${DELAY}' from='localhost' stamp='2026-01-01T00:00:00.000Z'/>`
  await wakes(juliet, `<presence from='${romeo.full}'><show>dnd</show>${delay}</presence>`)
  await shows(romeo, AWAY)
  await juliet.receives(`<presence from='${romeo.full}'><show>away</show></presence>`)
})

test('a message goes at once, after what its sender did before; what others did still waits', async () => {
  const { romeo, juliet, scene } = await lovers()
  const { nurse } = await scene('nurse')
  await befriend(nurse, juliet)
  await rests(juliet)
  await shows(romeo, AWAY)
  await shows(nurse, AWAY)
  await shows(romeo, `<presence type='unavailable'/>`)
  await says(nurse, juliet, event('n', '1'), 'headline')
  await says(nurse, juliet, chatState('composing'))
  await says(nurse, juliet, BODY)
  await juliet.receives(`<presence from='${nurse.full}'><show>away</show></presence>`)
  await juliet.receives(inMessage(event('n', '1')))
  await juliet.receives(`<message from='${nurse.full}'>${BODY}</message>`)
  await shows(nurse, '<presence/>')
  await wakes(juliet, `<presence from='${romeo.full}' type='unavailable'/>`, `<presence from='${nurse.full}'/>`)
})

test('requests, errors, questions and calls go at once', async () => {
  const { romeo, juliet, session } = await lovers()
  await rests(juliet)
  for (const [sent, kind] of [
    [`<presence type='unsubscribe' to='${juliet.bare}'/>`, 'presence'],
    [`<iq type='get' id='q' to='${juliet.full}'><query xmlns='jabber:iq:version'/></iq>`, 'iq'],
    [`<message type='error' id='e' to='${juliet.full}'><error type='cancel'/></message>`, 'message'],
    [`<message to='${juliet.full}'><propose xmlns='urn:xmpp:jingle-message:0' id='c'/></message>`, 'message'],
  ] as const) {
    await shows(romeo, sent)
    let heard = await juliet.hears()
    while (heard.attrs.type === 'set') heard = await juliet.hears() // roster pushes
    assert.equal(heard.name, kind)
  }
  assert.equal(isInactive(session), true)
})

test('of typing notices nobody learns while nobody looks, and then the last one of each contact', async () => {
  const { romeo, juliet, clock, session } = await lovers()
  await rests(juliet)
  const before = session.sent
  for (const name of ['active', 'composing', 'paused', 'composing']) await says(romeo, juliet, chatState(name))
  assert.equal(session.sent, before)
  await wakes(juliet, `<message from='${romeo.full}'>${chatState('composing')}</message>`)
  await rests(juliet)
  await says(romeo, juliet, chatState('composing'))
  clock.advance(61_000)
  await wakes(juliet) // he has stopped, whatever he said
  await rests(juliet)
  await says(romeo, juliet, chatState('composing'))
  await says(romeo, juliet, BODY)
  await juliet.receives(`<message>${BODY}</message>`)
  await says(romeo, juliet, chatState('gone'))
  await says(romeo, juliet, BODY)
  await juliet.receives(`<message>${BODY}</message>`)
  await wakes(juliet, `<message from='${romeo.full}'>${chatState('gone')}</message>`)
})

test('events wait, and the last one of each node or item counts', async () => {
  const { romeo, juliet, session } = await lovers()
  await rests(juliet)
  const before = session.sent
  const [mood, bookmarks] = ['http://jabber.org/protocol/mood', 'urn:xmpp:bookmarks:1']
  for (const id of ['1', '2', '3']) await says(romeo, juliet, event(mood, id), 'headline')
  for (const id of ['a', 'b', 'a']) await says(romeo, juliet, event(bookmarks, id), 'headline')
  assert.equal(session.sent, before)
  await wakes(juliet, ...[event(mood, '3'), event(bookmarks, 'b'), event(bookmarks, 'a')].map(inMessage))
})

function inMessage(content: string): string {
  return `<message>${content}</message>`
}

test('markers wait, each of them, if they come back from a client that goes', async () => {
  const { romeo, juliet, session, enter } = await lovers()
  await rests(juliet)
  await says(romeo, juliet, displayed('m1'))
  await juliet.receives(inMessage(displayed('m1'))) // nobody would know that it is lost
  await counts(juliet)
  const before = session.sent
  for (const id of ['m2', 'm3']) await says(romeo, juliet, displayed(id))
  assert.equal(session.sent, before)
  await wakes(juliet, inMessage(displayed('m2')), inMessage(displayed('m3')))
  await rests(juliet)
  await says(romeo, juliet, displayed('m4'))
  const nurse = await enter('nurse')
  await says(nurse, juliet, BODY)
  await juliet.receives(inMessage(displayed('m4'))) // the device is awake now
  await juliet.receives(inMessage(BODY))
})

test('what a client never got because it went is not lost', async () => {
  const { romeo, juliet, store, session } = await lovers()
  await counts(juliet)
  await rests(juliet)
  const before = session.sent
  await shows(romeo, AWAY)
  await says(romeo, juliet, displayed('m1'))
  assert.equal(session.sent, before) // so an acknowledgement does not cover it
  juliet.link.clientVanishes()
  await romeo.receives(`<presence type='unavailable'/>`)
  const waiting = await store.messages.offline(juliet.jid.bare, 10)
  assert.deepEqual(
    waiting.map(({ xml }) => /id='(m\d)'/.exec(xml)?.[1]),
    ['m1'],
  )
})

test('a copy matters as much as what is copied', async () => {
  const { romeo, juliet, enter, session } = await lovers()
  const desk = await enter(juliet.bare, 'desk')
  await juliet.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
  await rests(juliet)
  const before = session.sent
  await says(romeo, desk, chatState('composing'))
  await says(desk, romeo, chatState('composing'))
  assert.equal(session.sent, before)
  await says(romeo, desk, BODY)
  await juliet.receives(`<message><received xmlns='urn:xmpp:carbons:2'/></message>`)
  await says(desk, romeo, BODY)
  await juliet.receives(`<message><sent xmlns='urn:xmpp:carbons:2'/></message>`)
})

test('what waits is bounded: then it goes, however unimportant', async () => {
  const { romeo, juliet, session } = await lovers()
  await rests(juliet)
  const before = session.sent
  for (let id = 1; id <= 500; id++)
    romeo.sends(`<message to='${juliet.full}' type='headline'>${event('n', `${id}`)}</message>`)
  await romeo.settles()
  assert.equal(session.sent, before)
  await says(romeo, juliet, event('n', '501'), 'headline')
  assert.equal(session.sent, before + 501)
  const status = `<status>${'a'.repeat(100_000)}</status>`
  for (const resource of ['one', 'two', 'three']) {
    romeo.sends(`<message to='${juliet.full}' type='headline'>${event('n', resource)}${status}</message>`)
  }
  await romeo.settles()
  assert.equal(session.sent, before + 504)
  await wakes(juliet, ...Array.from({ length: 504 }, () => '<message/>'))
})

test('a room that takes the client out says so at once', async () => {
  const { romeo, juliet } = await lovers()
  await rests(juliet)
  await shows(
    romeo,
    `<presence to='${juliet.full}' type='unavailable'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/><status code='307'/></x></presence>`,
  )
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
})

test('it can be said when binding, and be switched off', async () => {
  let hooks: Hooks | undefined
  const watched = { ...csi, setup: (ctx: Parameters<typeof csi.setup>[0]) => (hooks = csi.setup(ctx)) }
  const options: Record<string, unknown> = {}
  const all = features.map((one) => (one === csi ? watched : one))
  const { romeo, juliet, session } = await lovers({ features: all, options })
  const says = (name: string) => hooks?.inline?.onBind?.[nonzaKey(NS, name)]?.(el(name, NS), session)
  assert.deepEqual(hooks?.inline?.bind, [NS])
  says('inactive')
  await shows(romeo, AWAY)
  assert.equal(isInactive(session), true)
  says('active')
  await juliet.receives(`<presence from='${romeo.full}'><show>away</show></presence>`)
  options.clientState = 'off'
  await rests(juliet)
  await shows(romeo, '<presence/>')
  await juliet.receives(`<presence from='${romeo.full}'/>`)
})

test('a stream that is resumed is active, and has what waited (§5.2)', async () => {
  const { romeo, juliet, session } = await lovers()
  await counts(juliet)
  await rests(juliet)
  await says(romeo, juliet, displayed('m1'))
  becomeActive(session)
  await juliet.receives(inMessage(displayed('m1')))
  await says(romeo, juliet, displayed('m2'))
  await juliet.receives(inMessage(displayed('m2')))
})

test('a stream that is resumed while the old connection hangs is active, too, and has what waited', async () => {
  const { romeo, juliet, stranger } = await lovers()
  const id = await enableResume(juliet)
  await rests(juliet)
  await shows(romeo, AWAY)
  await says(romeo, juliet, displayed('m1'))
  const again = await resume({ stranger }, juliet, id, 1)
  await juliet.isClosed('conflict')
  await again.receives(AWAY)
  await again.receives(inMessage(displayed('m1')))
  await again.receives(`<r xmlns='${SM}'/>`)
  await shows(romeo, '<presence><show>dnd</show></presence>')
  await again.receives('<presence><show>dnd</show></presence>')
})
