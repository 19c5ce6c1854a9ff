// SPDX-License-Identifier: Apache-2.0
// Presence (RFC 6121 §4): who learns of whom, when, and that nobody else does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, theatre } from '../../test/support/cast.ts'
import { befriend, follow } from '../../test/support/friends.ts'
import { error } from '../../test/support/match.ts'
import { ping } from '../xep/0199-ping.ts'

const stage = await theatre({ features: [ping] })

/** Another client of the same account that has not sent presence. */
function second(actor: Actor, resource = 'second'): Promise<Actor> {
  return stage.enter(actor.bare, resource, false)
}

test('initial presence goes to the client itself, to its siblings and to those who may see it (§4.2.2)', async () => {
  const { juliet, both, from, to, none } = await stage.scene('juliet', 'both', 'from', 'to', 'none')
  await befriend(juliet, both)
  await follow(from, juliet)
  await follow(juliet, to)
  for (const actor of [juliet, both, from, to, none]) await actor.settles()
  const balcony = await second(juliet)
  balcony.sends(`<presence id='p' xml:lang='en'><show>chat</show><status>Soft</status><c xmlns='urn:x'/></presence>`)
  const seen = `<presence id='p' from='${balcony.full}' xml:lang='en'><show>chat</show><status>Soft</status><c xmlns='urn:x'/></presence>`
  await balcony.receives(seen)
  const atSibling = await juliet.receives(seen)
  assert.equal(atSibling.attrs.to, juliet.bare)
  for (const contact of [both, from]) {
    const presence = await contact.receives(seen)
    assert.equal(presence.attrs.to, contact.bare, '`to` is the bare JID of the contact')
  }
  await nothingFor(juliet, both, from, to, none)
})

test('a client that becomes available learns who is there: contacts it may see, and siblings (§4.3)', async () => {
  const { juliet, both, to, from, offline } = await stage.scene('juliet', 'both', 'to', 'from', 'offline')
  await befriend(juliet, both)
  await follow(juliet, to)
  await follow(from, juliet)
  await befriend(juliet, offline)
  offline.link.clientCloses()
  await offline.isClosed(undefined)
  both.sends(`<presence id='b1'><show>away</show><status>at court</status></presence>`)
  await both.settles()
  const balcony = await second(juliet)
  await balcony.receivesNothing()
  balcony.sends('<presence/>')
  await balcony.receivesAll(
    `<presence from='${balcony.full}'/>`,
    `<presence from='${juliet.full}'/>`,
    `<presence id='b1' from='${both.full}'><show>away</show><status>at court</status></presence>`,
    `<presence from='${to.full}'/>`,
  )
  await balcony.receivesNothing()
})

test('every available client of a contact is told, and no other (§4.2.3)', async () => {
  const { juliet, phone, laptop } = await stage.scene('juliet', { phone: 'romeo' }, { laptop: 'romeo' })
  await follow(phone, juliet)
  const quiet = await second(phone, 'quiet')
  await laptop.settles()
  juliet.sends('<presence><show>xa</show></presence>')
  for (const client of [phone, laptop]) {
    await client.receives(`<presence from='${juliet.full}' to='${phone.bare}'><show>xa</show></presence>`)
  }
  await nothingFor(quiet, phone, laptop)
})

test('an update is broadcast whole (§4.4.2), and nobody is probed again', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  await befriend(juliet, romeo)
  juliet.sends(`<presence id='u'><show>dnd</show><status>Wooed</status><priority>1</priority></presence>`)
  const seen = `<presence id='u' from='${juliet.full}'><show>dnd</show><status>Wooed</status><priority>1</priority></presence>`
  await romeo.receives(seen)
  await juliet.receives(seen)
  await nothingFor(juliet, romeo)
})

test('unavailable presence is broadcast whole, to the client itself too (§4.5.2), and only once', async () => {
  const { juliet, balcony, romeo } = await stage.scene('juliet', { balcony: 'juliet' }, 'romeo')
  await befriend(juliet, romeo)
  await balcony.settles()
  balcony.sends(`<presence type='unavailable'><status>going on vacation</status></presence>`)
  const seen = `<presence type='unavailable' from='${balcony.full}'><status>going on vacation</status></presence>`
  for (const client of [romeo, juliet, balcony]) await client.receives(seen)
  balcony.link.clientCloses()
  await balcony.isClosed(undefined)
  await nothingFor(juliet, romeo)
})

test('a connection that breaks makes its client unavailable (§4.5.2)', async () => {
  const { juliet, balcony, romeo } = await stage.scene('juliet', { balcony: 'juliet' }, 'romeo')
  await befriend(juliet, romeo)
  await balcony.settles()
  balcony.link.clientVanishes()
  for (const client of [romeo, juliet]) await client.receives(`<presence type='unavailable' from='${balcony.full}'/>`)
  await nothingFor(juliet, romeo)
})

test('a client that is connected and not available leaves without a word', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  await befriend(juliet, romeo)
  const quiet = await second(juliet)
  quiet.link.clientCloses()
  await quiet.isClosed(undefined)
  await nothingFor(juliet, romeo)
})

test('after unavailable, available is a new beginning: who is there is told again (§4.5.2)', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  await befriend(juliet, romeo)
  juliet.sends(`<presence type='unavailable'/>`)
  await juliet.settles()
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  romeo.sends(`<presence><show>away</show></presence>`)
  await romeo.settles()
  await juliet.receivesNothing()
  juliet.sends('<presence/>')
  await juliet.receivesAll(
    `<presence from='${juliet.full}'/>`,
    `<presence from='${romeo.full}'><show>away</show></presence>`,
  )
  await romeo.receives(`<presence from='${juliet.full}'/>`)
})

test('directed presence goes to its address only, and its addressee gets no updates (§4.6.3)', async () => {
  const { juliet, romeo, phone, nurse } = await stage.scene('juliet', 'romeo', { phone: 'romeo' }, 'nurse')
  await romeo.settles()
  juliet.sends(`<presence to='${romeo.bare}'><show>chat</show></presence>`)
  for (const client of [romeo, phone]) {
    await client.receives(`<presence from='${juliet.full}' to='${romeo.bare}'><show>chat</show></presence>`)
  }
  juliet.sends(`<presence to='${nurse.full}'/>`)
  await nurse.receives(`<presence from='${juliet.full}' to='${nurse.full}'/>`)
  juliet.sends(`<presence><show>away</show></presence>`)
  await juliet.receives(`<presence from='${juliet.full}'><show>away</show></presence>`)
  await nothingFor(juliet, romeo, phone, nurse)
})

test('who got directed presence learns that the client goes (§4.6.3)', async () => {
  const { juliet, balcony, romeo, nurse } = await stage.scene('juliet', { balcony: 'juliet' }, 'romeo', 'nurse')
  await juliet.settles()
  for (const client of [juliet, balcony]) {
    client.sends(`<presence to='${romeo.bare}'/>`)
    await romeo.receives(`<presence from='${client.full}'/>`)
    client.sends(`<presence to='${nurse.full}'/>`)
    await nurse.receives(`<presence from='${client.full}'/>`)
  }
  juliet.sends(`<presence type='unavailable'><status>Anon</status></presence>`)
  const goodbye = `<presence type='unavailable' from='${juliet.full}'><status>Anon</status></presence>`
  await romeo.receives(goodbye)
  await nurse.receives(goodbye)
  balcony.link.clientVanishes()
  await romeo.receives(`<presence type='unavailable' from='${balcony.full}'/>`)
  await nurse.receives(`<presence type='unavailable' from='${balcony.full}'/>`)
  juliet.link.clientCloses()
  await juliet.isClosed(undefined)
  await nothingFor(romeo, nurse)
})

test('who was told already that the client goes is not told again', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  juliet.sends(`<presence to='${romeo.bare}'/>`)
  juliet.sends(`<presence type='unavailable' to='${romeo.bare}'><status>Parting</status></presence>`)
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'><status>Parting</status></presence>`)
  juliet.link.clientVanishes()
  await romeo.receivesNothing()
})

test('a subscriber who got directed presence as well is told once', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  await follow(romeo, juliet)
  juliet.sends(`<presence to='${romeo.bare}'/>`)
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  juliet.sends(`<presence type='unavailable'/>`)
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  await romeo.receivesNothing()
})

test('a subscriber to whom the client said goodbye still gets its broadcasts (§4.6.3)', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  await follow(romeo, juliet)
  juliet.sends(`<presence type='unavailable' to='${romeo.bare}'/>`)
  await romeo.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  juliet.sends(`<presence><show>away</show></presence>`)
  await romeo.receives(`<presence from='${juliet.full}'><show>away</show></presence>`)
})

test('directed presence works without a presence session, and ends with the connection (§4.6.3)', async () => {
  const { juliet, romeo, nurse } = await stage.scene('juliet', 'romeo', 'nurse')
  await follow(nurse, juliet)
  const secret = await second(juliet, 'secret')
  await juliet.settles()
  secret.sends(`<presence to='${romeo.bare}'/>`)
  await romeo.receives(`<presence from='${secret.full}'/>`)
  secret.link.clientVanishes()
  await romeo.receives(`<presence type='unavailable' from='${secret.full}'/>`)
  await nothingFor(juliet, nurse, romeo)
})

test("presence to one's own account reaches one's own clients, and is no broadcast", async () => {
  const { juliet, balcony, romeo } = await stage.scene('juliet', { balcony: 'juliet' }, 'romeo')
  await follow(romeo, juliet)
  await balcony.settles()
  juliet.sends(`<presence to='${juliet.bare}'><status>for us only</status></presence>`)
  for (const client of [juliet, balcony]) {
    await client.receives(`<presence from='${juliet.full}'><status>for us only</status></presence>`)
  }
  await romeo.receivesNothing()
  juliet.sends(`<presence to='${balcony.full}'/>`)
  await balcony.receives(`<presence from='${juliet.full}' to='${balcony.full}'/>`)
  juliet.link.clientVanishes()
  await balcony.receives(`<presence type='unavailable' from='${juliet.full}'/>`)
  await balcony.receivesNothing()
})

test('a negative priority is broadcast like any other, and keeps messages away (§4.7.2.3)', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  await follow(romeo, juliet)
  juliet.sends(`<presence><priority>-1</priority></presence>`)
  await romeo.receives(`<presence from='${juliet.full}'><priority>-1</priority></presence>`)
  await juliet.settles()
  romeo.sends(`<message type='chat' to='${juliet.bare}'><body>hi</body></message>`)
  await romeo.receives(`<message type='error'>${error('cancel', 'service-unavailable')}</message>`)
  await juliet.receivesNothing()
})

for (const priority of ['-128', '127', '0', '+5', ' 7 ']) {
  test(`${JSON.stringify(priority)} is a priority`, async () => {
    const { juliet } = await stage.scene('juliet')
    juliet.sends(`<presence><priority>${priority}</priority></presence>`)
    await juliet.receives(`<presence from='${juliet.full}'/>`)
  })
}

for (const priority of ['128', '-129', 'high', '1.5', '1e1']) {
  test(`${priority} is no priority: bad-request, and the client is no more available than before`, async () => {
    const { juliet, romeo } = await stage.scene('juliet', 'romeo')
    await befriend(romeo, juliet)
    await juliet.settles()
    const bad = `<presence id='p'><priority>${priority}</priority></presence>`
    const balcony = await second(juliet)
    balcony.sends(bad)
    await balcony.receives(`<presence type='error' id='p'>${error('modify', 'bad-request')}</presence>`)
    await balcony.receivesNothing()
    romeo.sends(`<presence><show>away</show></presence>`)
    await romeo.settles()
    await juliet.receives(`<presence from='${romeo.full}'/>`)
    await nothingFor(balcony, juliet, romeo)
  })
}

test('who sends a bad priority later stays as it was', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  juliet.sends(`<presence><priority>none</priority></presence>`)
  await juliet.receives(`<presence type='error'>${error('modify', 'bad-request')}</presence>`)
  romeo.sends(`<message to='${juliet.bare}'><body>Still there?</body></message>`)
  await juliet.receives(`<message><body>Still there?</body></message>`)
})

test('presence to nobody, to who is away, and to a server is silently dropped (§8.5.1, §8.5.2.2.2)', async () => {
  const { juliet } = await stage.scene('juliet')
  const away = await stage.account(`away-${juliet.jid.local}`)
  for (const to of [
    'nobody@localhost',
    'nobody@localhost/x',
    `${away}`,
    `${away}/x`,
    'localhost',
    `${juliet.bare}/x`,
  ]) {
    for (const type of ['', ` type='unavailable'`, ` type='probe'`]) juliet.sends(`<presence to='${to}'${type}/>`)
  }
  await juliet.receivesNothing()
})

test('directed presence to another server is refused while there is no way to it (RFC 6120 §10.4.3)', async () => {
  const { juliet } = await stage.scene('juliet')
  juliet.sends(`<presence id='j' to='room@chat.example/juliet'/>`)
  await juliet.receives(
    `<presence type='error' id='j' from='room@chat.example/juliet'>${error('cancel', 'remote-server-not-found')}</presence>`,
  )
  juliet.sends(`<presence type='unavailable' to='room@chat.example/juliet'/>`)
  await juliet.receivesNothing()
})

test('a probe from a client is answered with the presence that it may see (§4.3.2)', async () => {
  const { juliet, balcony, romeo } = await stage.scene('juliet', { balcony: 'juliet' }, 'romeo')
  await follow(romeo, juliet)
  balcony.sends(`<presence id='b'><show>away</show></presence>`)
  await balcony.settles()
  await romeo.settles()
  romeo.sends(`<presence type='probe' to='${juliet.bare}'/>`)
  await romeo.receivesAll(
    `<presence from='${juliet.full}'/>`,
    `<presence id='b' from='${balcony.full}'><show>away</show></presence>`,
  )
  await romeo.receivesNothing()
})

test('a probe to one client tells of that client, and only that it is there (§4.3.2)', async () => {
  const { juliet, balcony, romeo } = await stage.scene('juliet', { balcony: 'juliet' }, 'romeo')
  await follow(romeo, juliet)
  balcony.sends(`<presence><show>away</show></presence>`)
  await balcony.settles()
  await romeo.settles()
  romeo.sends(`<presence type='probe' to='${balcony.full}'/>`)
  const presence = await romeo.receives(`<presence from='${balcony.full}'/>`)
  assert.deepEqual(presence.elements, [])
  await romeo.receivesNothing()
})

test('a probe from who may not see the presence brings nothing to light', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  for (const to of [juliet.bare, juliet.full, 'nobody@localhost']) romeo.sends(`<presence type='probe' to='${to}'/>`)
  await nothingFor(romeo, juliet)
})

test('who got directed presence may probe for that client (§4.6.6)', async () => {
  const { juliet, balcony, romeo } = await stage.scene('juliet', { balcony: 'juliet' }, 'romeo')
  balcony.sends(`<presence to='${romeo.full}'><show>dnd</show></presence>`)
  await romeo.receives(`<presence from='${balcony.full}'/>`)
  romeo.sends(`<presence type='probe' to='${balcony.full}'/>`)
  const presence = await romeo.receives(`<presence from='${balcony.full}' to='${romeo.full}'/>`)
  assert.deepEqual(presence.elements, [])
  romeo.sends(`<presence type='probe' to='${juliet.full}'/>`)
  romeo.sends(`<presence type='probe' to='${juliet.bare}'/>`)
  await romeo.receivesNothing()
})

test('an error in answer to presence bothers nobody', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  romeo.sends(`<presence type='error' to='${juliet.bare}'>${error('cancel', 'gone')}</presence>`)
  romeo.sends(`<presence type='error' to='nobody@localhost'>${error('cancel', 'gone')}</presence>`)
  await nothingFor(romeo, juliet)
})
