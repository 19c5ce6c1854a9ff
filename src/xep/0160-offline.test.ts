// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { assertLike } from '../../test/support/match.ts'
import { MemoryLink } from '../../test/support/memory-link.ts'
import type { KeptMessage } from '../store/store.ts'
import type { Element, Writable } from '../xml/element.ts'

const HINTS = 'urn:xmpp:hints'
const UNAVAILABLE = `<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`

/** Becomes available and gives the messages that came by then. */
async function messagesFor(actor: Actor, presence = '<presence/>'): Promise<readonly Element[]> {
  actor.sends(presence)
  return messagesUntilNow(actor)
}

async function messagesUntilNow(actor: Actor): Promise<readonly Element[]> {
  actor.sends(`<iq type='get' id='now' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
  const messages: Element[] = []
  for (;;) {
    const element = await actor.hears()
    if (element.name === 'iq' && element.attrs.id === 'now') return messages
    if (element.name === 'message') messages.push(element)
  }
}

function bodies(messages: readonly Element[]): readonly (string | undefined)[] {
  return messages.map((message) => message.childText('body'))
}

test('a message waits until its addressee is there (§2)', async () => {
  const clock = new FakeClock()
  const stage = await theatre({ clock })
  const romeo = await stage.enter('romeo', 'orchard')
  await stage.account('juliet')
  romeo.sends(`<message to='juliet@localhost' id='m1'><body>O blessed, blessed night!</body></message>`)
  await romeo.receivesNothing()
  clock.advance(60_000)
  const juliet = await stage.enter('juliet', 'balcony', false)
  await juliet.receivesNothing()
  const [message, ...more] = await messagesFor(juliet, '<presence><priority>1</priority></presence>')
  assert.ok(message)
  assert.deepEqual(more, [])
  assertLike(
    message,
    `<message from='romeo@localhost/orchard' to='juliet@localhost' id='m1'><body>O blessed, blessed night!</body>
      <delay xmlns='urn:xmpp:delay' from='localhost' stamp='2026-01-01T00:00:00.000Z'>Offline Storage</delay></message>`,
  )
  const again = await stage.enter('juliet', 'chamber', false)
  assert.deepEqual(await messagesFor(again), [])
})

test('the server says so (§4)', async () => {
  const romeo = await (await theatre()).enter('romeo')
  assertLike(
    await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, 'localhost'),
    `<iq><query xmlns='http://jabber.org/protocol/disco#info'><feature var='msgoffline'/></query></iq>`,
  )
})

test('a client of negative priority gets nothing until it raises it', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const juliet = await stage.enter('juliet', 'juliet', false)
  assert.deepEqual(await messagesFor(juliet, '<presence><priority>-1</priority></presence>'), [])
  romeo.sends(`<message type='chat' to='juliet@localhost'><body>Are you there?</body></message>`)
  await romeo.receivesNothing()
  await juliet.receivesNothing()
  assert.deepEqual(bodies(await messagesFor(juliet)), ['Are you there?'])
  assert.deepEqual(await messagesFor(juliet, '<presence><show>away</show></presence>'), [])
})

test('a message for a client that is gone keeps its address', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  romeo.sends(`<message type='chat' to='juliet@localhost/gone'><body>Hello?</body></message>`)
  await romeo.receivesNothing()
  const juliet = await stage.enter('juliet', 'balcony', false)
  const [message] = await messagesFor(juliet)
  assert.equal(message?.attrs.to, 'juliet@localhost/gone')
})

test('only what is worth it waits (§3)', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  const says = (type: string, content: string): void =>
    romeo.sends(`<message to='juliet@localhost' type='${type}'>${content}</message>`)
  says('chat', `<composing xmlns='http://jabber.org/protocol/chatstates'/>`)
  says('headline', '<body>news</body>')
  says('error', '<body>error</body>')
  says('chat', `<received xmlns='urn:xmpp:chat-markers:0' id='1'/><no-store xmlns='${HINTS}'/>`)
  await romeo.receivesNothing()
  says('groupchat', '<body>all</body>')
  await romeo.receives(`<message type='error'>${UNAVAILABLE}</message>`)
  says('chat', `<body>no trace</body><no-store xmlns='${HINTS}'/>`)
  await romeo.receives(`<message type='error'><body>no trace</body>${UNAVAILABLE}</message>`)
  says('chat', `<body>off the record</body><no-permanent-store xmlns='${HINTS}'/>`)
  says('chat', `<received xmlns='urn:xmpp:receipts' id='1'/>`)
  says('chat', `<encrypted xmlns='urn:xmpp:omemo:2'/>`)
  says('normal', `<subject>normal</subject>`)
  await romeo.receivesNothing()
  const juliet = await stage.enter('juliet', 'juliet', false)
  const messages = await messagesFor(juliet)
  assert.deepEqual(
    messages.map((message) => message.elements[0]?.name),
    ['body', 'received', 'encrypted', 'subject'],
  )
  assert.deepEqual(
    (await stage.store.messages.page(juliet.jid.bare, { limit: 10 })).messages.length,
    3, // all but the one that is off the record
  )
})

test('a full queue refuses more, and has room again when it was delivered (§2)', async () => {
  const stage = await theatre({ limits: { offlineMessages: 2 } })
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  const says = (text: string): void => romeo.sends(`<message to='juliet@localhost'><body>${text}</body></message>`)
  for (let round = 1; round <= 2; round++) {
    for (const text of ['one', 'two', 'three']) says(text)
    await romeo.receives(`<message type='error'><body>three</body>${UNAVAILABLE}</message>`)
    await romeo.receivesNothing()
    const juliet = await stage.enter('juliet', 'juliet', false)
    assert.deepEqual(bodies(await messagesFor(juliet)), ['one', 'two'])
    juliet.link.close()
  }
})

test('many are delivered in order, page after page', async () => {
  const stage = await theatre({ limits: { offlineMessages: 1000 } })
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  const texts = Array.from({ length: 130 }, (_, n) => `message ${n}`)
  for (const text of texts) romeo.sends(`<message to='juliet@localhost'><body>${text}</body></message>`)
  const large = 'x'.repeat(200_000)
  for (let n = 0; n < 5; n++) romeo.sends(`<message to='juliet@localhost'><body>${large}</body></message>`)
  await romeo.receivesNothing()
  const juliet = await stage.enter('juliet', 'juliet', false)
  assert.deepEqual(bodies(await messagesFor(juliet)), [...texts, large, large, large, large, large])
})

test('what comes while old messages are handed over does not get between them (RFC 6120 §10.1)', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const juliet = await stage.account('juliet')
  const texts = ['one', 'two', 'three', 'four', 'five', 'six']
  const send = (text: string): void => romeo.sends(`<message to='juliet@localhost'><body>${text}</body></message>`)
  for (const text of texts) send(text)
  await romeo.receivesNothing()
  let first = true
  const link = new (class extends MemoryLink {
    override send(item: Writable): void {
      super.send(item)
      if (!first || !item.xml('jabber:client').startsWith('<message')) return
      first = false
      send('new')
    }
  })()
  const phone = await stage.stranger(link).logsIn(juliet, 'secret', 'phone')
  assert.deepEqual(bodies(await messagesFor(phone)), [...texts, 'new'])
})

test('two clients that come at once do not get them twice', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const phone = await stage.enter('juliet', 'phone', false)
  const laptop = await stage.enter('juliet', 'laptop', false)
  for (let n = 0; n < 60; n++) romeo.sends(`<message to='juliet@localhost'><body>${n}</body></message>`)
  await romeo.receivesNothing()
  const got = await Promise.all([messagesFor(phone), messagesFor(laptop)])
  // The second one's ping may overtake what the first one still gets.
  const all = [...got.flat(), ...(await messagesUntilNow(phone)), ...(await messagesUntilNow(laptop))]
  assert.deepEqual(
    bodies(all).toSorted((a, b) => Number(a) - Number(b)),
    Array.from({ length: 60 }, (_, n) => String(n)),
  )
})

test('what a client did not live to get stays for the next one', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  romeo.sends(`<message to='juliet@localhost'><body>Do not get lost</body></message>`)
  await romeo.receivesNothing()
  const { messages } = stage.store
  const read = messages.offline.bind(messages)
  const reading = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  Object.assign(messages, {
    async offline(...args: Parameters<typeof read>): Promise<readonly KeptMessage[]> {
      const kept = await read(...args)
      reading.resolve()
      await gate.promise
      return kept
    },
  })
  const phone = await stage.enter('juliet', 'phone', false)
  phone.sends('<presence/>')
  await reading.promise
  phone.link.clientVanishes()
  gate.resolve()
  const laptop = await stage.enter('juliet', 'laptop', false)
  assert.deepEqual(bodies(await messagesFor(laptop)), ['Do not get lost'])
})

test('what breaks off with stream management comes once to the next client', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const juliet = await stage.account('juliet')
  const texts = ['one', 'two', 'three']
  for (const text of texts) romeo.sends(`<message to='juliet@localhost'><body>${text}</body></message>`)
  await romeo.receivesNothing()
  const broken = Promise.withResolvers<void>()
  const link = new (class extends MemoryLink {
    override send(item: Writable): void {
      super.send(item)
      if (!item.xml('jabber:client').startsWith('<message')) return
      setImmediate(() => {
        this.clientVanishes()
        broken.resolve()
      })
    }
  })()
  const phone = await stage.stranger(link).logsIn(juliet, 'secret', 'phone')
  phone.sends(`<enable xmlns='urn:xmpp:sm:3'/>`)
  phone.sends('<presence/>')
  await broken.promise
  const laptop = await stage.enter('juliet', 'laptop', false)
  assert.deepEqual(bodies(await messagesFor(laptop)), texts)
})

test('a client that counts what it is sent gets no more at once than it acknowledges', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  const long = 'x'.repeat(130_000)
  const texts = Array.from({ length: 80 }, (_, count) => String(count))
  for (const text of texts) romeo.sends(`<message to='juliet@localhost'><body>${text} ${long}</body></message>`)
  await romeo.receivesNothing()
  const phone = await stage.enter('juliet', 'phone', false)
  phone.sends(`<enable xmlns='urn:xmpp:sm:3'/>`)
  phone.sends('<presence/>')
  const got: (string | undefined)[] = []
  for (let stanzas = 0; got.length < texts.length; ) {
    const element = await phone.hears()
    if (element.name === 'message') got.push(element.childText('body')?.split(' ')[0])
    if (element.name === 'r') phone.sends(`<a xmlns='urn:xmpp:sm:3' h='${stanzas}'/>`)
    else if (element.name !== 'enabled') stanzas++
  }
  assert.deepEqual(got, texts)
})

test('what a client that acknowledges nothing does not get stays for the next one, and all of it', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const juliet = await stage.account('juliet')
  const long = 'x'.repeat(130_000)
  for (let count = 0; count < 80; count++)
    romeo.sends(`<message to='juliet@localhost'><body>${count} ${long}</body></message>`)
  await romeo.receivesNothing()
  const phone = await stage.enter('juliet', 'phone', false)
  phone.sends(`<enable xmlns='urn:xmpp:sm:3'/>`)
  phone.sends('<presence/>')
  await phone.settles()
  const sent = 80 - (await stage.store.messages.offlineCount(juliet))
  assert.ok(sent > 0 && sent < 40, `${sent} were sent`)
  const laptop = await stage.enter('juliet', 'laptop', false)
  assert.equal((await messagesFor(laptop)).length, 80 - sent)
  phone.link.clientVanishes()
  assert.equal((await messagesUntilNow(laptop)).length, sent)
})

test('when another client is there, it gets what the first one did not live to get', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  romeo.sends(`<message to='juliet@localhost'><body>Do not get lost</body></message>`)
  await romeo.receivesNothing()
  const { messages } = stage.store
  const read = messages.offline.bind(messages)
  const reading = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  Object.assign(messages, {
    async offline(...args: Parameters<typeof read>): Promise<readonly KeptMessage[]> {
      reading.resolve()
      await gate.promise
      return read(...args)
    },
  })
  const phone = await stage.enter('juliet', 'phone', false)
  phone.sends('<presence/>')
  await reading.promise
  const laptop = await stage.enter('juliet', 'laptop')
  phone.link.clientVanishes()
  await laptop.receives(`<presence type='unavailable' from='${phone.full}'/>`)
  gate.resolve()
  await laptop.receives(`<message><body>Do not get lost</body></message>`)
})

test('a message that comes while the queue is counted finds the client that came meanwhile', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const juliet = await stage.enter('juliet', 'juliet', false)
  const { messages } = stage.store
  const counting = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<number>()
  Object.assign(messages, {
    offlineCount(): Promise<number> {
      counting.resolve()
      return gate.promise
    },
  })
  romeo.sends(`<message to='juliet@localhost'><body>Just in time</body></message>`)
  await counting.promise
  assert.deepEqual(await messagesFor(juliet), [])
  gate.resolve(0)
  await juliet.receives(`<message><body>Just in time</body></message>`)
})

test('a delay that pretends to be ours is thrown away, others stay (XEP-0203 §5)', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  romeo.sends(`<message to='juliet@localhost'><body>Old?</body>
    <delay xmlns='urn:xmpp:delay' from='localhost' stamp='1999-01-01T00:00:00Z'/>
    <delay xmlns='urn:xmpp:delay' from='irc.localhost' stamp='2000-01-01T00:00:00Z'/></message>`)
  await romeo.receivesNothing()
  const juliet = await stage.enter('juliet', 'juliet', false)
  const [message] = await messagesFor(juliet)
  const delays = message?.childrenNamed('delay', 'urn:xmpp:delay') ?? []
  assert.deepEqual(
    delays.map(({ attrs }) => attrs.from),
    ['irc.localhost', 'localhost'],
  )
  assert.notEqual(delays[1]?.attrs.stamp, '1999-01-01T00:00:00Z')
})

test('when the disk fails, the sender is told', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  await stage.account('juliet')
  Object.assign(stage.store.messages, {
    append(_: unknown, failed?: (error: Error) => void) {
      queueMicrotask(() => failed?.(new Error('the disk is full')))
      return 1
    },
  })
  romeo.sends(`<message to='juliet@localhost' id='m1'><body>Hello</body></message>`)
  await romeo.receives(
    `<message type='error' id='m1' from='juliet@localhost'><error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
  )
})

test('a message that cannot be read any more does not keep the others', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const owner = await stage.account('juliet')
  const { messages } = stage.store
  messages.append({ xml: '<message', from: romeo.jid, to: owner, archiveFor: [], offlineFor: owner })
  romeo.sends(`<message to='juliet@localhost'><body>Hello</body></message>`)
  await romeo.receivesNothing()
  const juliet = await stage.enter('juliet', 'juliet', false)
  assert.deepEqual(bodies(await messagesFor(juliet)), ['Hello'])
})

test('what comes during a long delivery comes behind what waited, and nothing twice', async () => {
  const stage = await theatre({ limits: { offlineMessages: 200 } })
  const romeo = await stage.enter('romeo')
  const juliet = await stage.enter('juliet', 'juliet', false)
  const says = (text: string, to = juliet.bare): void =>
    romeo.sends(`<message type='chat' to='${to}'><body>${text}</body></message>`)
  const waiting = Array.from({ length: 120 }, (_, index) => `number ${index}`)
  for (const text of waiting) says(text)
  await romeo.settles()
  const { messages } = stage.store
  const read = messages.offline.bind(messages)
  const live: string[] = []
  Object.assign(messages, {
    async offline(...asked: Parameters<typeof read>) {
      const page = await read(...asked)
      if (live.length < 4) {
        live.push(`live ${live.length}`)
        says(live.at(-1) ?? '', live.length % 2 === 0 ? juliet.full : juliet.bare)
        romeo.sends(
          `<message type='chat' to='${juliet.bare}'><active xmlns='http://jabber.org/protocol/chatstates'/></message>`,
        )
        await romeo.settles()
      }
      return page
    },
  })
  juliet.sends('<presence/>')
  const heard: string[] = []
  while (heard.at(-1) !== 'live 3') {
    const text = (await juliet.hears()).childText('body')
    if (text !== undefined) heard.push(text)
  }
  assert.deepEqual(heard, [...waiting, ...live])
  await juliet.settles()
  says('and now at once')
  const direct = await juliet.receives('<message><body>and now at once</body></message>')
  assert.equal(direct.child('delay', 'urn:xmpp:delay'), undefined)
  assert.equal(await messages.offlineCount(juliet.jid.bare), 0)
  const kept = (await messages.page(juliet.jid.bare, { limit: 250 })).messages
  assert.equal(kept.length, waiting.length + live.length + 1)
})

test('who has another client there gets it there at once', async () => {
  const stage = await theatre()
  const romeo = await stage.enter('romeo')
  const phone = await stage.enter('juliet', 'phone', false)
  romeo.sends(`<message type='chat' to='${phone.bare}'><body>before</body></message>`)
  await romeo.settles()
  const { messages } = stage.store
  const read = messages.offline.bind(messages)
  const laptop = await stage.enter('juliet', 'laptop', false)
  Object.assign(messages, {
    async offline(...asked: Parameters<typeof read>) {
      Object.assign(messages, { offline: read })
      laptop.sends('<presence/>')
      await laptop.settles()
      romeo.sends(`<message type='chat' to='${phone.bare}'><body>to both</body></message>`)
      await romeo.settles()
      return read(...asked)
    },
  })
  assert.deepEqual(bodies(await messagesFor(phone)).toSorted(), ['before', 'to both'])
  await laptop.receives('<message><body>to both</body></message>')
  await laptop.receivesNothing()
})
