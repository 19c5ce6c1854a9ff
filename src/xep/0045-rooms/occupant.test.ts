// SPDX-License-Identifier: Apache-2.0
// XEP-0045 §7.3 to §7.14: what those in a room do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nothingFor, theatre } from '../../../test/support/cast.ts'
import { assertLike, error } from '../../../test/support/match.ts'
import {
  ADMIN,
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

const stage = await theatre()

function groupchat(room: string, content: string, id = 'm'): string {
  return `<message to='${room}' type='groupchat' id='${id}'>${content}</message>`
}

function registration(nick: string, extra = ''): string {
  return `<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field><field var='muc#register_roomnick'><value>${nick}</value></field>${extra}</x></query>`
}

function invite(room: string, to: string, more = ''): string {
  return `<message to='${room}' id='invite'><x ${USER}><invite to='${to}'>${more}</invite></x></message>`
}

test('§7.3: participants change the subject if the room lets them', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(groupchat(room, '<subject>Mine</subject>'))
  await hag.receives(
    `<message type='error' from='${room}' id='m'><subject>Mine</subject>${error('auth', 'forbidden')}</message>`,
  )
  await configures(crone, room, { changesubject: '1' })
  await hag.settles()
  hag.sends(groupchat(room, '<subject>Mine</subject>'))
  await hag.receives(`<message from='${room}/hag' type='groupchat'><subject>Mine</subject></message>`)
})

test('§7.4: what is said reaches everybody, with its id, from the nick', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  hag.sends(
    groupchat(room, `<body>Harpier cries</body><active xmlns='http://jabber.org/protocol/chatstates'/>`, 'hysf1v37'),
  )
  for (const one of [crone, hag, wicca]) {
    await one.receives(
      `<message from='${room}/hag' to='${one.full}' id='hysf1v37' type='groupchat'><body>Harpier cries</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    )
  }
  hag.sends(`<message to='${room}' type='groupchat'><body>without an id</body></message>`)
  await crone.receives(`<message id='*'><body>without an id</body></message>`)
})

test('§7.4: who has no voice, and who is not there, says nothing', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  hag.sends(groupchat(room, '<body>Hi</body>'))
  await hag.receives(`<message type='error' from='${room}'><body>Hi</body>${error('auth', 'forbidden')}</message>`)
  wicca.sends(groupchat(room, '<body>Hi</body>'))
  await wicca.receives(`<message type='error' from='${room}'>${error('modify', 'not-acceptable')}</message>`)
  wicca.sends(groupchat(newRoom(), '<body>Hi</body>'))
  await wicca.receives(`<message type='error'>${error('cancel', 'item-not-found')}</message>`)
  await nothingFor(crone)
})

test('§7.4, §17.2: a message to the room that is for nobody is refused', async () => {
  const { crone } = await stage.scene('crone')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  crone.sends(`<message to='${room}' type='chat'><body>Hi</body></message>`)
  await crone.receives(`<message type='error'>${error('modify', 'bad-request')}</message>`)
})

test('§7.4: ids and marks of the room cannot be forged', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(
    groupchat(
      room,
      `<body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='${room}' id='forged'/><stanza-id xmlns='urn:xmpp:sid:0' by='other@rooms.localhost' id='kept'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/><delay xmlns='urn:xmpp:delay' from='${room}' stamp='2002-02-02T02:02:02Z'>forged</delay><x ${USER}><item affiliation='owner' jid='${crone.full}'/></x>`,
    ),
  )
  const said = await crone.hears()
  assertLike(
    said,
    `<message><body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='${room}' id='*'/><stanza-id xmlns='urn:xmpp:sid:0' id='kept'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/></message>`,
  )
  assert.doesNotMatch(said.xml('jabber:client'), /forged|owner/)
})

test('§7.4: too much too fast is refused, and the room goes on', async () => {
  const slow = await theatre({ options: { roomMessageRate: 0.2 } })
  const { crone } = await slow.scene('crone')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  crone.sends(groupchat(room, '<body>1</body>'))
  await crone.receives('<message><body>1</body></message>')
  crone.sends(groupchat(room, '<body>2</body>'))
  await crone.receives(`<message type='error'><body>2</body>${error('wait', 'policy-violation')}</message>`)
})

test('§7.5: a private message goes to one occupant alone, with all its clients', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  wicca.sends(`<message to='${room}/CRONE' type='chat' id='pm'><body>I'll give thee a wind.</body></message>`)
  await crone.receives(
    `<message from='${room}/wicca' to='${crone.full}' type='chat' id='pm'><body>I'll give thee a wind.</body><x ${USER}/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='*'/></message>`,
  )
  await nothingFor(hag, wicca)
})

test('§7.5: a private message is no groupchat, needs somebody who gets it, and somebody who is there', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(`<message to='${room}/crone' type='groupchat'><body>x</body></message>`)
  await hag.receives(`<message type='error' from='${room}/crone'>${error('modify', 'bad-request')}</message>`)
  hag.sends(`<message to='${room}/nobody' type='chat'><body>x</body></message>`)
  await hag.receives(`<message type='error' from='${room}/nobody'>${error('cancel', 'item-not-found')}</message>`)
  wicca.sends(`<message to='${room}/crone' type='chat'><body>x</body></message>`)
  await wicca.receives(`<message type='error' from='${room}/crone'>${error('modify', 'not-acceptable')}</message>`)
  await nothingFor(crone)
})

test('§7.5: the room says who may send private messages', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  const outcomes: Record<string, string> = {}
  for (const allowpm of ['anyone', 'participants', 'moderators', 'none']) {
    await configures(crone, room, { allowpm })
    const got = []
    for (const [one, other] of [
      ['hag', 'crone'],
      ['crone', 'hag'],
    ] as const) {
      const actor = one === 'hag' ? hag : crone
      actor.sends(`<message to='${room}/${other}' type='chat' id='pm'><body>x</body></message>`)
      got.push((await actor.hearsOut()).some(({ attrs }) => attrs.type === 'error') ? 'no' : 'yes')
    }
    outcomes[allowpm] = got.join(' ')
  }
  assert.deepEqual(outcomes, { anyone: 'yes yes', participants: 'no yes', moderators: 'no yes', none: 'no no' })
})

test('§7.6: another nick: the old one goes with the new one, and everybody sees both', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(`<presence to='${room}/oldhag' id='nick'/>`)
  await crone.receives(
    seen(
      `${room}/hag`,
      `affiliation='none' role='participant' nick='oldhag' jid='${hag.full}'`,
      [303],
      `type='unavailable'`,
    ),
  )
  await crone.receives(seen(`${room}/oldhag`, `affiliation='none' role='participant' jid='${hag.full}'`))
  await hag.receives(seen(`${room}/hag`, `nick='oldhag'`, [110, 303], `type='unavailable'`))
  await hag.receives(seen(`${room}/oldhag`, `role='participant'`, [110], `id='nick'`))
  hag.sends(groupchat(room, '<body>new</body>'))
  await crone.receives(`<message from='${room}/oldhag'/>`)
})

test('§7.6: a nick that is changed on the way in is said to be', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(`<presence to='${room}/old  hag' id='nick'/>`)
  await hag.receives(seen(`${room}/hag`, `nick='old hag'`, [110, 303], `type='unavailable'`))
  await hag.receives(seen(`${room}/old hag`, `role='participant'`, [110, 210]))
})

test('§7.6: a nick that somebody else has, or may have, is not to be had', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  await admin(crone, room, `<item jid='wicca@localhost' affiliation='member' nick='secondwitch'/>`)
  await hag.settles()
  for (const nick of ['crone', 'secondwitch']) {
    hag.sends(`<presence to='${room}/${nick}' id='nick'/>`)
    await hag.receives(
      `<presence type='error' id='nick' from='${room}/${nick}'>${error('cancel', 'conflict')}</presence>`,
    )
  }
  await nothingFor(crone)
})

test('§7.6, §7.10: where nicks are locked, members have theirs and no other', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', { ...OPEN, locknicks: '1' })
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member' nick='thirdwitch'/>`)
  const heard = await enters(hag, room, 'somebody')
  assert.deepEqual(lines(heard)[1], 'presence thirdwitch here 100 110 170 210')
  hag.sends(`<presence to='${room}/oldhag' id='nick'/>`)
  await hag.receives(seen(`${room}/thirdwitch`, `role='participant'`, [110]))
  await crone.settles()
  crone.sends(`<presence to='${room}/boss' id='nick'/>`)
  await crone.receives(`<presence type='error' id='nick'>${error('cancel', 'not-acceptable')}</presence>`)
})

test('§7.7: another availability is shown to everybody', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(`<presence to='${room}/hag'><show>xa</show><status>gone where the goblins go</status></presence>`)
  await crone.receives(
    `<presence from='${room}/hag'><show>xa</show><status>gone where the goblins go</status><x ${USER}><item affiliation='none' role='participant' jid='${hag.full}'/></x></presence>`,
  )
  await hag.receives(`<presence from='${room}/hag'><show>xa</show><x ${USER}><status code='110'/></x></presence>`)
})

test('§7.8.1: a direct invitation goes from one to the other (XEP-0249)', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  crone.sends(
    `<message to='${hag.bare}'><x xmlns='jabber:x:conference' jid='coven@rooms.localhost' reason='Hey'/></message>`,
  )
  await hag.receives(
    `<message from='${crone.full}'><x xmlns='jabber:x:conference' jid='coven@rooms.localhost' reason='Hey'/></message>`,
  )
})

test('§7.8.2: the room passes an invitation on, with its password; it may be declined, once, by whom it was for', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, passwordprotectedroom: '1', roomsecret: 'cauldronburn' }, { crone })
  crone.sends(invite(room, hag.bare, '<reason>For all good witches!</reason>'))
  await hag.receives(
    `<message from='${room}' to='${hag.bare}'><x ${USER}><invite from='${crone.bare}'><reason>For all good witches!</reason></invite><password>cauldronburn</password></x></message>`,
  )
  const decline = `<message to='${room}' id='no'><x ${USER}><decline to='${crone.bare}'><reason>Too busy</reason></decline></x></message>`
  wicca.sends(decline)
  await wicca.receives(`<message type='error' id='no'>${error('cancel', 'item-not-found')}</message>`)
  hag.sends(decline)
  await crone.receives(
    `<message from='${room}' to='${crone.full}'><x ${USER}><decline from='${hag.bare}'><reason>Too busy</reason></decline></x></message>`,
  )
  hag.sends(decline)
  await hag.receives(`<message type='error' id='no'>${error('cancel', 'item-not-found')}</message>`)
})

test('§7.8.2: nobody invites who is not there, nor whom nobody knows', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  crone.sends(invite(room, 'ghost@localhost'))
  await crone.receives(`<message type='error' id='invite'>${error('cancel', 'item-not-found')}</message>`)
  hag.sends(invite(room, crone.bare))
  await hag.receives(`<message type='error' id='invite'>${error('modify', 'not-acceptable')}</message>`)
  await nothingFor(crone)
})

test('§7.8.2: in a semi-anonymous room the invitation names the nick', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, { ...OPEN, whois: 'moderators' }, { crone, hag })
  hag.sends(invite(room, wicca.bare))
  await wicca.receives(`<message from='${room}'><x ${USER}><invite from='${room}/hag'/></x></message>`)
  wicca.sends(`<message to='${room}'><x ${USER}><decline to='${room}/hag'/></x></message>`)
  await hag.receives(`<message from='${room}'><x ${USER}><decline from='${wicca.bare}'/></x></message>`)
})

test('§7.9: a chat of two goes on in a room: its past keeps its times, and the invitation its thread', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  crone.sends(
    groupchat(
      room,
      `<thread>t1</thread><body>Thrice</body><delay xmlns='urn:xmpp:delay' from='${crone.full}' stamp='2004-09-29T01:54:37Z'/>`,
    ),
  )
  await crone.settles()
  crone.sends(
    `<message to='${room}'><x ${USER}><invite to='${hag.full}'><continue thread='t1'/></invite><invite to='${wicca.bare}'><continue thread='t1'/></invite></x></message>`,
  )
  for (const one of [hag, wicca]) {
    await one.receives(
      `<message from='${room}'><x ${USER}><invite from='${crone.bare}'><continue thread='t1'/></invite></x></message>`,
    )
  }
  const past = (await enters(hag, room, 'hag')).find((one) => one.child('body'))
  assert.ok(past)
  assert.deepEqual(
    past.childrenNamed('delay', 'urn:xmpp:delay').map(({ attrs }) => attrs.stamp),
    ['2004-09-29T01:54:37Z'],
  )
})

test('§7.10: whoever registers with an open room becomes its member, with a nick of their own', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  assertLike(
    await hag.gets(`<query xmlns='jabber:iq:register'/>`, room),
    `<iq type='result'><query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='form'><field var='muc#register_roomnick'><required/></field></x></query></iq>`,
  )
  assertLike(await hag.sets(registration('thirdwitch'), room), `<iq type='result'/>`)
  await crone.receives(seen(`${room}/hag`, `affiliation='member' role='participant' jid='${hag.full}'`))
  assertLike(
    await hag.gets(`<query xmlns='jabber:iq:register'/>`, room),
    `<iq type='result'><query xmlns='jabber:iq:register'><registered/><username>thirdwitch</username></query></iq>`,
  )
  assertLike(await wicca.sets(registration('ThirdWitch'), room), `<iq type='error'>${error('cancel', 'conflict')}</iq>`)
  asks(wicca, room, 'thirdwitch')
  await wicca.receives(`<presence type='error'>${error('cancel', 'conflict')}</presence>`)
  assertLike(await hag.sets(`<query xmlns='jabber:iq:register'><remove/></query>`, room), `<iq type='result'/>`)
  await crone.receives(seen(`${room}/hag`, `affiliation='none' role='participant'`))
})

test('§7.10: a room that is not there, a ban, no form: nobody registers', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone })
  const ask = `<query xmlns='jabber:iq:register'/>`
  assertLike(await hag.gets(ask, newRoom()), `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
  assertLike(await hag.sets(ask, room), `<iq type='error'>${error('modify', 'bad-request')}</iq>`)
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='outcast'/>`)
  assertLike(await hag.gets(ask, room), `<iq type='error'>${error('cancel', 'not-allowed')}</iq>`)
  assertLike(await hag.sets(registration('x'), room), `<iq type='error'>${error('cancel', 'not-allowed')}</iq>`)
})

test('§7.11: members of a room whose addresses are known see who the others are', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await makes(crone, room, 'crone')
  await admin(crone, room, `<item jid='${hag.bare}' affiliation='member' nick='hag'/>`)
  const query = `<query ${ADMIN}><item affiliation='member'/></query>`
  assertLike(
    await hag.gets(query, room),
    `<iq type='result'><query ${ADMIN}><item affiliation='member' jid='${hag.bare}' nick='hag'/></query></iq>`,
  )
  assertLike(await wicca.gets(query, room), `<iq type='error'>${error('auth', 'forbidden')}</iq>`)
  await configures(crone, room, { whois: 'moderators' })
  assertLike(await hag.gets(query, room), `<iq type='error'>${error('auth', 'forbidden')}</iq>`)
})

test('§7.12: whoever asks is told the nick that is theirs', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await makes(crone, room, 'crone', OPEN)
  await hag.sets(registration('thirdwitch'), room)
  const ask = `<query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'/>`
  assertLike(
    await hag.gets(ask, room),
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info' node='x-roomuser-item'><identity category='conference' type='text' name='thirdwitch'/></query></iq>`,
  )
  const none = await crone.gets(ask, room)
  assert.equal(none.attrs.type, 'result')
  assert.equal(none.elements[0]?.elements.length, 0)
})

test('§7.13: a visitor asks for a voice, and the moderators are asked', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, moderatedroom: '1' }, { crone, hag })
  hag.sends(
    `<message to='${room}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field><field var='muc#role'><value>participant</value></field></x></message>`,
  )
  await crone.receives(
    `<message from='${room}' to='${crone.full}'><x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#request</value></field><field var='muc#role'><value>participant</value></field><field var='muc#jid'><value>${hag.full}</value></field><field var='muc#roomnick'><value>hag</value></field><field var='muc#request_allow'><value>false</value></field></x></message>`,
  )
})

test('§7.14: who leaves is told so, then the others are, with the last words', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag })
  hag.sends(`<presence to='${room}/hag' type='unavailable'><status>gone where the goblins go</status></presence>`)
  await hag.receives(
    `<presence from='${room}/hag' to='${hag.full}' type='unavailable'><status>gone where the goblins go</status><x ${USER}><item affiliation='none' role='none' jid='${hag.full}'/><status code='110'/></x></presence>`,
  )
  await crone.receives(
    `<presence from='${room}/hag' type='unavailable'><status>gone where the goblins go</status><x ${USER}><item affiliation='none' role='none' jid='${hag.full}'/></x></presence>`,
  )
})

test('§7.14: who goes offline has left, and so has who just vanishes', async () => {
  const { crone, hag, wicca } = await stage.scene('crone', 'hag', 'wicca')
  const room = newRoom()
  await gathers(room, OPEN, { crone, hag, wicca })
  hag.sends(`<presence type='unavailable'/>`)
  await crone.receives(seen(`${room}/hag`, `role='none'`, [], `type='unavailable'`))
  await wicca.settles()
  wicca.link.clientVanishes()
  await crone.receives(seen(`${room}/wicca`, `role='none'`, [], `type='unavailable'`))
})

test('§7.14: a room that is not to last goes with the last one', async () => {
  const { crone, hag } = await stage.scene('crone', 'hag')
  const room = newRoom()
  await gathers(room, { ...OPEN, persistentroom: '0' }, { crone })
  crone.sends(`<presence to='${room}/crone' type='unavailable'/>`)
  await crone.settles()
  const info = `<query xmlns='http://jabber.org/protocol/disco#info'/>`
  assertLike(await hag.gets(info, room), `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
  const heard = await enters(hag, room, 'hag')
  assert.deepEqual(lines(heard)[0], 'presence hag here 100 110 170 201')
})
