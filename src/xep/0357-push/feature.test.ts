// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, type Theatre, theatre } from '../../../test/support/cast.ts'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { assertLike } from '../../../test/support/match.ts'
import type { Feature, FeatureContext, IqRequest } from '../../core/feature.ts'
import type { Element } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { type StanzaCondition, StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { features } from '../index.ts'
import { connectionLost } from './feature.ts'

const NS = 'urn:xmpp:push:0'
const SERVICE = 'push.localhost'
const HINT = `xmlns='urn:xmpp:hints'`

/** The server of an app, as one of our domains: what it was told, and what it answers. */
class AppServer {
  readonly got: Element[] = []
  refusal: StanzaError | undefined
  #waiting: (() => void)[] = []

  readonly feature: Feature = {
    name: 'test-app-server',
    implements: [],
    setup: () => ({
      iq: [
        {
          at: ['server'],
          type: 'set',
          ns: 'http://jabber.org/protocol/pubsub',
          name: 'pubsub',
          answer: (request) => this.#take(request),
        },
      ],
    }),
  }

  /** Resolves when it has got so many. */
  async has(count: number): Promise<void> {
    while (this.got.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #take({ payload, stanza }: IqRequest): undefined {
    this.got.push(payload.withAttrs({ from: stanza.from?.toString() }))
    for (const tell of this.#waiting.splice(0)) tell()
    if (this.refusal) throw this.refusal
    return undefined
  }
}

async function stageWithPush(): Promise<{ stage: Theatre; app: AppServer; clock: FakeClock }> {
  const app = new AppServer()
  const clock = new FakeClock()
  const stage = await theatre({ hosts: ['localhost', SERVICE], features: [...features, app.feature], clock })
  return { stage, app, clock }
}

function enable(node = 'token', form = '', jid = SERVICE): string {
  return `<enable xmlns='${NS}' jid='${jid}' node='${node}'>${form}</enable>`
}

async function enables(phone: Actor, ...args: Parameters<typeof enable>): Promise<void> {
  assertLike(await phone.sets(enable(...args)), `<iq type='result'/>`)
}

async function leaves(actor: Actor): Promise<void> {
  actor.link.clientCloses()
  await actor.isClosed(undefined)
}

function count(published: Element | undefined): string | undefined {
  return published?.xml('').match(/<field var='message-count'><value>(\d+)/)?.[1]
}

const romeoSays = (juliet: string, content: string, attrs = `type='chat'`) =>
  `<message ${attrs} to='${juliet}'>${content}</message>`

test('an account tells its owner that it pushes', async () => {
  const { stage } = await stageWithPush()
  const phone = await stage.enter('juliet')
  const info = await phone.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`)
  assertLike(
    info,
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='${NS}'/></query></iq>`,
  )
})

test('a message for somebody who is away wakes the phone, and tells neither who wrote nor what', async () => {
  const { stage, app } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  const form = `<x xmlns='jabber:x:data' type='submit'>
    <field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>
    <field var='secret'><value>eruio234vzxc2kla-91</value></field></x>`
  await enables(phone, 'yxs32uqsflafdk3iuqo', form)
  await leaves(phone)
  romeo.sends(romeoSays(phone.bare, '<body>Wherefore art thou?</body>'))
  await app.has(1)
  const [published] = app.got
  assert.ok(published)
  assertLike(
    published,
    `<pubsub xmlns='http://jabber.org/protocol/pubsub' from='${phone.bare}'>
      <publish node='yxs32uqsflafdk3iuqo'><item><notification xmlns='${NS}'><x xmlns='jabber:x:data'>
        <field var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field>
        <field var='message-count'><value>1</value></field>
      </x></notification></item></publish>
      <publish-options>${form}</publish-options>
    </pubsub>`,
  )
  assert.doesNotMatch(published.xml(''), /romeo|Wherefore/)
})

test('OMEMO, calls and invitations wake it; chat states, receipts, markers and what is not kept do not', async () => {
  const { stage, app, clock } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  await enables(phone)
  await leaves(phone)
  const quiet = [
    `<composing xmlns='http://jabber.org/protocol/chatstates'/>`,
    `<received xmlns='urn:xmpp:receipts' id='1'/>`,
    `<reactions xmlns='urn:xmpp:reactions:0' id='1'><reaction>x</reaction></reactions>`,
    `<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/><store ${HINT}/>`,
    `<body>off the record</body><no-store ${HINT}/>`,
    `<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted><store ${HINT}/>`,
    `<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/></encrypted><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:omemo:2'/>`,
  ]
  for (const content of quiet) romeo.sends(romeoSays(phone.bare, content))
  romeo.sends(romeoSays(phone.bare, '<body>News!</body>', `type='headline'`))
  await romeo.settles()
  assert.equal(app.got.length, 0)
  const loud = [
    '<body>Hi</body>',
    `<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/><payload>x</payload></encrypted>`,
    `<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/><payload>x</payload></encrypted>`,
    `<openpgp xmlns='urn:xmpp:openpgp:0'>x</openpgp>`,
    `<propose xmlns='urn:xmpp:jingle-message:0' id='1'/><store ${HINT}/>`,
    `<new xmlns='urn:example:new'/><encryption xmlns='urn:xmpp:eme:0' namespace='urn:example:new'/>`,
    `<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>`,
  ]
  for (const [index, content] of loud.entries()) {
    romeo.sends(romeoSays(phone.bare, content))
    await app.has(index + 1)
    await clock.awaited(5000)
    clock.advance(5000)
  }
  assert.equal(count(app.got.at(-1)), String(loud.length))
})

test('somebody who asks for a subscription wakes it, once', async () => {
  const { stage, app, clock } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  await enables(phone)
  await leaves(phone)
  romeo.sends(`<presence type='subscribe' to='${phone.bare}'/>`)
  await app.has(1)
  assert.match(app.got[0]?.xml('') ?? '', /'pending-subscription-count'><value>1</)
  assert.equal(count(app.got[0]), '0')
  await clock.awaited(5000)
  clock.advance(5000)
  romeo.sends(`<presence type='subscribe' to='${phone.bare}'/>`)
  romeo.sends(`<presence type='unsubscribe' to='${phone.bare}'/>`)
  await romeo.settles()
  assert.equal(app.got.length, 1)
})

test('many messages make one notification, and another one after a pause', async () => {
  const { stage, app, clock } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  await enables(phone)
  await leaves(phone)
  romeo.sends(romeoSays(phone.bare, '<body>1</body>'))
  await app.has(1)
  for (const text of ['2', '3', '4']) romeo.sends(romeoSays(phone.bare, `<body>${text}</body>`))
  await romeo.settles()
  await clock.awaited(5000)
  assert.equal(app.got.length, 1)
  clock.advance(5000)
  await app.has(2)
  assert.deepEqual(app.got.map(count), ['1', '4'])
  await clock.awaited(5000)
  clock.advance(5000)
  await romeo.settles()
  assert.equal(app.got.length, 2)
})

test('a device that is here gets no notification; one that is not gets it although another one is here', async () => {
  const { stage, app } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const desktop = await stage.enter('juliet', 'desktop')
  const romeo = await stage.enter('romeo')
  await enables(phone)
  romeo.sends(romeoSays(phone.bare, '<body>1</body>'))
  await romeo.settles()
  assert.equal(app.got.length, 0)
  await leaves(phone)
  romeo.sends(romeoSays(desktop.full, '<body>from the room</body>', `type='groupchat'`))
  await romeo.settles()
  assert.equal(app.got.length, 0)
  romeo.sends(romeoSays(phone.bare, '<body>2</body>'))
  await app.has(1)
})

test('a client that may yet resume its stream is woken by messages, by a room and by calls for itself', async () => {
  const { stage, app, clock } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  await enables(phone)
  for (const session of stage.server.sessions()) {
    if (session.jid.equals(phone.jid)) Object.defineProperty(session, 'attached', { value: false })
  }
  const call = (action: string) =>
    `<iq type='set' id='call' to='${phone.full}'><jingle xmlns='urn:xmpp:jingle:1' action='${action}' sid='1'/></iq>`
  romeo.sends(call('session-info'))
  const wakes = [
    romeoSays(phone.bare, '<body>1</body>'),
    romeoSays(phone.full, '<body>2</body>', `type='groupchat'`),
    call('session-initiate'),
  ]
  for (const [index, stanza] of wakes.entries()) {
    romeo.sends(stanza)
    await app.has(index + 1)
    await clock.awaited(5000)
    clock.advance(5000)
  }
  assert.deepEqual(app.got.map(count), ['1', '2', '3'])
})

test('what was lost in a dead connection wakes the device as soon as that is noticed', async () => {
  const app = new AppServer()
  let context: FeatureContext | undefined
  const spy: Feature = {
    name: 'test-context',
    implements: [],
    setup(ctx) {
      context = ctx
      return {}
    },
  }
  const stage = await theatre({ hosts: ['localhost', SERVICE], features: [...features, app.feature, spy] })
  const phone = await stage.enter('juliet', 'phone')
  await enables(phone)
  const session = [...stage.server.sessions()].find(({ jid }) => jid.equals(phone.jid))
  assert.ok(session && context)
  Object.defineProperty(session, 'attached', { value: false })
  const sent = (content: string) =>
    Stanza.parse(parseElement(`<message type='chat' from='romeo@localhost/x'>${content}</message>`, NS_CLIENT))
  connectionLost(context, session, [sent(`<active xmlns='http://jabber.org/protocol/chatstates'/>`)])
  await phone.settles()
  assert.equal(app.got.length, 0)
  connectionLost(context, session, [sent('<body>1</body>'), sent('<body>2</body>')])
  await app.has(1)
})

test('what a client takes along unacknowledged wakes it', async () => {
  const { stage, app } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  await enables(phone)
  phone.sends(`<enable xmlns='urn:xmpp:sm:3'/>`)
  await phone.receives(`<enabled xmlns='urn:xmpp:sm:3'/>`)
  romeo.sends(romeoSays(phone.bare, '<body>Are you there?</body>'))
  await phone.receives(`<message><body>Are you there?</body></message>`)
  phone.link.clientCloses()
  await app.has(1)
})

test('disabled is disabled: one node, or all of a service', async () => {
  const { stage, app } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  for (const node of ['a', 'b', 'c']) await enables(phone, node)
  await phone.sets(`<disable xmlns='${NS}' jid='${SERVICE}' node='a'/>`)
  const left = await stage.store.pushes.list(phone.jid.bare, 10)
  assert.deepEqual(
    left.map(({ node }) => node),
    ['b', 'c'],
  )
  assertLike(await phone.sets(`<disable xmlns='${NS}' jid='${SERVICE}'/>`), `<iq type='result'/>`)
  await leaves(phone)
  romeo.sends(romeoSays(phone.bare, '<body>1</body>'))
  await romeo.settles()
  assert.equal(app.got.length, 0)
})

test('the wish outlives the memory of the server', async () => {
  const { stage, app } = await stageWithPush()
  const romeo = await stage.enter('romeo')
  const owner = await stage.account('juliet')
  const wish = { owner, service: Jid.parse(SERVICE), node: 'n', device: 'phone', options: undefined }
  await stage.store.pushes.enable(wish, 1, 10)
  romeo.sends(romeoSays(owner.toString(), '<body>1</body>'))
  await app.has(1)
})

async function pushed(stage: Theatre, owner: string): Promise<readonly unknown[]> {
  return (await stage.store.pushes.list(Jid.parse(owner), 10)).map(({ errors, error, disabled }) => [
    errors,
    error,
    disabled,
  ])
}

async function refusedTimes(times: number, refusal: StanzaError) {
  const { stage, app, clock } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  await enables(phone)
  await leaves(phone)
  app.refusal = refusal
  for (let round = 0; round < times; round++) {
    romeo.sends(romeoSays(phone.bare, '<body>Hi</body>'))
    await app.has(round + 1)
    await clock.awaited(5000 * 2 ** (round + 1))
    clock.advance(5000 * 2 ** (round + 1))
  }
  return { stage, app, phone, romeo }
}

const refusal = (type: 'cancel' | 'wait', condition: StanzaCondition) => new StanzaError(type, condition)

test('three errors for good in a row end it, until the client enables it again', async () => {
  const { stage, app, phone, romeo } = await refusedTimes(3, refusal('cancel', 'item-not-found'))
  assert.deepEqual(await pushed(stage, phone.bare), [[3, 'item-not-found', true]])
  romeo.sends(romeoSays(phone.bare, '<body>Hi</body>'))
  await romeo.settles()
  assert.equal(app.got.length, 3)
  app.refusal = undefined
  const again = await stage.enter('juliet', 'phone')
  await enables(again)
  assert.deepEqual(await pushed(stage, phone.bare), [[0, 'item-not-found', false]])
  await leaves(again)
  romeo.sends(romeoSays(phone.bare, '<body>Hi</body>'))
  await app.has(4)
})

test('errors that pass are counted, and only make the pauses longer', async () => {
  const { stage, phone } = await refusedTimes(5, refusal('wait', 'resource-constraint'))
  assert.deepEqual(await pushed(stage, phone.bare), [[5, 'resource-constraint', false]])
})

test('a user of ours is no push service, registrations have bounds, and the oldest gives way', async () => {
  const { stage, clock } = await stageWithPush()
  const phone = await stage.enter('juliet', 'phone')
  const romeo = await stage.enter('romeo')
  assertLike(
    await phone.sets(enable('n', '', romeo.full)),
    `<iq type='error'><error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
  )
  assertLike(await phone.sets(enable('n', '', '@')), `<iq type='error'><error type='modify'/></iq>`)
  assertLike(await phone.sets(enable('n'.repeat(1025))), `<iq type='error'><error type='modify'/></iq>`)
  assertLike(await romeo.sets(enable(), phone.bare), `<iq type='error'><error type='cancel'/></iq>`)
  for (let index = 0; index < 12; index++) {
    clock.advance(1)
    await enables(phone, `n${index}`)
  }
  const nodes = (await stage.store.pushes.list(phone.jid.bare, 100)).map(({ node }) => node)
  assert.equal(nodes.length, 10)
  assert.ok(!nodes.includes('n0') && !nodes.includes('n1') && nodes.includes('n11'))
  await nothingFor(phone, romeo)
})
