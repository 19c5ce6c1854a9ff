// SPDX-License-Identifier: Apache-2.0
import { test } from 'node:test'
import { cast, theatre } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'

const NS = 'jabber:iq:private'

function query(content: string): string {
  return `<query xmlns='${NS}'>${content}</query>`
}

function refused(type: string, condition: string): string {
  return `<iq type='error'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`
}

test('a client stores something and any client of the account gets it back', async () => {
  const { phone, laptop } = await cast({ phone: 'hamlet', laptop: 'hamlet' })
  const prefs = `<exodus xmlns='exodus:prefs' a='&lt;1&gt;'><defaultnick>Hamlet &amp; co</defaultnick></exodus>`
  assertLike(await phone.sets(query(prefs)), `<iq type='result'/>`)
  assertLike(
    await laptop.gets(query(`<exodus xmlns='exodus:prefs'/>`), laptop.bare),
    `<iq type='result'>${query(prefs)}</iq>`,
  )
  assertLike(await laptop.sets(query(`<exodus xmlns='exodus:prefs'><new/></exodus>`)), `<iq type='result'/>`)
  assertLike(
    await phone.gets(query(`<exodus xmlns='exodus:prefs'/>`)),
    `<iq type='result'>${query(`<exodus xmlns='exodus:prefs'><new/></exodus>`)}</iq>`,
  )
})

test('what was never stored comes back empty', async () => {
  const { hamlet } = await cast('hamlet')
  const answer = await hamlet.gets(query(`<storage xmlns='storage:bookmarks'><x/></storage>`))
  assertLike(answer, `<iq type='result'>${query(`<storage xmlns='storage:bookmarks'/>`)}</iq>`)
})

test('several elements of one namespace are kept side by side', async () => {
  const { hamlet } = await cast('hamlet')
  const all = `<a xmlns='urn:x' n='1'/><a xmlns='urn:x' n='2'/><b xmlns='urn:x'/>`
  assertLike(await hamlet.sets(query(all)), `<iq type='result'/>`)
  assertLike(
    await hamlet.gets(query(`<a xmlns='urn:x'/>`)),
    `<iq type='result'>${query(`<a xmlns='urn:x' n='1'/><a xmlns='urn:x' n='2'/>`)}</iq>`,
  )
  assertLike(
    await hamlet.gets(query(`<b xmlns='urn:x'/><a xmlns='urn:x'/>`)),
    `<iq type='result'>${query(`<b xmlns='urn:x'/><a xmlns='urn:x' n='1'/>`)}</iq>`,
  )
})

test('it takes at least one element, in a namespace of its own, and one namespace at a time (§2.3)', async () => {
  const { hamlet } = await cast('hamlet')
  for (const content of ['', '<x/>', `<x xmlns=''/>`, `<a xmlns='urn:x'/><a xmlns='urn:y'/>`]) {
    assertLike(await hamlet.sets(query(content)), refused('modify', 'not-acceptable'))
    assertLike(await hamlet.gets(query(content)), refused('modify', 'not-acceptable'))
  }
})

test('it is nobody else’s business', async () => {
  const { hamlet, macbeth } = await cast('hamlet', 'macbeth')
  const prefs = query(`<exodus xmlns='exodus:prefs'><defaultnick>Macbeth</defaultnick></exodus>`)
  assertLike(await macbeth.sets(prefs, hamlet.bare), refused('cancel', 'service-unavailable'))
  assertLike(await macbeth.gets(prefs, hamlet.bare), refused('cancel', 'service-unavailable'))
})

test('an account has room for so much, and replacing makes room', async () => {
  const stage = await theatre({ limits: { privateBytes: 1000 } })
  const hamlet = await stage.enter('hamlet')
  const note = (size: number): string => query(`<note xmlns='urn:x'>${'x'.repeat(size)}</note>`)
  assertLike(await hamlet.sets(note(900)), `<iq type='result'/>`)
  assertLike(await hamlet.sets(note(950)), `<iq type='result'/>`)
  assertLike(
    await hamlet.sets(query(`<more xmlns='urn:x'>${'x'.repeat(100)}</more>`)),
    refused('wait', 'resource-constraint'),
  )
  assertLike(await hamlet.sets(note(1001)), refused('wait', 'resource-constraint'))
  assertLike(await hamlet.sets(note(10)), `<iq type='result'/>`)
  assertLike(await hamlet.sets(query(`<more xmlns='urn:x'>${'x'.repeat(100)}</more>`)), `<iq type='result'/>`)
})
