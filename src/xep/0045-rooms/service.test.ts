// SPDX-License-Identifier: Apache-2.0
// XEP-0045 §11 and §18.1.2: rooms that go on while servers and clients come and go; and who is woken by what is said.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import { enableResume, resume, SM } from '../../../test/support/resume.ts'
import {
  admin,
  asks,
  configures,
  enters,
  gathers,
  lines,
  makes,
  newRoom,
  OPEN,
  seen,
  USER,
} from '../../../test/support/rooms.ts'
import type { Feature } from '../../core/feature.ts'
import { Jid } from '../../xmpp/jid.ts'
import { features } from '../index.ts'

const INFO = `<query xmlns='http://jabber.org/protocol/disco#info'/>`

function groupchat(room: string, text: string): string {
  return `<message to='${room}' type='groupchat'><body>${text}</body></message>`
}

test('§11.1, §18.1.2: somebody whom messages do not reach any more is taken out, and the others are told why', async () => {
  const stage = await theatre()
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  hag.sends(`<message type='error' to='${room}/crone'>${error('cancel', 'not-acceptable')}</message>`)
  await nothingFor(hag, crone)
  for (const [actor, condition] of [
    [hag, 'recipient-unavailable'],
    [wicca, 'gone'],
  ] as const) {
    actor.sends(`<message type='error' to='${room}'>${error('wait', condition)}</message>`)
    await crone.receives(seen(`${room}/${actor === hag ? 'hag' : 'wicca'}`, `role='none'`, [333], `type='unavailable'`))
  }
})

test('§18.1.2: a client whose session is gone without a word is found out by what is sent to it, and by the hour', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock, limits: { idleTimeout: 6_000_000 } })
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  const vanish = (actor: Actor) => {
    for (const session of stage.server.sessions()) if (session.jid.equals(actor.jid)) session.directed.clear()
    actor.link.clientVanishes()
  }
  vanish(hag)
  crone.sends(groupchat(room, 'anybody?'))
  await crone.receivesAll(
    `<message from='${room}/crone'/>`,
    seen(`${room}/hag`, `role='none'`, [333], `type='unavailable'`),
  )
  await wicca.settles()
  vanish(wicca)
  clock.advance(600_000)
  await crone.receives(seen(`${room}/wicca`, `role='none'`, [333], `type='unavailable'`))
})

test('§18.1.2: who is on another server is asked when nothing was heard for long, and is gone if nobody answers', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock, limits: { idleTimeout: 6_000_000 } })
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  const id = await enableResume(crone)
  stage.store.rooms.enter({ room, jid: 'hag@remote.example/far', nick: 'hag', role: 'participant', presence: '' })
  await stage.store.durable()
  await stage.restarts()
  const back = await resume(stage, crone, id, 0)
  await nothingFor(back)
  clock.advance(600_000)
  const gone = seen(`${room}/hag`, `role='none'`, [333], `type='unavailable'`)
  await back.receivesAll(`<r xmlns='${SM}'/>`, gone)
})

test('§11.2: a restart is a pause: who resumes is in the room, under the same nick and role, and has missed nothing', async () => {
  const stage = await theatre()
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  await admin(crone, room, `<item nick='hag' role='participant'/>`)
  hag.sends(`<presence to='${room}/hag'><show>away</show></presence>`)
  for (const one of [crone, hag]) await one.settles()
  const ids = [await enableResume(crone), await enableResume(hag)] as const
  await stage.restarts()
  const newCrone = await resume(stage, crone, ids[0], 0)
  newCrone.sends(groupchat(room, 'before the other is back'))
  await newCrone.receives(`<message from='${room}/crone'><body>before the other is back</body></message>`)
  const newHag = await resume(stage, hag, ids[1], 0)
  await newHag.receives(`<message from='${room}/crone'><body>before the other is back</body></message>`)
  newHag.sends(groupchat(room, 'we are all here'))
  await newCrone.receives(`<message from='${room}/hag'><body>we are all here</body></message>`)
  const wicca = await stage.enter('wicca')
  const shown = (await enters(wicca, room, 'wicca')).find(({ attrs }) => attrs.from === `${room}/hag`)
  assert.ok(shown)
  assertLike(shown, `<presence><show>away</show><x ${USER}><item role='participant'/></x></presence>`)
})

test('what a room sent to a client that never came back goes to no other client of the same user', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock, limits: { idleTimeout: 6_000_000 } })
  const { crone, hag, laptop } = await stage.scene('crone', 'hag', { laptop: 'hag' })
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  await enableResume(hag, 60)
  await laptop.settles()
  hag.link.clientVanishes()
  crone.sends(groupchat(room, 'for those in the room'))
  await crone.settles()
  clock.advance(60_000)
  const heard = await laptop.hearsOut()
  assert.deepEqual(
    heard.map(({ attrs }) => attrs.type),
    ['unavailable'],
  )
})

test('§11.1: who was in the room when the server died, and does not come back, is gone for the others', async () => {
  const stage = await theatre()
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  const id = await enableResume(crone)
  await stage.account('hag')
  stage.store.rooms.enter({
    room,
    jid: 'hag@localhost/dead',
    nick: 'hag',
    role: 'participant',
    presence: '<show>away</show>',
  })
  await stage.store.durable()
  await stage.restarts()
  const back = await resume(stage, crone, id, 0)
  await back.receives(seen(`${room}/hag`, `role='none'`, [333], `type='unavailable'`))
  await back.receives(`<r xmlns='${SM}'/>`)
  await nothingFor(back)
  assert.deepEqual(
    (await stage.store.rooms.occupants()).map(({ nick }) => nick),
    ['crone'],
  )
})

test('§7.14: a room that is not to last is gone after a restart that nobody in it survived', async () => {
  const stage = await theatre()
  const { crone } = await stage.scene('crone')
  const [brief, lasting] = [newRoom(), newRoom()]
  await gathers(brief, { ...OPEN, persistentroom: '0' }, { crone })
  await makes(crone, lasting, 'crone', OPEN)
  await stage.restarts()
  const hag = await stage.enter('hag')
  assertLike(await hag.gets(INFO, brief), `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
  assertLike(await hag.gets(INFO, lasting), `<iq type='result'/>`)
})

test('settings, affiliations, reserved nicks and occupant ids outlast a restart', async () => {
  const stage = await theatre()
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { roomname: 'A Dark Cave' }, { crone })
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member' nick='thirdwitch'/>`)
  const idOf = async (actor: Actor): Promise<string | undefined> => {
    const self = (await enters(actor, room, 'crone')).find(({ attrs }) => attrs.from === `${room}/crone`)
    return self?.child('occupant-id', 'urn:xmpp:occupant-id:0')?.attrs.id
  }
  const id = await idOf(crone)
  await stage.restarts()
  const back = await stage.enter(crone.jid.local ?? '', 'crone')
  assert.equal(await idOf(back), id)
  assertLike(
    await back.gets(INFO, room),
    `<iq><query xmlns='http://jabber.org/protocol/disco#info'><identity name='A Dark Cave' category='conference' type='text'/></query></iq>`,
  )
  const member = await stage.enter(hag.jid.local ?? '', 'hag')
  assert.deepEqual(lines(await enters(member, room, 'thirdwitch'))[1], 'presence thirdwitch here 100 110 170')
})

test('an account that is removed has no place any more; its rooms go to their administrators, or go', async () => {
  const stage = await theatre()
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const [inherited, group, alone] = [newRoom(), newRoom(), newRoom()]
  await gathers(inherited, OPEN, { crone, hag })
  await admin(
    crone,
    inherited,
    `<item jid='${hag.bare}' affiliation='admin'/>`,
    `<item jid='${wicca.bare}' affiliation='member'/>`,
  )
  await makes(crone, group, 'crone')
  await admin(crone, group, `<item jid='${wicca.bare}' affiliation='member'/>`)
  await makes(crone, alone, 'crone', OPEN)
  await stage.accounts.remove(crone.jid.bare)
  assert.deepEqual(await stage.store.rooms.withPlaceOf(crone.jid.bare), [])
  const owners = async (actor: Actor, room: string) => {
    const answer = await actor.gets(
      `<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner'/></query>`,
      room,
    )
    return answer.elements[0]?.elements.map(({ attrs }) => attrs.jid)
  }
  assert.deepEqual(await owners(hag, inherited), [hag.bare])
  assert.deepEqual(await owners(wicca, group), [wicca.bare])
  assertLike(await hag.gets(INFO, alone), `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
})

test('presence may be kept from others in large rooms: of each role that is not shown, only moderators hear', async () => {
  const stage = await theatre()
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await makes(crone, room, 'crone', { ...OPEN, presencebroadcast: ['moderator'] })
  await enters(hag, room, 'hag')
  await crone.receives(seen(`${room}/hag`, `role='participant'`))
  assert.deepEqual(lines(await enters(wicca, room, 'wicca')), [
    'presence crone here',
    'presence wicca here 100 110 170',
    'message',
  ])
  await nothingFor(hag)
  await crone.settles()
  await admin(crone, room, `<item nick='wicca' role='moderator'/>`)
  await hag.receives(seen(`${room}/wicca`, `role='moderator'`))
  await admin(crone, room, `<item nick='wicca' role='participant'/>`)
  await hag.receives(seen(`${room}/wicca`, `role='none'`, [], `type='unavailable'`))
  hag.sends(groupchat(room, 'I am here'))
  for (const one of [crone, hag]) await one.receives(`<message from='${room}/hag'/>`)
})

test('what is said in a room wakes the phones of members who are not in it, once until they were there', async () => {
  const clock = new FakeClock()
  const got: string[] = []
  let tell = (): void => undefined
  const app: Feature = {
    name: 'test-app-server',
    implements: [],
    setup: () => ({
      iq: [
        {
          at: ['server'],
          type: 'set',
          ns: 'http://jabber.org/protocol/pubsub',
          name: 'pubsub',
          answer: ({ from }) => {
            got.push(from.bare.key)
            tell()
            return undefined
          },
        },
      ],
    }),
  }
  const stage = await theatre({ clock, hosts: ['localhost', 'push.localhost'], features: [...features, app] })
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, {}, { crone })
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member'/>`)
  for (const one of [hag, wicca]) {
    await one.sets(`<enable xmlns='urn:xmpp:push:0' jid='push.localhost' node='token'/>`)
    one.link.clientCloses()
    await one.isClosed(undefined)
  }
  const woken = new Promise<void>((resolve) => {
    tell = resolve
  })
  crone.sends(
    `<message to='${room}' type='groupchat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
  )
  crone.sends(groupchat(room, 'News!'))
  await woken
  crone.sends(groupchat(room, 'More news!'))
  await crone.settles()
  assert.deepEqual(got, [hag.bare])
})

test('when the removal of an account was interrupted, a room without an owner gets one when it is next looked at', async () => {
  const stage = await theatre()
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone')
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member'/>`)
  await stage.store.rooms.affiliate(Jid.parse(room), [
    { jid: crone.bare, affiliation: 'none', nick: undefined, reason: undefined },
  ])
  await stage.restarts()
  const back = await stage.enter(hag.jid.local ?? '', 'hag')
  await back.gets(INFO, room)
  await configures(back, room, OPEN)
})

test('a client that comes and goes all the time is held up, and one that says too much of itself is not let in', async () => {
  const stage = await theatre({ options: { roomMessageRate: 0.2 } })
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  asks(hag, room, 'hag', '', `<status>${'x'.repeat(20_000)}</status>`)
  await hag.receives(`<presence type='error'>${error('modify', 'not-acceptable')}</presence>`)
  await enters(hag, room, 'hag')
  hag.sends(`<presence to='${room}/hag' type='unavailable'/>`)
  await hag.settles()
  asks(hag, room, 'hag')
  await hag.receives(`<presence type='error'>${error('wait', 'policy-violation')}</presence>`)
})

test('a nick that a broken client sends fast is held up', async () => {
  const stage = await theatre({ options: { roomMessageRate: 0.2 } })
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  crone.sends(`<presence to='${room}/one'/>`)
  await crone.settles()
  crone.sends(`<presence to='${room}/two' id='p'/>`)
  await crone.receives(`<presence type='error' id='p'>${error('wait', 'policy-violation')}</presence>`)
  asks(crone, room, 'one')
  await crone.settles()
})
