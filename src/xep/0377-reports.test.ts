// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, theatre } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'

const NS = 'urn:xmpp:reporting:1'
const SPAM = 'urn:xmpp:reporting:spam'

function block(jid: string, report: string): string {
  return `<block xmlns='urn:xmpp:blocking'><item jid='${jid}'>${report}</item></block>`
}

function report(content = '', reason = SPAM): string {
  return `<report xmlns='${NS}' reason='${reason}'>${content}</report>`
}

async function blocked(actor: Actor): Promise<readonly (string | undefined)[]> {
  const answer = await actor.gets(`<blocklist xmlns='urn:xmpp:blocking'/>`)
  return (answer.child('blocklist', 'urn:xmpp:blocking')?.elements ?? []).map(({ attrs }) => attrs.jid)
}

test('the server says that it takes reports', async () => {
  const stage = await theatre()
  const juliet = await stage.enter('juliet')
  const info = await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, 'localhost')
  assertLike(info, `<iq><query xmlns='http://jabber.org/protocol/disco#info'><feature var='${NS}'/></query></iq>`)
})

test('a report blocks and is kept with its text and the messages that are meant', async () => {
  const stage = await theatre()
  const juliet = await stage.enter('juliet')
  const content = `<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='28482-98726-73623'/>
    <stanza-id xmlns='urn:xmpp:sid:0' id='of nobody'/>
    <text xml:lang='en'>  Never came trouble to my house like this. </text><third-party/>`
  assertLike(await juliet.sets(block('romeo@example.net', report(content))), `<iq type='result'/>`)
  assert.deepEqual(await blocked(juliet), ['romeo@example.net'])
  const [kept, ...others] = await stage.store.reports.list(10)
  assert.equal(others.length, 0)
  assert.deepEqual(
    { ...kept, id: 0, time: 0, reporter: String(kept?.reporter), subject: String(kept?.subject) },
    {
      id: 0,
      time: 0,
      reporter: 'juliet@localhost',
      subject: 'romeo@example.net',
      reason: 'spam',
      text: 'Never came trouble to my house like this.',
      stanzas: [{ by: 'juliet@localhost', id: '28482-98726-73623' }],
    },
  )
})

test('a report that nobody understands is refused, and then nobody is blocked', async () => {
  const stage = await theatre()
  const juliet = await stage.enter('juliet')
  for (const bad of [`<report xmlns='${NS}'/>`, report('', 'urn:example:boring')]) {
    assertLike(await juliet.sets(block('romeo@example.net', bad)), `<iq type='error'><error type='modify'/></iq>`)
  }
  assert.deepEqual(await blocked(juliet), [])
  assert.deepEqual(await stage.store.reports.list(10), [])
})

test('nobody fills the disk with reports, nor takes the place of those of others', async () => {
  const stage = await theatre()
  const juliet = await stage.enter('juliet')
  const romeo = await stage.enter('romeo')
  await romeo.sets(block('tybalt@example.net', report()))
  const items = Array.from({ length: 60 }, (_, index) => `<item jid='a${index}@example.net'>${report()}</item>`).join(
    '',
  )
  for (let round = 0; round < 3; round++) {
    assertLike(await juliet.sets(`<block xmlns='urn:xmpp:blocking'>${items}</block>`), `<iq type='result'/>`)
  }
  const kept = await stage.store.reports.list(1000)
  assert.equal(kept.length, 101)
  assert.equal(String(kept.at(-1)?.subject), 'tybalt@example.net')
})

test('administrators see them by a command, and nobody else knows of it', async () => {
  const stage = await theatre({ admins: ['nurse@localhost'] })
  const juliet = await stage.enter('juliet')
  const nurse = await stage.enter('nurse')
  await juliet.sets(block('romeo@example.net', report('<text>Rude.</text>', 'urn:xmpp:reporting:abuse')))
  const run = `<command xmlns='http://jabber.org/protocol/commands' node='${NS}#list'/>`
  assertLike(
    await nurse.sets(run, 'localhost'),
    `<iq type='result'><command xmlns='http://jabber.org/protocol/commands' status='completed'>
      <x xmlns='jabber:x:data' type='result'><item>
        <field var='subject'><value>romeo@example.net</value></field>
        <field var='reason'><value>abuse</value></field>
        <field var='reporter'><value>juliet@localhost</value></field>
        <field var='text'><value>Rude.</value></field>
      </item></x></command></iq>`,
  )
  assertLike(await juliet.sets(run, 'localhost'), `<iq type='error'/>`)
})
