// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, nothingFor, theatre } from '../../test/support/cast.ts'
import { assertLike, error } from '../../test/support/match.ts'
import { type Hooks, nonzaKey } from '../core/feature.ts'
import { el } from '../xml/element.ts'
import { carbons } from './0280-carbons.ts'
import { features } from './index.ts'

const NS = 'urn:xmpp:carbons:2'
const MUC_USER = 'http://jabber.org/protocol/muc#user'
const COMPOSING = `<composing xmlns='http://jabber.org/protocol/chatstates'/>`
const LINE = `<body>What man art thou?</body><thread>0e3141cd</thread>`

async function enables(...actors: readonly Actor[]): Promise<void> {
  for (const actor of actors) assertLike(await actor.sets(`<enable xmlns='${NS}'/>`), `<iq type='result'/>`)
}

/** A message as the copy has it inside. */
function inside(from: Actor, to: string, content: string, type = 'chat'): string {
  return `<message xmlns='jabber:client' from='${from.full}' to='${to}' type='${type}'>${content}</message>`
}

/** The copy that a client gets. */
function copy(way: 'sent' | 'received', client: Actor, message: string, type = 'chat'): string {
  const forwarded = `<forwarded xmlns='urn:xmpp:forward:0'>${message}</forwarded>`
  return `<message from='${client.bare}' to='${client.full}' type='${type}'><${way} xmlns='${NS}'>${forwarded}</${way}></message>`
}

function says(actor: Actor, to: string, content: string, type = 'chat', id = 'm'): void {
  actor.sends(`<message to='${to}' type='${type}' id='${id}'>${content}</message>`)
}

test('the server says that it has carbons, with the rules of the specification', async () => {
  const { romeo } = await cast('romeo')
  for (const to of ['localhost', romeo.bare]) {
    const info = await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, to)
    assertLike(
      info,
      `<iq><query xmlns='http://jabber.org/protocol/disco#info'><feature var='${NS}'/><feature var='urn:xmpp:carbons:rules:0'/></query></iq>`,
    )
  }
})

test('a client that wishes so gets what another client of its account gets', async () => {
  const { juliet, garden, home, tomb } = await cast('juliet', { garden: 'romeo', home: 'romeo', tomb: 'romeo' })
  await enables(home)
  says(juliet, garden.full, LINE)
  await garden.receives(inside(juliet, garden.full, LINE))
  await home.receives(copy('received', home, inside(juliet, garden.full, LINE)))
  await nothingFor(garden, home, tomb, juliet)
})

test('and what another client of its account sends, whether that one has carbons or not', async () => {
  const { juliet, garden, home, tomb } = await cast('juliet', { garden: 'romeo', home: 'romeo', tomb: 'romeo' })
  await enables(home)
  says(garden, juliet.full, LINE)
  await juliet.receives(inside(garden, juliet.full, LINE))
  await home.receives(copy('sent', home, inside(garden, juliet.full, LINE)))
  await enables(garden)
  says(garden, juliet.bare, LINE)
  await home.receives(copy('sent', home, inside(garden, juliet.bare, LINE)))
  await juliet.receives(inside(garden, juliet.bare, LINE))
  await nothingFor(garden, home, tomb, juliet)
})

test('the message is copied as it is, prefixes, addresses and all', async () => {
  const { juliet, garden, home } = await cast('juliet', { garden: 'romeo', home: 'romeo' })
  await enables(home)
  juliet.sends(
    `<message xmlns:x='urn:example:x' to='${garden.full}' type='chat' id='a&apos;b' from='${juliet.bare}'><body>1 &lt; 2</body><x:y z='&amp;'/></message>`,
  )
  const { attrs, children } = await garden.hears()
  const got = (await home.hears()).child('received', NS)?.elements[0]?.elements[0]
  assert.deepEqual({ attrs: got?.attrs, children: got?.children }, { attrs, children })
})

test('to switch on or off twice is no mistake, and a stranger cannot', async () => {
  const { juliet, garden, home } = await cast('juliet', { garden: 'romeo', home: 'romeo' })
  await enables(home, home)
  for (const _ of [1, 2]) assertLike(await home.sets(`<disable xmlns='${NS}'/>`), `<iq type='result'/>`)
  says(juliet, garden.full, LINE)
  await garden.receives(inside(juliet, garden.full, LINE))
  await nothingFor(home)
  await enables(home)
  says(juliet, garden.full, LINE)
  await home.receives(copy('received', home, inside(juliet, garden.full, LINE)))
  for (const name of ['enable', 'disable']) {
    const answer = await juliet.sets(`<${name} xmlns='${NS}'/>`, home.bare)
    assertLike(answer, `<iq type='error'>${error('cancel', 'service-unavailable')}</iq>`)
  }
})

test('what is for the account is copied only to those that do not get it anyway', async () => {
  const { juliet, garden, home, tomb } = await cast('juliet', { garden: 'romeo', home: 'romeo', tomb: 'romeo' })
  await enables(garden, home, tomb)
  home.sends('<presence><priority>-1</priority></presence>')
  tomb.sends(`<presence type='unavailable'/>`)
  for (const actor of [home, tomb, garden]) await actor.settles()
  says(juliet, garden.bare, LINE)
  await garden.receives(inside(juliet, garden.bare, LINE))
  for (const one of [home, tomb]) await one.receives(copy('received', one, inside(juliet, garden.bare, LINE)))
  garden.link.clientVanishes()
  await home.settles()
  says(juliet, garden.full, LINE)
  for (const one of [home, tomb]) await one.receives(copy('received', one, inside(juliet, garden.full, LINE)))
  home.sends('<presence/>')
  await home.receives(`<presence from='${home.full}'/>`)
  await home.receives(`<message from='${juliet.full}'>${LINE}<delay xmlns='urn:xmpp:delay'/></message>`)
  await nothingFor(home, tomb, juliet)
})

test('a note to oneself comes to each client once', async () => {
  const { garden, home, tomb } = await cast({ garden: 'romeo', home: 'romeo', tomb: 'romeo' })
  await enables(garden, home, tomb)
  tomb.sends('<presence><priority>-1</priority></presence>')
  for (const actor of [tomb, home, garden]) await actor.settles()
  says(garden, garden.bare, LINE)
  for (const one of [garden, home]) await one.receives(inside(garden, garden.bare, LINE))
  await tomb.receives(copy('sent', tomb, inside(garden, garden.bare, LINE)))
  says(garden, home.full, LINE)
  await home.receives(inside(garden, home.full, LINE))
  await tomb.receives(copy('sent', tomb, inside(garden, home.full, LINE)))
  garden.sends(`<message type='chat'>${LINE}</message>`)
  for (const one of [garden, home]) await one.receives(inside(garden, garden.bare, LINE))
  await tomb.receives(copy('sent', tomb, inside(garden, garden.bare, LINE)))
  await nothingFor(garden, home, tomb)
})

test('what belongs to a conversation is copied', async () => {
  const { juliet, garden, home } = await cast('juliet', { garden: 'romeo', home: 'romeo' })
  await enables(home)
  for (const [type, content] of [
    ['chat', COMPOSING],
    ['chat', `<encrypted xmlns='eu.siacs.conversations.axolotl'/>`],
    ['chat', `<propose xmlns='urn:xmpp:jingle-message:0' id='c'/>`],
    ['normal', '<body>hi</body>'],
    ['normal', `<received xmlns='urn:xmpp:receipts' id='m'/>`],
    ['normal', `<displayed xmlns='urn:xmpp:chat-markers:0' id='m'/>`],
    ['normal', `<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>`],
    ['normal', `<x xmlns='jabber:x:conference' jid='room@muc.localhost'/>`],
    ['normal', `<x xmlns='${MUC_USER}'><invite from='romeo@localhost'/></x>`],
    ['headline', COMPOSING],
  ] as const) {
    says(juliet, garden.full, content, type)
    await home.receives(copy('received', home, inside(juliet, garden.full, content, type), type))
    says(garden, juliet.full, content, type)
    await home.receives(copy('sent', home, inside(garden, juliet.full, content, type), type))
  }
  await nothingFor(home)
})

test('what does not is not', async () => {
  const { juliet, garden, home } = await cast('juliet', { garden: 'romeo', home: 'romeo' })
  await enables(home)
  for (const [type, content] of [
    ['normal', '<subject>no body</subject>'],
    ['headline', '<body>news</body>'],
    ['groupchat', `<body>to all</body>${COMPOSING}`],
    ['chat', `${LINE}<private xmlns='${NS}'/><no-copy xmlns='urn:xmpp:hints'/>`],
    ['chat', `<private xmlns='${NS}'/>${LINE}`],
    ['chat', `${LINE}<no-copy xmlns='urn:xmpp:hints'/>`],
    ['error', `${LINE}${error('cancel', 'gone')}`],
  ] as const) {
    says(juliet, garden.full, content, type)
    await garden.receives(inside(juliet, garden.full, content, type))
    says(garden, juliet.full, content, type)
    await juliet.receives(inside(garden, juliet.full, content, type))
  }
  await nothingFor(home)
})

test('an error is copied if what it answers was, whatever it says of it', async () => {
  const { juliet, garden, home } = await cast('juliet', { garden: 'romeo', home: 'romeo' })
  await enables(home)
  const gone = error('cancel', 'gone')
  says(garden, juliet.full, LINE, 'chat', 'm1')
  await home.receives(copy('sent', home, inside(garden, juliet.full, LINE)))
  says(juliet, garden.full, gone, 'error', 'm1')
  const copied = await home.receives(copy('received', home, inside(juliet, garden.full, gone, 'error'), 'error'))
  assertLike(copied, `<message type='error'>${gone}</message>`)
  says(juliet, garden.full, LINE, 'chat', 'm2')
  await home.receives(copy('received', home, inside(juliet, garden.full, LINE)))
  says(garden, juliet.full, gone, 'error', 'm2')
  await home.receives(copy('sent', home, inside(garden, juliet.full, gone, 'error'), 'error'))
  says(juliet, garden.full, gone, 'error', 'm3')
  says(garden, 'nobody@localhost', LINE, 'chat', 'm4')
  await home.receives(`<message><sent xmlns='${NS}'/></message>`)
  await home.receives(
    `<message type='error'><received xmlns='${NS}'/>${error('cancel', 'service-unavailable')}</message>`,
  )
  await nothingFor(home)
})

test('an error to a copy goes to nobody', async () => {
  const { juliet, garden, home } = await cast('juliet', { garden: 'romeo', home: 'romeo' })
  await enables(garden, home)
  says(juliet, garden.full, LINE, 'chat', 'm')
  await garden.receives(inside(juliet, garden.full, LINE))
  await home.receives(copy('received', home, inside(juliet, garden.full, LINE)))
  home.sends(`<message type='error' id='m' to='${home.bare}'>${error('cancel', 'gone')}</message>`)
  await home.settles()
  await nothingFor(juliet, garden, home)
})

test('private messages of rooms come from the room, and are copied to those who have joined only', async () => {
  const { juliet, garden, home, tomb } = await cast('juliet', { garden: 'romeo', home: 'romeo', tomb: 'romeo' })
  await enables(garden, home, tomb)
  const inRoom = `<body>psst</body><x xmlns='${MUC_USER}'/>`
  says(juliet, garden.full, inRoom)
  await garden.receives(inside(juliet, garden.full, inRoom))
  await nothingFor(home, tomb)
  // An account stands for the room, and its client for the nick.
  for (const client of [garden, home]) {
    client.sends(`<presence to='${juliet.bare}/nick'/>`)
    await client.settles()
  }
  says(garden, juliet.full, inRoom)
  await home.receives(copy('sent', home, inside(garden, juliet.full, inRoom)))
  await nothingFor(garden, tomb)
})

test('a forged copy is what it is: a message of somebody else', async () => {
  const { tybalt, garden, home } = await cast('tybalt', { garden: 'romeo', home: 'romeo' })
  await enables(home)
  const forged = `<received xmlns='${NS}'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='juliet@localhost/balcony'/></forwarded></received>`
  says(tybalt, garden.bare, forged)
  for (const one of [garden, home]) await one.receives(inside(tybalt, garden.bare, forged))
  await nothingFor(garden, home)
})

test('what is blocked is not copied', async () => {
  const { juliet, garden, home } = await cast('juliet', { garden: 'romeo', home: 'romeo' })
  await enables(home)
  await garden.sets(`<block xmlns='urn:xmpp:blocking'><item jid='${juliet.bare}'/></block>`)
  says(juliet, garden.full, LINE)
  await juliet.receives(`<message type='error'/>`)
  says(garden, juliet.full, LINE)
  await garden.receives(`<message type='error'/>`)
  await nothingFor(home)
})

test('a copy that a client did not acknowledge is not stored, nor does it go to others', async () => {
  const { juliet, garden, home } = await cast('juliet', { garden: 'romeo', home: 'romeo' })
  await enables(garden, home)
  home.sends(`<enable xmlns='urn:xmpp:sm:3'/>`)
  await home.receives(`<enabled xmlns='urn:xmpp:sm:3'/>`)
  says(juliet, garden.full, LINE)
  await garden.receives(inside(juliet, garden.full, LINE))
  await home.receives(copy('received', home, inside(juliet, garden.full, LINE)))
  home.link.clientVanishes()
  await garden.receives(`<presence type='unavailable' from='${home.full}'/>`)
  await nothingFor(garden)
})

test('a client that is gone leaves no trace, and one of Bind 2 may ask at once', async () => {
  let hooks: Hooks | undefined
  const watched = { ...carbons, setup: (ctx: Parameters<typeof carbons.setup>[0]) => (hooks = carbons.setup(ctx)) }
  const stage = await theatre({ features: features.map((one) => (one === carbons ? watched : one)) })
  const juliet = await stage.enter('juliet')
  const garden = await stage.enter('romeo', 'garden')
  const home = await stage.enter('romeo', 'home')
  const session = [...stage.server.sessions()].find(({ resource }) => resource === 'home')
  assert.ok(session && hooks?.inline?.bind?.includes(NS))
  hooks?.inline?.onBind?.[nonzaKey(NS, 'enable')]?.(el('enable', NS), session)
  says(juliet, garden.full, LINE)
  await home.receives(copy('received', home, inside(juliet, garden.full, LINE)))
  home.link.clientVanishes()
  await garden.settles()
  assert.equal(session.notes.has('carbons'), false)
})
