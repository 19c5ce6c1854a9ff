// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { cast, nothingFor } from '../../test/support/cast.ts'
import { befriend, follow } from '../../test/support/friends.ts'
import { assertLike } from '../../test/support/match.ts'
import { event, itemsOf, learns, listens, owner, publish, refused } from '../../test/support/pubsub.ts'

const DATA = 'urn:xmpp:avatar:data'
const METADATA = 'urn:xmpp:avatar:metadata'
const OK = `<iq type='result'/>`
const ASK = `<vCard xmlns='vcard-temp'/>`

const image = Buffer.from('not really a picture')
const base64 = image.toString('base64')
const hash = createHash('sha1').update(image).digest('hex')
const data = `<item id='${hash}'><data xmlns='${DATA}'>${base64}</data></item>`
const info = `<info bytes='${image.length}' id='${hash}' type='image/png'/>`
const metadata = `<item id='${hash}'><metadata xmlns='${METADATA}'>${info}</metadata></item>`
const none = `<item><metadata xmlns='${METADATA}'/></item>`
const CARD = `<vCard xmlns='vcard-temp'><FN>Juliet</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>${base64}</BINVAL></PHOTO></vCard>`
const OPEN = { access_model: 'open' }

function update(photo: string): string {
  return `<x xmlns='vcard-temp:x:update'><photo>${photo}</photo></x>`
}

function hasPhoto(answer: { xml(ns: string): string }): boolean {
  return answer.xml('jabber:client').includes('PHOTO')
}

test('an avatar in PEP is a photo in the vCard, for those who may see it', async () => {
  const { juliet, romeo, iago } = await cast('juliet', 'romeo', 'iago')
  await follow(romeo, juliet)
  await juliet.sets(`<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>`)
  await juliet.sets(publish(DATA, data))
  await juliet.sets(publish(METADATA, metadata))
  assertLike(await juliet.gets(ASK), `<iq>${CARD}</iq>`)
  assertLike(await romeo.gets(ASK, juliet.bare), `<iq>${CARD}</iq>`)
  assert.equal(hasPhoto(await iago.gets(ASK, juliet.bare)), false)
  await juliet.sets(publish(METADATA, none))
  assert.equal(hasPhoto(await romeo.gets(ASK, juliet.bare)), false)
})

test('a client without a vCard has one as soon as it has an avatar', async () => {
  const { juliet, iago } = await cast('juliet', 'iago')
  await juliet.sets(publish(DATA, data, OPEN))
  assertLike(await iago.gets(ASK, juliet.bare), refused('cancel', 'service-unavailable'))
  await juliet.sets(publish(METADATA, metadata, OPEN))
  assert.equal(hasPhoto(await iago.gets(ASK, juliet.bare)), true)
})

test('the photo of a vCard becomes the avatar, and goes with it', async () => {
  const { juliet, romeo, iago } = await cast('juliet', 'romeo', 'iago')
  await befriend(romeo, juliet)
  await listens(romeo, METADATA)
  await juliet.settles()
  juliet.sends(`<iq type='set' id='v'>${CARD}</iq>`)
  await romeo.receives(event(METADATA, metadata))
  await romeo.receives(`<presence from='${juliet.full}'>${update(hash)}</presence>`)
  await nothingFor(romeo)
  assertLike(await iago.gets(itemsOf(DATA, `<item id='${hash}'/>`), juliet.bare), `<iq>${itemsOf(DATA, data)}</iq>`)
  assertLike(await iago.gets(ASK, juliet.bare), `<iq>${CARD}</iq>`)
  await juliet.sets(CARD)
  await nothingFor(romeo)
  await juliet.sets(`<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>`)
  await romeo.receives(event(METADATA, `<item><metadata xmlns='${METADATA}'/></item>`))
  const gone = await romeo.receives(`<presence from='${juliet.full}'>${update('')}</presence>`)
  assert.equal(gone.child('x', 'vcard-temp:x:update')?.childText('photo'), '')
})

test('presence carries the hash, unless the client says that it has none', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  juliet.sends(`<presence to='${romeo.full}'/>`)
  const plain = await romeo.receives(`<presence from='${juliet.full}'/>`)
  assert.equal(plain.elements.length, 0)
  await juliet.sets(publish(DATA, data))
  await juliet.sets(publish(METADATA, metadata))
  const show = async (content: string, expected: string): Promise<void> => {
    juliet.sends(`<presence to='${romeo.full}'><show>away</show>${content}</presence>`)
    const heard = await romeo.receives(`<presence from='${juliet.full}'><show>away</show></presence>`)
    assert.deepEqual(
      heard.childrenNamed('x', 'vcard-temp:x:update').map((x) => x.childText('photo')),
      [expected],
    )
  }
  await show('', hash)
  await show(`<x xmlns='vcard-temp:x:update'/>`, hash)
  await show(update('0000'), hash)
  await show(update(''), '')
  await nothingFor(romeo)
})

test('a new avatar is shown to contacts with what the clients last said', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  await follow(romeo, juliet)
  juliet.sends('<presence><show>dnd</show></presence>')
  await juliet.settles()
  await romeo.settles()
  await juliet.sets(publish(DATA, data))
  await juliet.sets(publish(METADATA, metadata))
  await romeo.receives(`<presence from='${juliet.full}'><show>dnd</show>${update(hash)}</presence>`)
  await juliet.sets(publish(METADATA, none))
  await romeo.receives(`<presence from='${juliet.full}'><show>dnd</show>${update('')}</presence>`)
  await juliet.sets(publish(METADATA, metadata))
  await romeo.receives(`<presence from='${juliet.full}'><show>dnd</show>${update(hash)}</presence>`)
  await juliet.sets(owner(`<delete node='${METADATA}'/>`))
  const plain = await romeo.receives(`<presence from='${juliet.full}'><show>dnd</show></presence>`)
  assert.equal(plain.child('x', 'vcard-temp:x:update'), undefined)
  await nothingFor(romeo)
})

test('data that is not what its hash says is no photo', async () => {
  const { juliet } = await cast('juliet')
  await juliet.sets(publish(DATA, `<item id='${hash}'><data xmlns='${DATA}'>AAAA</data></item>`))
  await juliet.sets(publish(METADATA, metadata))
  assert.equal(hasPhoto(await juliet.gets(ASK)), false)
  assertLike(
    await juliet.sets(`<vCard xmlns='vcard-temp'><PHOTO><EXTVAL>https://example.org/a</EXTVAL></PHOTO></vCard>`),
    OK,
  )
})

test('clients that come are told the avatars of their contacts', async () => {
  const { juliet, romeo } = await cast('juliet', 'romeo')
  await befriend(romeo, juliet)
  await juliet.sets(CARD)
  juliet.sends(`<presence type='unavailable'/>`)
  await juliet.settles()
  await romeo.settles()
  await learns(romeo, METADATA)
  await romeo.receives(event(METADATA, metadata, `from='${juliet.bare}'`))
})
