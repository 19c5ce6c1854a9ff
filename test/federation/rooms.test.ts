// SPDX-License-Identifier: Apache-2.0
// Rooms whose occupants are on two servers (XEP-0045). The room is at Capulet's; each test looks from both sides.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseElement } from '../../src/xml/reader.ts'
import type { Actor } from '../support/cast.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { assertLike, error } from '../support/match.ts'
import { enableResume, resume } from '../support/resume.ts'
import { admin, asks, configures, hasCode, lines, OPEN, seen, USER } from '../support/rooms.ts'
import { allSettle, CAPULET, lovers, MONTAGUE, otherThan, type TwoServers } from '../support/two-servers.ts'

const ROOM = `ball@rooms.${CAPULET}`
const PING = `<ping xmlns='urn:xmpp:ping'/>`

interface Ball extends TwoServers {
  readonly juliet: Actor
  readonly romeo: Actor
}

/** Enters, and gives everything that came until both servers were done. */
async function comes(actor: Actor, nick: string, more = ''): Promise<ReturnType<Actor['hearsOut']>> {
  asks(actor, ROOM, nick, more)
  const heard = await actor.hearsOut(actor.jid.domain === CAPULET ? CAPULET : otherThan(actor))
  assert.ok(
    heard.some((one) => one.name === 'presence' && hasCode(one, '110')),
    heard.map((one) => one.xml('jabber:client')).join(''),
  )
  return heard
}

/** A room of Juliet's with Romeo in it. */
async function ball(settings: Readonly<Record<string, string>> = OPEN, clock?: FakeClock): Promise<Ball> {
  const stage = { ...(clock && { clock }), limits: { idleTimeout: 86_400_000, resumeTimeout: 86_400_000 } }
  const world = await lovers({ capulet: stage, montague: stage })
  await comes(world.juliet, 'juliet')
  await configures(world.juliet, ROOM, settings)
  if (settings.membersonly === '0') await comes(world.romeo, 'romeo')
  await allSettle(world.juliet, world.romeo)
  return world
}

function says(id: string, to = ROOM, type = 'groupchat'): string {
  return `<message type='${type}' id='${id}' to='${to}'><body>${id}</body></message>`
}

/** Nobody is left in the room under this nick. */
const left = (nick: string, code?: number): string =>
  seen(`${ROOM}/${nick}`, `role='none'`, code ? [code] : [], `type='unavailable'`)

test('somebody from elsewhere enters, sees who is there, what was said and what it is about, and is seen (§7.2)', async () => {
  const world = await lovers()
  const { juliet, romeo } = world
  await comes(juliet, 'juliet')
  await configures(juliet, ROOM, OPEN)
  juliet.sends(says('hello'))
  juliet.sends(`<message type='groupchat' to='${ROOM}'><subject>A feast</subject></message>`)
  await juliet.settles()
  assert.deepEqual(lines(await comes(romeo, 'romeo')), [
    'presence juliet here',
    'presence romeo here 100 110 170',
    'message juliet hello',
    'message juliet A feast',
  ])
  await juliet.receives(seen(`${ROOM}/romeo`, `jid='${romeo.full}' affiliation='none' role='participant'`))
  romeo.sends(says('good evening'))
  for (const actor of [juliet, romeo])
    await actor.receives(`<message from='${ROOM}/romeo' to='${actor.full}' id='good evening'/>`)
  romeo.sends(`<presence type='unavailable' to='${ROOM}/romeo'/>`)
  await romeo.receives(`<presence type='unavailable' from='${ROOM}/romeo'/>`)
  await juliet.receives(left('romeo'))
})

test('somebody whose client is gone leaves, since its own server says goodbye (RFC 6121 §4.6.3)', async () => {
  const { juliet, romeo } = await ball()
  romeo.link.clientVanishes()
  await juliet.receives(left('romeo'))
})

test('who resumes is still in the room, after a restart of its own server too', async () => {
  const { montague, juliet, romeo } = await ball()
  const id = await enableResume(romeo)
  romeo.link.clientVanishes()
  juliet.sends(says('are you there?'))
  await juliet.receives(`<message id='are you there?'/>`)
  await montague.restarts()
  const back = await resume(montague, romeo, id, 0)
  await back.receives(`<message id='are you there?' from='${ROOM}/juliet'/>`)
  back.sends(says('I am'))
  await juliet.receives(`<message id='I am' from='${ROOM}/romeo'/>`)
  back.sends(`<presence type='unavailable'/>`)
  await juliet.receives(left('romeo'))
})

test('those from elsewhere are in the room after a restart of the server that it is on', async () => {
  const { capulet, juliet, romeo } = await ball()
  const id = await enableResume(juliet)
  await capulet.restarts()
  const back = await resume(capulet, juliet, id, 0)
  romeo.sends(says('was there something?'))
  await back.receives(`<message id='was there something?' from='${ROOM}/romeo'/>`)
  await romeo.receives(`<message id='was there something?'/>`)
})

test('a road that is blocked for a while takes nobody out; one that is cut does (§18.1.2)', async () => {
  const { juliet, romeo, road } = await ball()
  road.stop()
  juliet.sends(says('one'))
  await juliet.receives(`<message id='one'/>`)
  await juliet.receivesNothing()
  road.heal()
  await romeo.receives(`<message id='one'/>`)
  road.cut()
  juliet.sends(says('two'))
  await juliet.receivesAll(`<message id='two'/>`, left('romeo', 333))
  road.heal()
  romeo.sends(says('what is the matter?'))
  await romeo.receives(`<message type='error' from='${ROOM}'>${error('modify', 'not-acceptable')}</message>`)
})

test('a client that vanished without a word is out at the first message that comes back, or is asked by the hour', async () => {
  const clock = new FakeClock()
  const { montague, juliet, romeo } = await ball(OPEN, clock)
  const vanish = async (): Promise<void> => {
    for (const session of montague.server.sessions()) session.directed.clear()
    romeo.link.clientVanishes()
    await juliet.settles(MONTAGUE)
  }
  await vanish()
  juliet.sends(says('one'))
  await juliet.receivesAll(`<message id='one'/>`, left('romeo', 333))
  const phone = await montague.enter('romeo', 'phone')
  await comes(phone, 'romeo')
  await juliet.settles()
  for (const session of montague.server.sessions()) session.directed.clear()
  phone.link.clientVanishes()
  clock.advance(600_000)
  await juliet.receives(left('romeo', 333))
})

test('who is silent since its connection is away for a while stays', async () => {
  const clock = new FakeClock()
  const { montague, juliet, romeo } = await ball(OPEN, clock)
  const id = await enableResume(romeo, 7200)
  romeo.link.clientVanishes()
  await juliet.settles(MONTAGUE)
  for (const time of [600_000, 30_000]) {
    clock.advance(time)
    await juliet.receivesNothing(MONTAGUE)
  }
  const back = await resume(montague, romeo, id, 0)
  const asked = await back.receives(`<iq type='get' from='${ROOM}'>${PING}</iq>`)
  back.sends(`<iq type='result' id='${asked.attrs.id}' to='${ROOM}'/>`)
  back.sends(says('I am back'))
  await juliet.receives(`<message id='I am back' from='${ROOM}/romeo'/>`)
})

test('a private message goes across, and one that does not arrive comes back without telling who it was (§7.5)', async () => {
  const { juliet, romeo } = await ball()
  romeo.sends(says('psst', `${ROOM}/juliet`, 'chat'))
  await juliet.receives(
    `<message type='chat' from='${ROOM}/romeo' to='${juliet.full}' id='psst'><x ${USER}/></message>`,
  )
  juliet.sends(says('yes?', `${ROOM}/romeo`, 'chat'))
  await romeo.receives(`<message type='chat' from='${ROOM}/juliet' id='yes?'/>`)
  romeo.sends(
    `<message type='error' id='yes?' to='${ROOM}/juliet'><error type='cancel' by='${romeo.bare}'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
  )
  const back = await juliet.receives(
    `<message type='error' id='yes?' from='${ROOM}/romeo'>${error('cancel', 'service-unavailable')}</message>`,
  )
  assert.equal(back.xml('').includes(MONTAGUE), false)
  await juliet.receivesNothing(MONTAGUE) // he did not leave for it
})

test('questions go to occupants and come back, and one asks the room whether one is in it (§17.4, XEP-0410)', async () => {
  const { juliet, romeo } = await ball()
  const version = `<query xmlns='jabber:iq:version'/>`
  juliet.sends(`<iq type='get' id='v' to='${ROOM}/romeo'>${version}</iq>`)
  const asked = await romeo.receives(`<iq type='get' from='${ROOM}/juliet'>${version}</iq>`)
  romeo.sends(
    `<iq type='result' id='${asked.attrs.id}' to='${ROOM}/juliet'><query xmlns='jabber:iq:version'><name>Psi</name></query></iq>`,
  )
  await juliet.receives(`<iq type='result' id='v' from='${ROOM}/romeo'/>`)
  assertLike(await romeo.gets(PING, `${ROOM}/romeo`), `<iq type='result'/>`)
  romeo.sends(`<presence type='unavailable' to='${ROOM}/romeo'/>`)
  assertLike(await romeo.gets(PING, `${ROOM}/romeo`), `<iq type='error'>${error('cancel', 'not-acceptable')}</iq>`)
})

test('a vCard and keys of an occupant are asked for through the room', async () => {
  const { juliet, romeo } = await ball()
  await romeo.sets(`<vCard xmlns='vcard-temp'><NICKNAME>Romeo</NICKNAME></vCard>`)
  assertLike(
    await juliet.gets(`<vCard xmlns='vcard-temp'/>`, `${ROOM}/romeo`),
    `<iq type='result' from='${ROOM}/romeo'><vCard xmlns='vcard-temp'><NICKNAME>Romeo</NICKNAME></vCard></iq>`,
  )
})

test('a private group: who is invited from elsewhere may come, others may not; who declines is heard (§7.8)', async () => {
  const { juliet, romeo, montague } = await ball({ membersonly: '1' })
  asks(romeo, ROOM, 'romeo')
  await romeo.receives(`<presence type='error'>${error('auth', 'registration-required')}</presence>`)
  const tybalt = await montague.enter('tybalt')
  juliet.sends(
    `<message to='${ROOM}'><x ${USER}><invite to='${romeo.bare}'><reason>Come</reason></invite><invite to='${tybalt.bare}'/></x></message>`,
  )
  await romeo.receives(
    `<message from='${ROOM}' to='${romeo.bare}'><x ${USER}><invite from='*'><reason>Come</reason></invite></x></message>`,
  )
  const invitation = await tybalt.receives(`<message from='${ROOM}'><x ${USER}><invite from='*'/></x></message>`)
  await comes(romeo, 'romeo')
  await juliet.receives(`<presence from='${ROOM}/romeo'/>`)
  const inviter = invitation.child('x', 'http://jabber.org/protocol/muc#user')?.child('invite')?.attrs.from
  tybalt.sends(`<message to='${ROOM}'><x ${USER}><decline to='${inviter}'/></x></message>`)
  await juliet.receives(`<message from='${ROOM}'><x ${USER}><decline from='${tybalt.bare}'/></x></message>`)
  romeo.sends(`<message to='${juliet.bare}'><x xmlns='jabber:x:conference' jid='${ROOM}'/></message>`)
  await juliet.receives(`<message from='${romeo.full}'><x xmlns='jabber:x:conference' jid='${ROOM}'/></message>`)
})

test('the archive of a room is read from elsewhere by those who may enter (XEP-0313 §6.1.2)', async () => {
  const { juliet, romeo, montague } = await ball({ ...OPEN, membersonly: '1' })
  juliet.sends(says('one'))
  await juliet.receives(`<message id='one'/>`)
  const query = `<query xmlns='urn:xmpp:mam:2' queryid='q'/>`
  assertLike(await romeo.sets(query, ROOM), `<iq type='error' from='${ROOM}'>${error('auth', 'forbidden')}</iq>`)
  await admin(juliet, ROOM, `<item jid='${romeo.bare}' affiliation='member'/>`)
  await romeo.hearsOut(CAPULET)
  romeo.sends(`<iq type='set' id='q' to='${ROOM}'>${query}</iq>`)
  await romeo.receives(
    `<message from='${ROOM}' to='${romeo.full}'><result xmlns='urn:xmpp:mam:2' queryid='q' id='*'><forwarded xmlns='urn:xmpp:forward:0'>
      <message xmlns='jabber:client' type='groupchat' from='${ROOM}/juliet' id='one'/></forwarded></result></message>`,
  )
  await romeo.receives(`<iq type='result' id='q'><fin xmlns='urn:xmpp:mam:2' complete='true'/></iq>`)
  const { messages } = await montague.store.messages.page(romeo.jid.bare, { limit: 10 })
  assert.deepEqual(
    messages.filter(({ xml }) => xml.includes('mam:2')),
    [],
  ) // what an archive sent is archived nowhere
})

test('a whole archive comes through, whatever strangers may send (XEP-0205)', async () => {
  const world = await lovers({ montague: { limits: { strangerMessagesPerHour: 2 } } })
  const { juliet, romeo } = world
  await comes(juliet, 'juliet')
  await configures(juliet, ROOM, OPEN)
  for (let number = 0; number < 9; number++) juliet.sends(says(`m${number}`))
  await juliet.settles()
  romeo.sends(`<iq type='set' id='q' to='${ROOM}'><query xmlns='urn:xmpp:mam:2'/></iq>`)
  const heard = await romeo.hearsOut(CAPULET)
  assert.equal(heard.filter(({ name }) => name === 'message').length, 9)
})

test('whoever is banned is out, alone or with all of a domain (§9.1)', async () => {
  const { juliet, romeo } = await ball()
  await admin(juliet, ROOM, `<item jid='${MONTAGUE}' affiliation='outcast'/>`)
  await romeo.receives(seen(`${ROOM}/romeo`, `role='none'`, [301], `type='unavailable'`))
  asks(romeo, ROOM, 'romeo')
  await romeo.receives(`<presence type='error'>${error('auth', 'forbidden')}</presence>`)
})

test('nobody makes a room elsewhere, and what is for a room that is not there comes back', async () => {
  const { romeo } = await lovers()
  asks(romeo, `new@rooms.${CAPULET}`, 'romeo')
  await romeo.receives(`<presence type='error' from='*'/>`)
  romeo.sends(says('hello', `new@rooms.${CAPULET}`))
  await romeo.receives(`<message type='error' id='hello'>${error('cancel', 'item-not-found')}</message>`)
})

test('a conversation with an occupant elsewhere is kept for both, what is said to all only in the room', async () => {
  const { capulet, montague, juliet, romeo } = await ball()
  romeo.sends(says('to all'))
  romeo.sends(says('to you', `${ROOM}/juliet`, 'chat'))
  await juliet.receives(`<message id='to all'/>`)
  await juliet.receives(`<message id='to you'/>`)
  for (const [stage, actor] of [
    [capulet, juliet],
    [montague, romeo],
  ] as const) {
    const { messages } = await stage.store.messages.page(actor.jid.bare, { limit: 10 })
    assert.deepEqual(
      messages.map(({ xml }) => parseElement(xml, 'jabber:client').attrs.id),
      ['to you'],
    )
  }
})
