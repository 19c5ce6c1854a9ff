// SPDX-License-Identifier: Apache-2.0
// XEP-0045 §7.1 and §7.2: entering a room.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nothingFor, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import {
  admin,
  asks,
  codesOf,
  configures,
  enters,
  gathers,
  hasCode,
  lines,
  MUC,
  makes,
  newRoom,
  OPEN,
  seen,
  USER,
} from '../../../test/support/rooms.ts'

const clock = new FakeClock()
const stage = await theatre({ clock, options: { roomOccupants: 25 } })

/** The error that somebody gets who may not enter. */
function refused(room: string, nick: string, type: string, condition: string): string {
  return `<presence type='error' id='join' from='${room}/${nick}'><x ${MUC}/><error type='${type}' by='${room}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>`
}

test('§7.1: who enters gets the others first, then itself, the past, and the subject', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'firstwitch', OPEN)
  crone.sends(`<message to='${room}' type='groupchat'><body>Thrice the brinded cat hath mew'd.</body></message>`)
  crone.sends(`<message to='${room}' type='groupchat'><subject>Spells</subject></message>`)
  await crone.settles()
  assert.deepEqual(lines(await enters(hag, room, 'thirdwitch')), [
    'presence firstwitch here',
    'presence thirdwitch here 100 110 170',
    `message firstwitch Thrice the brinded cat hath mew'd.`,
    'message firstwitch Spells',
  ])
  await crone.receives(seen(`${room}/thirdwitch`, `affiliation='none' role='participant' jid='${hag.full}'`))
})

test('§7.2.1: without a nick nobody gets in, nor with one of spaces, or with one that is too long', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  for (const to of [room, `${room}/%20`.replace('%20', ' '), `${room}/${'w'.repeat(129)}`]) {
    crone.sends(`<presence to='${to}' id='join'><x ${MUC}/></presence>`)
    await crone.receives(`<presence type='error' id='join'>${error('modify', 'jid-malformed')}</presence>`)
  }
})

test('§7.2.1, §17.3: who joins again gets everything once more; the others only hear what is new', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  const again = await enters(hag, room, 'hag')
  assert.deepEqual(lines(again), ['presence crone here', 'presence hag here 100 110 170', 'message'])
  await nothingFor(crone)
  asks(hag, room, 'hag', '', '<show>away</show>')
  await hag.settles()
  await crone.receives(`<presence from='${room}/hag'><show>away</show></presence>`)
})

test('§7.2.1: who joins again under another nick has the new one', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, persistentroom: '0' }, { hag, crone })
  await enters(hag, room, 'oldhag')
  await crone.receives(seen(`${room}/hag`, `role='none'`, [], `type='unavailable'`))
  await crone.receives(seen(`${room}/oldhag`, `affiliation='owner' role='moderator'`))
  crone.sends(`<presence to='${room}/crone' type='unavailable'/>`)
  await crone.settles()
  await enters(hag, room, 'hag')
  await configures(hag, room, {})
})

test('§7.2.2, §7.2.3: in a non-anonymous room everybody sees real addresses, and is told so', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  const [other, self] = await enters(hag, room, 'hag')
  assert.ok(other && self)
  assertLike(other, seen(`${room}/crone`, `affiliation='owner' role='moderator' jid='${crone.full}'`))
  assertLike(
    self,
    seen(`${room}/hag`, `affiliation='none' role='participant' jid='${hag.full}'`, [100, 110], `id='join'`),
  )
  await crone.receives(seen(`${room}/hag`, `jid='${hag.full}'`))
})

test('§7.2.4: in a semi-anonymous room only moderators see real addresses', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await makes(crone, room, 'crone', { ...OPEN, whois: 'moderators' })
  const [other, self] = await enters(hag, room, 'hag')
  assert.ok(other && self)
  assert.doesNotMatch(other.xml('jabber:client'), /jid=/)
  assert.ok(!hasCode(self, '100'))
  await crone.receives(seen(`${room}/hag`, `jid='${hag.full}'`))
  await enters(wicca, room, 'wicca')
  assert.doesNotMatch((await hag.hears()).xml('jabber:client'), /jid=/)
  await crone.receives(seen(`${room}/wicca`, `jid='${wicca.full}'`))
})

test('§7.2.5: a room with a password wants it', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', { ...OPEN, passwordprotectedroom: '1', roomsecret: 'cauldronburn' })
  for (const more of ['', '<password>wrong</password>']) {
    asks(hag, room, 'hag', more)
    await hag.receives(refused(room, 'hag', 'auth', 'not-authorized'))
  }
  await enters(hag, room, 'hag', '<password>cauldronburn</password>')
})

test('§7.2.6: a room for members only lets nobody else in', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone')
  asks(hag, room, 'hag')
  await hag.receives(refused(room, 'hag', 'auth', 'registration-required'))
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member'/>`)
  await enters(hag, room, 'hag')
})

test('§7.2.7: who is banned does not get in, nor anybody of a domain that is', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='outcast'/>`)
  asks(hag, room, 'hag')
  await hag.receives(refused(room, 'hag', 'auth', 'forbidden'))
  await admin(
    crone,
    room,
    `<item jid='${hag.bare}' affiliation='none'/>`,
    `<item jid='localhost' affiliation='outcast'/>`,
  )
  asks(hag, room, 'hag')
  await hag.receives(refused(room, 'hag', 'auth', 'forbidden'))
})

test('§7.2.8: a nick that somebody has, or that is reserved, is taken, whatever its letters look like', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await makes(crone, room, 'Crone', OPEN)
  await admin(crone, room, `<item jid='${wicca.bare}' affiliation='member' nick='secondwitch'/>`)
  for (const nick of ['Crone', 'cRONE', 'secondwitch', 'ＣＲＯＮＥ']) {
    asks(hag, room, nick)
    await hag.receives(`<presence type='error'>${error('cancel', 'conflict')}</presence>`)
  }
  await enters(wicca, room, 'secondwitch')
})

test('§7.2.8: several clients of one user share a nick: all get what is said, and the nick goes with the last', async () => {
  const { crone, phone, laptop } = await stage.scene('crone', { phone: 'hag', laptop: 'hag' })
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag: phone })
  const heard = await enters(laptop, room, 'hag')
  assert.deepEqual(lines(heard), ['presence crone here', 'presence hag here 100 110 170', 'message'])
  await nothingFor(crone, phone)
  laptop.sends(`<message to='${room}' type='groupchat'><body>Hi</body></message>`)
  for (const one of [crone, phone, laptop]) {
    await one.receives(`<message from='${room}/hag' type='groupchat'><body>Hi</body></message>`)
  }
  crone.sends(`<message to='${room}/hag' type='chat'><body>You two</body></message>`)
  for (const one of [phone, laptop]) await one.receives(`<message from='${room}/crone' type='chat'/>`)
  laptop.sends(`<presence type='unavailable' to='${room}/hag'/>`)
  await laptop.receives(seen(`${room}/hag`, `role='none'`, [110], `type='unavailable'`))
  await nothingFor(crone, phone)
  phone.sends(`<presence type='unavailable' to='${room}/hag'/>`)
  await crone.receives(seen(`${room}/hag`, `role='none'`, [], `type='unavailable'`))
})

test('§7.2.9: a full room lets in only its administrators, and not all of those', async () => {
  const { crone, hag, wicca, wizard } = await stage.scene('crone', 'hag', 'wicca', 'wizard')
  const room = newRoom()
  await gathers(room, { ...OPEN, maxusers: '10' }, { crone })
  for (let i = 0; i < 9; i++) await enters(await stage.enter(`guest-${i}`), room, `guest-${i}`)
  asks(hag, room, 'hag')
  await hag.receives(refused(room, 'hag', 'wait', 'service-unavailable'))
  await admin(crone, room, `<item jid='${wicca.bare}' affiliation='admin'/>`)
  await enters(wicca, room, 'wicca')
  asks(wizard, room, 'wizard')
  await wizard.receives(refused(room, 'wizard', 'wait', 'service-unavailable'))
})

test('§7.2.10: a room that waits for its configuration does not exist for others', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await enters(crone, room, 'crone')
  asks(hag, room, 'hag')
  await hag.receives(refused(room, 'hag', 'cancel', 'item-not-found'))
  hag.sends(`<message to='${room}' type='groupchat' id='m'><body>Hello?</body></message>`)
  await hag.receives(`<message type='error' id='m'>${error('cancel', 'item-not-found')}</message>`)
})

test('§7.2.11: who enters a room that does not exist makes it', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  const [self] = await enters(crone, room, 'crone')
  assert.ok(self)
  assertLike(self, seen(`${room}/crone`, `affiliation='owner' role='moderator'`, [110, 201]))
})

test('§7.2.12: a room with an archive says so, one without does not', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', { ...OPEN, enablearchiving: '0', whois: 'moderators' })
  const self = (await enters(hag, room, 'hag')).find((one) => hasCode(one, '110'))
  assert.deepEqual(self && codesOf(self), ['110'])
})

test('§7.2.13: the past has its time and the room that tells it, and comes without later changes of the subject', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  crone.sends(`<message to='${room}' type='groupchat' id='old'><body>Once</body></message>`)
  const stamp = new Date(clock.now()).toISOString()
  await crone.settles()
  clock.advance(5000)
  const heard = await enters(hag, room, 'hag')
  const [past] = heard.filter(({ name }) => name === 'message')
  assert.ok(past)
  assertLike(
    past,
    `<message from='${room}/crone' type='groupchat' id='old' to='${hag.full}'><body>Once</body><delay xmlns='urn:xmpp:delay' from='${room}' stamp='${stamp}'/><stanza-id xmlns='urn:xmpp:sid:0' by='${room}' id='*'/></message>`,
  )
})

test('§7.2.14: whoever enters says how much of the past they want: by count, size and time', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  for (const text of ['one', 'two', 'three']) {
    crone.sends(`<message to='${room}' type='groupchat'><body>${text}</body></message>`)
    await crone.settles()
    clock.advance(60_000)
  }
  const since = new Date(clock.now() - 130_000).toISOString()
  const past = async (history: string): Promise<string> => {
    const heard = await enters(hag, room, 'hag', `<history ${history}/>`)
    return heard.flatMap((one) => one.childText('body') ?? []).join(' ')
  }
  assert.equal(await past(`maxstanzas='100'`), 'one two three')
  assert.equal(await past(`maxstanzas='2'`), 'two three')
  assert.equal(await past(`maxchars='0'`), '')
  assert.equal(await past(`maxchars='600'`), 'three')
  assert.equal(await past(`seconds='70'`), 'three')
  assert.equal(await past(`since='${since}'`), 'two three')
  assert.equal(await past(`since='1970-01-01T00:00:00Z' maxstanzas='1'`), 'three')
  assert.equal(await past(`seconds='130' maxstanzas='1'`), 'three')
  for (const wrong of [`maxstanzas='many'`, `since='yesterday'`]) {
    asks(hag, room, 'hag', `<history ${wrong}/>`)
    await hag.receives(`<presence type='error'>${error('modify', 'bad-request')}</presence>`)
  }
})

test('§7.2.14: a room says how many messages of the past it sends at most', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', { ...OPEN, 'muc#maxhistoryfetch': '1' })
  for (const text of ['one', 'two'])
    crone.sends(`<message to='${room}' type='groupchat'><body>${text}</body></message>`)
  await crone.settles()
  const heard = await enters(hag, room, 'hag')
  assert.deepEqual(
    heard.flatMap((one) => one.childText('body') ?? []),
    ['two'],
  )
})

test('§7.2.15: the subject comes with who set it and when; an empty one if there is none', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  const none = (await enters(hag, room, 'hag')).at(-1)
  assert.ok(none)
  assertLike(none, `<message from='${room}' type='groupchat'><subject/></message>`)
  crone.sends(`<message to='${room}' type='groupchat'><subject>Fire &amp; bubble</subject></message>`)
  await crone.settles()
  const stamp = new Date(clock.now()).toISOString()
  clock.advance(1000)
  const subject = (await enters(hag, room, 'hag')).at(-1)
  assert.ok(subject)
  assertLike(
    subject,
    `<message from='${room}/crone' type='groupchat'><subject>Fire &amp; bubble</subject><delay xmlns='urn:xmpp:delay' from='${room}' stamp='${stamp}'/></message>`,
  )
})

test('§7.2.16: after the subject comes what happens now', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  asks(hag, room, 'hag')
  await hag.settles()
  crone.sends(`<message to='${room}' type='groupchat'><body>now</body></message>`)
  const live = await hag.hears()
  assertLike(live, `<message from='${room}/crone'><body>now</body></message>`)
  assert.equal(live.child('delay', 'urn:xmpp:delay'), undefined)
})

test('§7.2.18: presence without the element of joining is no way in', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  for (const to of [`${room}/hag`, `${newRoom()}/hag`]) {
    hag.sends(`<presence to='${to}'/>`)
    await hag.receives(
      `<presence from='${to}' type='unavailable'><x ${USER}><item affiliation='none' role='none'><reason>You are not in the room.</reason></item><status code='110'/><status code='307'/><status code='333'/></x></presence>`,
    )
  }
  await nothingFor(crone)
})

test('§17.3: other types of presence are neither a way in nor a way out', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  for (const type of ['probe', 'unavailable', 'error']) {
    hag.sends(`<presence to='${room}/hag' type='${type}'><x ${MUC}/></presence>`)
    crone.sends(`<presence to='${room}/crone' type='${type === 'unavailable' ? 'probe' : type}'/>`)
  }
  await nothingFor(hag)
  crone.sends(`<message to='${room}' type='groupchat'><body>still here</body></message>`)
  await crone.settles()
  await configures(crone, room, OPEN)
})

test('§17.3: what only rooms say is not taken from a client', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  asks(
    hag,
    room,
    'hag',
    '',
    `<x ${USER}><item affiliation='owner' role='moderator'/><status code='201'/></x><c xmlns='http://jabber.org/protocol/caps' node='n' ver='v' hash='sha-1'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/><hats xmlns='urn:xmpp:hats:0'><hat title='King' uri='x'/></hats>`,
  )
  const shown = await crone.hears()
  assertLike(
    shown,
    `<presence from='${room}/hag'><c xmlns='http://jabber.org/protocol/caps' node='n' ver='v'/><x ${USER}><item affiliation='none' role='participant'/></x></presence>`,
  )
  assert.doesNotMatch(shown.xml('jabber:client'), /forged|King|201|muc'/)
})
