// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, cast, type Theatre, theatre } from '../../test/support/cast.ts'
import { befriend } from '../../test/support/friends.ts'
import { assertLike } from '../../test/support/match.ts'
import type { Jid } from '../xmpp/jid.ts'

const MAM = 'urn:xmpp:mam:2'

function prefs(fallback: string, always: readonly string[] = [], never: readonly string[] = []): string {
  const list = (jids: readonly string[]): string => jids.map((jid) => `<jid>${jid}</jid>`).join('')
  return `<prefs xmlns='${MAM}' default='${fallback}'><always>${list(always)}</always><never>${list(never)}</never></prefs>`
}

async function archived(stage: Theatre, jid: Jid): Promise<string> {
  const { messages } = await stage.store.messages.page(jid.bare, { limit: 100 })
  return messages.map(({ xml }) => /<body>(.*)<\/body>/.exec(xml)?.[1]).join(' ')
}

async function says(from: Actor, to: Actor, body: string): Promise<void> {
  from.sends(`<message type='chat' to='${to.bare}'><body>${body}</body></message>`)
  await to.receives(`<message><body>${body}</body></message>`)
}

test('who has said nothing has everything archived (§2.1)', async () => {
  const { juliet } = await cast('juliet')
  assertLike(await juliet.gets(`<prefs xmlns='${MAM}'/>`), `<iq type='result'>${prefs('always')}</iq>`)
})

test('preferences are kept, and told as they are applied (§2.1)', async () => {
  const { juliet, theatre: stage } = await cast('juliet')
  const answer = await juliet.sets(prefs('roster', ['Romeo@Montague.lit'], ['montague@montague.lit/x']))
  const applied = prefs('roster', ['romeo@montague.lit'], ['montague@montague.lit/x'])
  assertLike(answer, `<iq type='result'>${applied}</iq>`)
  const laptop = await stage.enter('juliet', 'laptop')
  assertLike(await laptop.gets(`<prefs xmlns='${MAM}'/>`), `<iq type='result'>${applied}</iq>`)
})

test('each side decides for its own archive (§2.1.1)', async () => {
  const { romeo, juliet, theatre: stage } = await cast('romeo', 'juliet')
  await juliet.sets(prefs('never'))
  await says(romeo, juliet, 'a')
  await romeo.sets(prefs('never'))
  await says(romeo, juliet, 'b')
  await juliet.sets(prefs('always'))
  await says(romeo, juliet, 'c')
  assert.deepEqual([await archived(stage, romeo.jid), await archived(stage, juliet.jid)], ['a', 'c'])
})

test('lists go before the default, and never before always (§2.1.2, §2.1.3, §2.4)', async () => {
  const { romeo, nurse, paris, juliet, theatre: stage } = await cast('romeo', 'nurse', 'paris', 'juliet')
  await juliet.sets(prefs('never', [romeo.bare, nurse.full, paris.bare], [paris.full]))
  for (const who of [romeo, nurse, paris]) await says(who, juliet, who.jid.resource ?? '')
  assert.equal(await archived(stage, juliet.jid), 'romeo nurse')
  // Outgoing messages go by their address as it is: a bare one is not the listed resource.
  await says(juliet, nurse, 'to-nurse')
  await says(juliet, romeo, 'to-romeo')
  assert.equal(await archived(stage, juliet.jid), 'romeo nurse to-romeo')
})

test('roster means contacts, and oneself (§2.1.1)', async () => {
  const { romeo, paris, juliet, theatre: stage } = await cast('romeo', 'paris', 'juliet')
  await befriend(juliet, romeo)
  await juliet.sets(prefs('roster'))
  await says(romeo, juliet, 'from-a-contact')
  await says(paris, juliet, 'from-a-stranger')
  await says(juliet, juliet, 'note')
  assert.equal(await archived(stage, juliet.jid), 'from-a-contact note')
})

test('a message that is in no archive waits for its addressee all the same, without an archive id', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const juliet = await stage.enter('juliet')
  await juliet.sets(prefs('never'))
  await romeo.sets(prefs('never'))
  juliet.sends(`<presence type='unavailable'/>`)
  await juliet.settles()
  romeo.sends(`<message type='chat' to='${juliet.bare}'><body>later</body></message>`)
  await romeo.receivesNothing()
  juliet.sends('<presence/>')
  let message = await juliet.hears()
  while (message.name !== 'message') message = await juliet.hears()
  assert.equal(message.childText('body'), 'later')
  assert.equal(message.child('stanza-id', 'urn:xmpp:sid:0'), undefined)
  assert.deepEqual([await archived(stage, romeo.jid), await archived(stage, juliet.jid)], ['', ''])
})

test('what no preferences can be is refused', async () => {
  const { juliet } = await cast('juliet')
  const many = Array.from({ length: 501 }, (_, i) => `user${i}@example.org`)
  for (const [condition, payload] of [
    ['bad-request', prefs('sometimes')],
    ['bad-request', `<prefs xmlns='${MAM}'/>`],
    ['jid-malformed', prefs('always', ['@'])],
    ['policy-violation', prefs('always', many)],
  ] as const) {
    const answer = await juliet.sets(payload)
    assert.ok(answer.child('error')?.child(condition, 'urn:ietf:params:xml:ns:xmpp-stanzas'), condition)
  }
  assertLike(await juliet.gets(`<prefs xmlns='${MAM}'/>`), `<iq type='result'>${prefs('always')}</iq>`)
})

test('a user deletes one conversation, or everything, and only for themselves', async () => {
  const { romeo, nurse, juliet, theatre: stage } = await cast('romeo', 'nurse', 'juliet')
  const commands = 'http://jabber.org/protocol/commands'
  const node = 'aenigma:archive#delete'
  const deletes = async (...fields: readonly string[]): Promise<string | undefined> => {
    const begun = await juliet.sets(`<command xmlns='${commands}' node='${node}' action='execute'/>`, 'localhost')
    const session = begun.child('command', commands)?.attrs.sessionid
    const answer = await juliet.sets(
      `<command xmlns='${commands}' node='${node}' sessionid='${session}'><x xmlns='jabber:x:data' type='submit'>
        ${fields.join('')}</x></command>`,
      'localhost',
    )
    return (
      answer.child('command', commands)?.childText('note') ??
      answer.child('error')?.childText('text', 'urn:ietf:params:xml:ns:xmpp-stanzas')
    )
  }
  const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`
  for (const who of [romeo, nurse, romeo]) await says(who, juliet, who.jid.resource ?? '')
  assert.equal(await deletes(field('sure', '0')), 'Nothing was deleted.')
  assert.equal(await deletes(), 'The field sure is required.')
  assert.equal(await deletes(field('sure', '1'), field('with', romeo.full)), 'Messages deleted: 2.')
  assert.equal(await archived(stage, juliet.jid), 'nurse')
  assert.equal(await deletes(field('sure', 'true')), 'Messages deleted: 1.')
  assert.equal(await archived(stage, juliet.jid), '')
  assert.equal(await archived(stage, romeo.jid), 'romeo romeo')
})
