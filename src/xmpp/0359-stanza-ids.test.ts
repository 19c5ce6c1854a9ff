// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cast, theatre } from '../../test/support/cast.ts'
import { archiveId, readArchiveId } from './0313-archive-queries.ts'

const SID = 'urn:xmpp:sid:0'

test('archive ids are numbers in one spelling only', () => {
  for (const id of [1, 35, 36, Date.UTC(2026, 0, 1) * 1024, Number.MAX_SAFE_INTEGER]) {
    assert.equal(readArchiveId(archiveId(id)), id)
  }
  for (const text of ['', '0', '01', 'A', '-1', ' 1', '1 ', '1.5', 'zzzzzzzzzzz', 'x'.repeat(5000), '1e5é']) {
    assert.ok(Number.isNaN(readArchiveId(text)), text)
  }
})

test('a message tells under which id its archive keeps it, and what else claims to do so is stripped (§5)', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  const id = (by: string): string => `<stanza-id xmlns='${SID}' by='${by}' id='forged'/>`
  romeo.sends(
    `<message type='chat' to='${juliet.bare}'>${id(juliet.bare)}<body>a</body>${id('room@elsewhere.example')}${id(juliet.bare.toUpperCase())}<origin-id xmlns='${SID}' id='o'/></message>`,
  )
  const message = await juliet.receives(`<message><body>a</body></message>`)
  const { messages } = await stage.store.messages.page(juliet.jid.bare, { limit: 9 })
  assert.deepEqual(
    message.childrenNamed('stanza-id', SID).map(({ attrs }) => `${attrs.by} ${attrs.id}`),
    ['room@elsewhere.example forged', `${juliet.bare} ${archiveId(messages[0]?.id ?? 0)}`],
  )
  assert.equal(message.child('origin-id', SID)?.attrs.id, 'o')
  assert.ok(!messages[0]?.xml.includes(`by='${juliet.bare}'`))
})

test('what is not archived has no id, a forged one least of all', async () => {
  const stage = await theatre({ options: { archive: 'off' } })
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  for (const type of ['chat', 'headline', 'error']) {
    romeo.sends(
      `<message type='${type}' to='${juliet.full}'><body>b</body><stanza-id xmlns='${SID}' by='${juliet.bare}' id='forged'/></message>`,
    )
    const message = await juliet.receives(`<message type='${type}'/>`)
    assert.equal(message.child('stanza-id', SID), undefined)
  }
})

test('what waited has its id too, once', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const jid = await stage.account('juliet')
  romeo.sends(
    `<message type='chat' to='${jid}'><body>c</body><stanza-id xmlns='${SID}' by='${jid}' id='forged'/></message>`,
  )
  await romeo.settles()
  const juliet = await stage.stranger().logsIn(jid, 'secret', 'balcony')
  juliet.sends('<presence/>')
  let message = await juliet.hears()
  while (message.name !== 'message') message = await juliet.hears()
  const { messages } = await stage.store.messages.page(jid, { limit: 9 })
  assert.deepEqual(
    message.childrenNamed('stanza-id', SID).map(({ attrs }) => attrs.id),
    [archiveId(messages[0]?.id ?? 0)],
  )
})
