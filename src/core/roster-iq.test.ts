// SPDX-License-Identifier: Apache-2.0
// The roster as clients see it (RFC 6121 §2): get, set, push, remove, versions, and every error that the RFC names.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, theatre } from '../../test/support/cast.ts'
import { push, rosterOf, rosterSet } from '../../test/support/friends.ts'
import { assertLike, error } from '../../test/support/match.ts'
import { ping } from '../xep/0199-ping.ts'
import type { Element } from '../xml/element.ts'

const NS = 'jabber:iq:roster'

const stage = await theatre({ features: [ping], limits: { rosterItems: 5 } })

async function query(actor: Actor, ver?: string): Promise<Element | undefined> {
  const answer = await actor.gets(`<query xmlns='${NS}'${ver === undefined ? '' : ` ver='${ver}'`}/>`)
  assert.equal(answer.attrs.type, 'result')
  return answer.child('query', NS)
}

/** Puts an item and waits for both answers, in either order: the result, and the push that every interested client gets. */
async function puts(actor: Actor, item: string, seen = item): Promise<void> {
  actor.sends(rosterSet(item))
  await actor.receivesAll(`<iq type='result' id='set'/>`, push(seen))
}

test('an empty roster is an empty query with a version, not an empty result (§2.1.4)', async () => {
  const { juliet } = await stage.scene('juliet')
  const roster = await query(juliet)
  assert.deepEqual(roster?.elements, [])
  assert.ok(roster?.attrs.ver)
})

test('a new item is stored, confirmed and pushed to all interested clients (§2.3.2)', async () => {
  const { balcony, chamber, romeo } = await stage.scene({ balcony: 'juliet', chamber: 'juliet' }, 'romeo')
  await balcony.settles()
  const item = `<item jid='nurse@localhost' name='Nurse' subscription='none'><group>Servants</group></item>`
  balcony.sends(rosterSet(`<item jid='nurse@localhost' name='Nurse'><group>Servants</group></item>`))
  await balcony.receivesAll(`<iq type='result' id='set'/>`, push(item))
  await chamber.receives(push(item))
  assertLike(
    await balcony.gets(`<query xmlns='${NS}'/>`),
    `<iq type='result'><query xmlns='${NS}'>${item}</query></iq>`,
  )
  await nothingFor(balcony, chamber, romeo)
})

test('a push says whom it is for, and comes from nobody but the account (§2.1.6)', async () => {
  const { juliet } = await stage.scene('juliet')
  juliet.sends(rosterSet(`<item jid='nurse@localhost'/>`))
  const heard = [await juliet.hears(), await juliet.hears()]
  const pushed = heard.find((element) => element.attrs.type === 'set')
  assert.equal(pushed?.attrs.to, juliet.full)
  assert.ok(pushed?.attrs.from === undefined || pushed.attrs.from === juliet.bare)
  assert.equal(pushed?.child('query', NS)?.elements.length, 1)
})

test('answers to a push are taken without a word, errors too', async () => {
  const { juliet } = await stage.scene('juliet')
  for (const type of ['result', 'error']) {
    juliet.sends(rosterSet(`<item jid='nurse@localhost' name='${type}'/>`))
    const heard = [await juliet.hears(), await juliet.hears()]
    const id = heard.find((element) => element.attrs.type === 'set')?.attrs.id
    juliet.sends(`<iq type='${type}' id='${id}'/>`)
    juliet.sends(`<iq type='${type}' id='${id}' to='${juliet.bare}'/>`)
    await juliet.receivesNothing()
  }
})

test('only who asked for the roster gets pushes, whether available or not (§2.2)', async () => {
  const { juliet } = await stage.scene('juliet')
  const deaf = await stage.enter(juliet.bare, 'deaf', false)
  deaf.sends('<presence/>')
  await deaf.settles()
  const quiet = await stage.enter(juliet.bare, 'quiet', false)
  await query(quiet)
  await juliet.settles()
  await puts(juliet, `<item jid='nurse@localhost'/>`)
  await quiet.receives(push(`<item jid='nurse@localhost'/>`))
  await nothingFor(deaf, quiet)
})

test('an item is exactly as it was put last (§2.4)', async () => {
  const { juliet } = await stage.scene('juliet')
  const romeo = `jid='romeo@localhost'`
  await puts(juliet, `<item ${romeo} name='Romeo'><group>Friends</group></item>`)
  await puts(juliet, `<item ${romeo} name='Romeo'><group>Friends</group><group>Lovers</group></item>`)
  await puts(juliet, `<item ${romeo} name='Romeo'><group>Lovers</group></item>`)
  assert.equal((await query(juliet))?.elements[0]?.elements.length, 1)
  await puts(juliet, `<item ${romeo}/>`)
  await puts(juliet, `<item ${romeo} name='MyRomeo'/>`)
  await puts(juliet, `<item ${romeo} name=''/>`, `<item ${romeo}/>`)
  const [item] = (await query(juliet))?.elements ?? []
  assert.equal(item?.attrs.name, undefined)
  assert.deepEqual(item?.elements, [])
})

test('names and groups come back as they went, whatever is in them', async () => {
  const { juliet } = await stage.scene('juliet')
  const name = `&lt;b&gt; &amp; &apos;quotes&apos; &quot;&#x1F339;&#x10A;`
  await puts(juliet, `<item jid='romeo@localhost' name='${name}'><group>${name}</group></item>`)
  const [item] = (await query(juliet))?.elements ?? []
  assert.equal(item?.attrs.name, `<b> & 'quotes' "🌹Ċ`)
  assert.equal(item?.childText('group'), `<b> & 'quotes' "🌹Ċ`)
})

test('one contact is one item, however the address is written (RFC 7622)', async () => {
  const { juliet } = await stage.scene('juliet')
  await puts(juliet, `<item jid='Romeo@LOCALHOST' name='1'/>`, `<item jid='romeo@localhost' name='1'/>`)
  await puts(juliet, `<item jid='romeo@localhost' name='2'/>`)
  assert.equal((await query(juliet))?.elements.length, 1)
})

test('nobody subscribes by a roster set: its subscription, ask and approved are ignored (§2.1.2, §2.1.5)', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  for (const attrs of [`subscription='both'`, `subscription='to' ask='subscribe'`, `approved='true'`]) {
    await juliet.sets(`<query xmlns='${NS}'><item jid='${romeo.bare}' ${attrs}/></query>`)
    assert.deepEqual(await rosterOf(juliet), [`${romeo.bare} none`])
  }
  await romeo.receivesNothing()
})

test('a removed item is pushed as removed, and gone (§2.5)', async () => {
  const { balcony, chamber } = await stage.scene({ balcony: 'juliet', chamber: 'juliet' })
  await puts(balcony, `<item jid='nurse@localhost'/>`)
  await chamber.settles()
  balcony.sends(rosterSet(`<item jid='nurse@localhost' subscription='remove'/>`))
  await balcony.receivesAll(`<iq type='result' id='set'/>`, push(`<item jid='nurse@localhost' subscription='remove'/>`))
  await chamber.receives(push(`<item jid='nurse@localhost' subscription='remove'/>`))
  assert.deepEqual(await rosterOf(chamber), [])
  await nothingFor(balcony, chamber)
})

test('what is not there cannot be removed (§2.5.3)', async () => {
  const { juliet } = await stage.scene('juliet')
  const answer = await juliet.sets(`<query xmlns='${NS}'><item jid='nemo@localhost' subscription='remove'/></query>`)
  assertLike(answer, `<iq type='error'>${error('cancel', 'item-not-found')}</iq>`)
})

/** The errors of §2.3.3. */
const ERRORS: readonly (readonly [what: string, items: string, type: string, condition: string])[] = [
  ['two items', `<item jid='a@localhost'/><item jid='b@localhost'/>`, 'modify', 'bad-request'],
  ['no item', '', 'modify', 'bad-request'],
  ['an item without an address', `<item name='x'/>`, 'modify', 'jid-malformed'],
  ['an item with a bad address', `<item jid='@'/>`, 'modify', 'jid-malformed'],
  [
    'a group that stands twice',
    `<item jid='a@localhost'><group>Servants</group><group>Servants</group></item>`,
    'modify',
    'bad-request',
  ],
  ['a group without a name', `<item jid='a@localhost'><group/></item>`, 'modify', 'not-acceptable'],
  ['a name that is too long', `<item jid='a@localhost' name='${'x'.repeat(1024)}'/>`, 'modify', 'not-acceptable'],
  [
    'a group whose name is too long',
    `<item jid='a@localhost'><group>${'x'.repeat(1024)}</group></item>`,
    'modify',
    'not-acceptable',
  ],
  [
    'too many groups',
    `<item jid='a@localhost'>${Array.from({ length: 51 }, (_, n) => `<group>${n}</group>`).join('')}</item>`,
    'modify',
    'not-acceptable',
  ],
]

for (const [what, items, type, condition] of ERRORS) {
  test(`${what}: ${condition}, and nothing is changed or pushed`, async () => {
    const { juliet } = await stage.scene('juliet')
    juliet.sends(rosterSet(items))
    await juliet.receives(`<iq type='error' id='set'>${error(type, condition)}</iq>`)
    await juliet.receivesNothing()
    assert.deepEqual(await rosterOf(juliet), [])
  })
}

test("one is not one's own contact (§2.3.3)", async () => {
  const { juliet } = await stage.scene('juliet')
  const answer = await juliet.sets(`<query xmlns='${NS}'><item jid='${juliet.bare}'/></query>`)
  assertLike(answer, `<iq type='error'>${error('cancel', 'not-allowed')}</iq>`)
})

test('the roster of somebody else looks like that of nobody (§2.1.5; service-unavailable tells less than forbidden)', async () => {
  const { juliet, romeo } = await stage.scene('juliet', 'romeo')
  const answers: string[] = []
  for (const to of [juliet.bare, 'nobody@localhost']) {
    for (const type of ['get', 'set'] as const) {
      const answer = await romeo.asks(type, `<query xmlns='${NS}'><item jid='tybalt@localhost'/></query>`, to)
      assertLike(answer, `<iq type='error' from='${to}'>${error('cancel', 'service-unavailable')}</iq>`)
      answers.push(answer.child('error')?.xml('') ?? '')
    }
  }
  assert.equal(new Set(answers).size, 1)
  assert.deepEqual(await rosterOf(juliet), [])
  await juliet.receivesNothing()
})

test("one's own roster may be asked for by name", async () => {
  const { juliet } = await stage.scene('juliet')
  assertLike(
    await juliet.gets(`<query xmlns='${NS}'/>`, juliet.bare),
    `<iq type='result' from='${juliet.bare}'><query xmlns='${NS}'/></iq>`,
  )
})

test('a roster is full at some size; items in it can still be changed, and room can be made', async () => {
  const { juliet } = await stage.scene('juliet')
  for (let n = 1; n <= 5; n++) await juliet.sets(`<query xmlns='${NS}'><item jid='c${n}@localhost'/></query>`)
  juliet.sends(rosterSet(`<item jid='c6@localhost'/>`))
  await juliet.receives(`<iq type='error' id='set'>${error('wait', 'resource-constraint')}</iq>`)
  await puts(juliet, `<item jid='c5@localhost' name='Five'/>`)
  await juliet.sets(`<query xmlns='${NS}'><item jid='c1@localhost' subscription='remove'/></query>`)
  await puts(juliet, `<item jid='c6@localhost'/>`)
})

test('who has the current version gets an empty result and later the pushes (§2.6.3)', async () => {
  const { juliet } = await stage.scene('juliet')
  juliet.sends(rosterSet(`<item jid='nurse@localhost'/>`))
  const heard = [await juliet.hears(), await juliet.hears()]
  const ver = heard.find((element) => element.attrs.type === 'set')?.child('query', NS)?.attrs.ver
  assert.equal((await query(juliet))?.attrs.ver, ver)

  const again = await stage.enter(juliet.bare, 'again', false)
  assert.equal(await query(again, ver), undefined)
  await juliet.settles()
  await puts(juliet, `<item jid='nurse@localhost' name='Nurse'/>`)
  await again.receives(push(`<item jid='nurse@localhost' name='Nurse'/>`))
})

test('who has an old version, or none, gets all of it', async () => {
  const { juliet } = await stage.scene('juliet')
  const old = (await query(juliet))?.attrs.ver ?? ''
  await puts(juliet, `<item jid='nurse@localhost'/>`)
  for (const ver of [old, '', 'never heard of', undefined]) {
    assert.equal((await query(juliet, ver))?.elements.length, 1)
  }
})

test('each push has a version of its own, in order (§2.6.3)', async () => {
  const { juliet } = await stage.scene('juliet')
  for (const name of ['1', '2', '3']) juliet.sends(rosterSet(`<item jid='nurse@localhost' name='${name}'/>`))
  const pushes = (await juliet.hearsOut()).filter((element) => element.attrs.type === 'set')
  const items = pushes.map((element) => element.child('query', NS)?.elements[0]?.attrs.name)
  assert.deepEqual(items, ['1', '2', '3'])
  assert.equal(new Set(pushes.map((element) => element.child('query', NS)?.attrs.ver)).size, 3)
})

test('a roster is there again after all clients were gone', async () => {
  const { juliet } = await stage.scene('juliet')
  await puts(juliet, `<item jid='nurse@localhost' name='Nurse'><group>Servants</group></item>`)
  const ver = (await query(juliet))?.attrs.ver
  juliet.link.clientCloses()
  await juliet.isClosed(undefined)
  const again = await stage.enter(juliet.bare, 'again', false)
  assert.equal(await query(again, ver), undefined)
  assertLike(
    await again.gets(`<query xmlns='${NS}'/>`),
    `<iq type='result'><query xmlns='${NS}' ver='${ver}'><item jid='nurse@localhost' name='Nurse'><group>Servants</group></item></query></iq>`,
  )
})
