// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, type Theatre, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { assertLike } from '../../test/support/match.ts'
import type { Command } from '../core/command.ts'
import type { Feature } from '../core/feature.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { features } from './index.ts'

const NS = 'http://jabber.org/protocol/commands'
const ITEMS = 'http://jabber.org/protocol/disco#items'
const INFO = 'http://jabber.org/protocol/disco#info'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'

/** XEP-0050 §2.4.2: first which service, then how. */
const configure: Command = {
  node: 'config',
  name: 'Configure Service',
  allowed: ({ local }) => local !== 'iago',
  start: () => ({
    more: true,
    form: {
      formType: 'urn:test',
      fields: [
        { name: 'service', type: 'list-single', required: true, options: [{ value: 'httpd' }, { value: 'jabberd' }] },
      ],
    },
    answered: (first) => ({
      form: {
        formType: 'urn:test',
        fields: [
          { name: 'state', required: true },
          { name: 'key', type: 'text-private' },
        ],
      },
      async answered(second) {
        if (second.text('state') === 'bad') throw new StanzaError('cancel', 'conflict')
        return { notes: [{ type: 'info', text: `${first.text('service')} is ${second.text('state')}` }] }
      },
    }),
  }),
}
const list: Command = { node: 'list', name: 'List', allowed: () => true, start: () => ({}) }
const services: Feature = {
  name: 'services',
  implements: [],
  setup: () => ({ disco: { commands: [configure, list] } }),
}

function stageWith(clock?: FakeClock): Promise<Theatre> {
  return theatre({ features: [...features, services], ...(clock && { clock }) })
}

function command(attrs: string, fields = ''): string {
  const form = fields && `<x xmlns='jabber:x:data' type='submit'>${fields}</x>`
  return `<command xmlns='${NS}' ${attrs}>${form}</command>`
}

function field(name: string, value: string): string {
  return `<field var='${name}'><value>${value}</value></field>`
}

function sessionIn(answer: Element): string {
  const id = answer.child('command', NS)?.attrs.sessionid
  assert.ok(id)
  return id
}

async function runs(actor: Actor, attrs: string, fields = ''): Promise<Element> {
  return actor.sets(command(attrs, fields), 'localhost')
}

async function begins(actor: Actor): Promise<string> {
  return `node='config' sessionid='${sessionIn(await runs(actor, `node='config'`))}'`
}

async function isRefused(actor: Actor, attrs: string, fields: string, condition: string, detail = ''): Promise<void> {
  const more = detail && `<${detail} xmlns='${NS}'/>`
  assertLike(
    await runs(actor, attrs, fields),
    `<iq type='error'><error><${condition} xmlns='${STANZAS}'/>${more}</error></iq>`,
  )
}

test('who may run a command finds it, and nobody else does', async () => {
  const stage = await stageWith()
  const [romeo, iago] = [await stage.enter('romeo'), await stage.enter('iago')]
  assertLike(
    await romeo.gets(`<query xmlns='${INFO}'/>`, 'localhost'),
    `<iq><query xmlns='${INFO}'><feature var='${NS}'/></query></iq>`,
  )
  const items = `<query xmlns='${ITEMS}' node='${NS}'/>`
  assertLike(
    await romeo.gets(items, 'localhost'),
    `<iq type='result'><query xmlns='${ITEMS}' node='${NS}'>
      <item jid='localhost' node='config' name='Configure Service'/><item jid='localhost' node='list' name='List'/>
    </query></iq>`,
  )
  const some = (await iago.gets(items, 'localhost')).child('query', ITEMS)?.elements ?? []
  assert.deepEqual(
    some.map(({ attrs }) => attrs.node).filter((node) => node === 'list' || node === 'config'),
    ['list'],
  )
  assertLike(
    await romeo.gets(`<query xmlns='${INFO}' node='${NS}'/>`, 'localhost'),
    `<iq type='result'><query xmlns='${INFO}' node='${NS}'><identity category='automation' type='command-list'/></query></iq>`,
  )
  const about = `<query xmlns='${INFO}' node='config'/>`
  assertLike(
    await romeo.gets(about, 'localhost'),
    `<iq type='result'><query xmlns='${INFO}' node='config'>
      <identity name='Configure Service' category='automation' type='command-node'/>
      <feature var='${NS}'/><feature var='jabber:x:data'/>
    </query></iq>`,
  )
  assertLike(
    await iago.gets(about, 'localhost'),
    `<iq type='error'><error><forbidden xmlns='${STANZAS}'/></error></iq>`,
  )
  await isRefused(iago, `node='config'`, '', 'forbidden')
  assertLike(await romeo.gets(items), `<iq type='error'><error><item-not-found xmlns='${STANZAS}'/></error></iq>`)
})

test('a command without questions is done at once', async () => {
  const romeo = await (await stageWith()).enter('romeo')
  const done = `<iq type='result' from='localhost'><command xmlns='${NS}' node='list' sessionid='*' status='completed'/></iq>`
  assertLike(await runs(romeo, `node='list' action='execute'`), done)
  assertLike(await runs(romeo, `node='list'`), done)
})

test('stages, there and back, as in XEP-0050 §2.4.2', async () => {
  const romeo = await (await stageWith()).enter('romeo')
  const first = `<iq type='result'><command xmlns='${NS}' node='config' sessionid='*' status='executing'>
    <actions execute='next'><next/></actions>
    <x xmlns='jabber:x:data' type='form'><field var='service' type='list-single'/></x>
  </command></iq>`
  const second = `<iq type='result'><command xmlns='${NS}' node='config' status='executing'>
    <actions execute='complete'><prev/><complete/></actions>
    <x xmlns='jabber:x:data' type='form'><field var='state'/></x>
  </command></iq>`
  const started = await runs(romeo, `node='config' action='execute'`)
  assertLike(started, first)
  const it = `node='config' sessionid='${sessionIn(started)}'`
  assertLike(await runs(romeo, it, field('service', 'jabberd')), second)
  assertLike(await runs(romeo, `${it} action='prev'`), first)
  assertLike(await runs(romeo, `${it} action='next'`, field('service', 'httpd')), second)
  const done = await runs(romeo, `${it} action='complete'`, field('state', 'on'))
  assertLike(
    done,
    `<iq type='result'><command ${it} xmlns='${NS}' status='completed'><note type='info'>httpd is on</note></command></iq>`,
  )
  await isRefused(romeo, it, field('state', 'on'), 'not-allowed', 'session-expired')
})

test('a command can be cancelled', async () => {
  const romeo = await (await stageWith()).enter('romeo')
  const it = await begins(romeo)
  assertLike(
    await runs(romeo, `${it} action='cancel'`),
    `<iq type='result'><command ${it} xmlns='${NS}' status='canceled'/></iq>`,
  )
  await isRefused(romeo, it, '', 'not-allowed', 'session-expired')
})

test('what cannot be done is refused, and the stage can be answered again', async () => {
  const romeo = await (await stageWith()).enter('romeo')
  await isRefused(romeo, `node='nothing'`, '', 'item-not-found')
  await isRefused(romeo, '', '', 'item-not-found')
  await isRefused(romeo, `node='config' action='dance'`, '', 'bad-request', 'malformed-action')
  for (const action of ['cancel', 'prev', 'next', 'complete'])
    await isRefused(romeo, `node='config' action='${action}'`, '', 'bad-request', 'bad-action')
  const it = await begins(romeo)
  await isRefused(romeo, `${it} action='prev'`, '', 'bad-request', 'bad-action')
  await isRefused(romeo, `${it} action='complete'`, field('service', 'httpd'), 'bad-request', 'bad-action')
  await isRefused(romeo, it, '', 'bad-request', 'bad-payload')
  await isRefused(romeo, it, field('service', 'sshd'), 'bad-request', 'bad-payload')
  await runs(romeo, it, field('service', 'httpd'))
  await isRefused(romeo, `${it} action='next'`, field('state', 'on'), 'bad-request', 'bad-action')
  const refused = await runs(romeo, it, field('state', 'bad') + field('key', 'secret'))
  assertLike(refused, `<iq type='error'><error><conflict xmlns='${STANZAS}'/></error></iq>`)
  assert.equal(refused.child('command', NS), undefined) // a secret does not come back
  assertLike(
    await runs(romeo, it, field('state', 'on')),
    `<iq type='result'><command xmlns='${NS}' status='completed'/></iq>`,
  )
})

test('a session is of the client that began it, and of its command', async () => {
  const stage = await stageWith()
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  const phone = await stage.enter('romeo', 'phone')
  const it = await begins(romeo)
  for (const other of [juliet, phone])
    await isRefused(other, `${it} action='cancel'`, '', 'bad-request', 'bad-sessionid')
  await isRefused(romeo, it.replace('config', 'list'), '', 'bad-request', 'bad-sessionid')
  await isRefused(romeo, `node='config' sessionid='made up'`, '', 'bad-request', 'bad-sessionid')
  await isRefused(romeo, `node='config' sessionid=''`, '', 'bad-request', 'bad-sessionid')
  assertLike(await runs(romeo, `${it} action='cancel'`), `<iq type='result'/>`)
})

test('what is under way is forgotten after a while, and the oldest when there is too much of it', async () => {
  const clock = new FakeClock()
  const stage = await stageWith(clock)
  const [romeo, juliet] = [await stage.enter('romeo'), await stage.enter('juliet')]
  const [late, hers] = [await begins(romeo), await begins(juliet)]
  clock.advance(599_000)
  assertLike(await runs(juliet, hers, field('service', 'httpd')), `<iq type='result'/>`)
  clock.advance(1_000)
  await isRefused(romeo, `${late} action='cancel'`, '', 'not-allowed', 'session-expired')
  const oldest = await begins(romeo)
  for (let more = 0; more < 10; more++) await begins(romeo)
  await isRefused(romeo, `${oldest} action='cancel'`, '', 'not-allowed', 'session-expired')
  assertLike(await runs(juliet, `${hers} action='cancel'`), `<iq type='result'/>`)
})
