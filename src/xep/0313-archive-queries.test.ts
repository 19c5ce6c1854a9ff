// SPDX-License-Identifier: Apache-2.0
// What is asked of an archive, as conversations. What goes into one is in 0313-archive.test.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Actor, cast, type Theatre, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { assertLike } from '../../test/support/match.ts'
import type { Element } from '../xml/element.ts'

const MAM = 'urn:xmpp:mam:2'
const SID = 'urn:xmpp:sid:0'
const RSM = 'http://jabber.org/protocol/rsm'
const START = Date.UTC(2026, 0, 1)

/** An answer of an archive. */
interface Answer {
  readonly bodies: string
  readonly ids: readonly string[]
  readonly results: readonly Element[]
  readonly end: Element
  readonly complete: boolean
}

function field(name: string, ...values: readonly string[]): string {
  return `<field var='${name}'>${values.map((value) => `<value>${value}</value>`).join('')}</field>`
}

function form(...fields: readonly string[]): string {
  return `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${MAM}</value></field>${fields.join('')}</x>`
}

function rsm(content: string): string {
  return `<set xmlns='${RSM}'>${content}</set>`
}

let questions = 0

/** Asks the actor's own archive. The end comes last, and everything before it is a result. */
async function asks(actor: Actor, ...content: readonly string[]): Promise<Answer> {
  const id = `q${++questions}`
  actor.sends(`<iq type='set' id='${id}'><query xmlns='${MAM}' queryid='f27'>${content.join('')}</query></iq>`)
  const results: Element[] = []
  for (;;) {
    const element = await actor.hears()
    if (element.name !== 'iq') {
      results.push(element)
      continue
    }
    assert.equal(element.attrs.id, id)
    const inner = results.map((message) => message.child('result', MAM))
    const fin = element.child('fin', MAM)
    return {
      bodies: inner.map((result) => messageIn(result)?.childText('body') ?? '-').join(' '),
      ids: inner.map((result) => result?.attrs.id ?? ''),
      results,
      end: element,
      complete: fin?.attrs.complete === 'true',
    }
  }
}

function messageIn(result: Element | undefined): Element | undefined {
  return result?.child('forwarded', 'urn:xmpp:forward:0')?.child('message', 'jabber:client')
}

/** Juliet with six messages in her archive, a second apart. */
async function conversation(): Promise<{
  readonly juliet: Actor
  readonly romeo: Actor
  readonly nurse: Actor
  readonly stage: Theatre
}> {
  const clock = new FakeClock()
  const stage = await theatre({ clock })
  const [juliet, romeo, nurse] = [
    await stage.enter('juliet', 'balcony'),
    await stage.enter('romeo', 'orchard'),
    await stage.enter('nurse'),
  ]
  const say = async (from: Actor, to: Actor, body: string): Promise<void> => {
    clock.advance(1000)
    from.sends(`<message type='chat' to='${to.bare}' id='id-${body}'><body>${body}</body></message>`)
    await from.settles()
    await to.receives(`<message><body>${body}</body></message>`)
  }
  await say(romeo, juliet, 'm0')
  await say(juliet, romeo, 'm1')
  await say(nurse, juliet, 'm2')
  await say(juliet, nurse, 'm3')
  await say(romeo, juliet, 'm4')
  await say(juliet, romeo, 'm5')
  return { juliet, romeo, nurse, stage }
}

function at(seconds: number): string {
  return new Date(START + seconds * 1000).toISOString()
}

test('a user asks for everything: the messages come first, as they were, then the end (§4, §4.2)', async () => {
  const { juliet, romeo } = await conversation()
  const { results, ids, end, bodies } = await asks(juliet)
  assert.equal(bodies, 'm0 m1 m2 m3 m4 m5')
  assertLike(
    results[0] ?? end,
    `<message from='${juliet.bare}' to='${juliet.full}'><result xmlns='${MAM}' queryid='f27' id='${ids[0]}'>
      <forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='${at(1)}'/>
      <message xmlns='jabber:client' type='chat' id='id-m0' from='${romeo.full}' to='${juliet.bare}'><body>m0</body></message>
      </forwarded></result></message>`.replaceAll(/\n\s*/g, ''),
  )
  assertLike(
    end,
    `<iq type='result'><fin xmlns='${MAM}' complete='true'><set xmlns='${RSM}'><first>${ids[0]}</first><last>${ids[5]}</last><count>6</count></set></fin></iq>`,
  )
  assert.equal((await asks(romeo)).bodies, 'm0 m1 m4 m5')
})

test('a query without a queryid gets results without one', async () => {
  const { juliet } = await conversation()
  juliet.sends(`<iq type='set' id='q'><query xmlns='${MAM}'>${rsm('<max>1</max>')}</query></iq>`)
  assert.equal((await juliet.hears()).child('result', MAM)?.attrs.queryid, undefined)
})

test('results are limited to an address, a time, or both (§4.1.1, §4.1.2)', async () => {
  const { juliet, romeo } = await conversation()
  const cases: readonly (readonly [string, ...string[]])[] = [
    ['m0 m1 m4 m5', field('with', romeo.bare)],
    ['m0 m4', field('with', romeo.full)],
    ['', field('with', juliet.bare)],
    ['', field('with', 'nobody@elsewhere.example')],
    ['m3 m4 m5', field('start', at(4))],
    ['m0 m1', field('end', at(2))],
    ['m1 m2 m3', field('start', '2026-01-01T01:00:02+01:00'), field('end', '2026-01-01T00:00:04.000Z')],
    ['m1 m4', field('start', at(2)), field('end', at(5)), field('with', romeo.bare)],
    [
      'm0 m1 m2 m3 m4 m5',
      field('include-groupchat', 'false'),
      field('start', '0001-01-01T00:00:00Z'),
      field('end', '9999-12-31T23:59:59Z'),
    ],
    ['', field('start', '9999-12-31T23:59:59Z')],
  ]
  for (const [bodies, ...fields] of cases) {
    const answer = await asks(juliet, form(...fields))
    assert.equal(answer.bodies, bodies)
    assert.equal(answer.complete, true)
  }
})

test('a message to oneself is found under the own address, and nothing else is (§4.1.1)', async () => {
  const { juliet } = await conversation()
  juliet.sends(`<message type='chat' to='${juliet.bare}'><body>note</body></message>`)
  await juliet.receives(`<message><body>note</body></message>`)
  assert.equal((await asks(juliet, form(field('with', juliet.bare)))).bodies, 'note')
})

test('results are limited by ids, or asked for by them (§4.1.3)', async () => {
  const { juliet, romeo } = await conversation()
  const { ids } = await asks(juliet)
  const id = (place: number): string => ids[place] ?? ''
  const cases: readonly (readonly [string, ...string[]])[] = [
    ['m4 m5', field('after-id', id(3))],
    ['m0 m1', field('before-id', id(2))],
    ['m2 m3', field('after-id', id(1)), field('before-id', id(4))],
    ['m1', field('with', romeo.bare), field('before-id', id(3)), field('after-id', id(0))],
    ['m1 m3', field('ids', id(3), id(1), id(3))],
    ['m1', field('ids', id(3), id(1)), field('with', romeo.bare)],
    ['m3', field('ids', id(3), id(1)), field('after-id', id(1))],
    ['', field('ids')],
  ]
  for (const [bodies, ...fields] of cases) assert.equal((await asks(juliet, form(...fields))).bodies, bodies)
  const last = await asks(juliet, form(field('ids', id(0), id(2), id(4))), rsm('<max>2</max><before/>'))
  assert.deepEqual([last.bodies, last.complete], ['m2 m4', false])
  const rest = await asks(juliet, form(field('ids', id(0), id(2), id(4))), rsm(`<before>${last.ids[0]}</before>`))
  assert.deepEqual([rest.bodies, rest.complete], ['m0', true])
})

test('an id that is not in the archive is an error, wherever it stands (§4.1.3, §4.3.2)', async () => {
  const { juliet, nurse } = await conversation()
  const foreign = (await asks(nurse)).ids[0] ?? ''
  const own = (await asks(juliet)).ids
  assert.ok(own.includes(foreign)) // the same message: a row of its own for each
  const unknown = [
    '09af3-cc343-b409f',
    '',
    'zzzzzzzzzzz',
    '1',
    'ABC',
    `${own[0]}.0`,
    '1e15',
    `0${own[0]}`,
    "'' or 1=1",
    own[1] ?? '',
  ]
  for (const id of unknown.slice(0, -1).filter((each) => each !== '')) {
    for (const name of ['before-id', 'after-id', 'ids'])
      assertLike(
        (await asks(juliet, form(field(name, id)))).end,
        `<iq type='error'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
      )
    for (const name of ['before', 'after'])
      assertLike(
        (await asks(juliet, rsm(`<${name}>${id}</${name}>`))).end,
        `<iq type='error'><error type='cancel'/></iq>`,
      )
  }
  // Nobody pages by what is only in another's archive.
  assertLike((await asks(nurse, rsm(`<after>${own[0]}</after>`))).end, `<iq type='error'/>`)
})

test('pages go forwards and backwards, and say when they are the last (§4.3)', async () => {
  const { juliet } = await conversation()
  const { ids } = await asks(juliet)
  const cases: readonly (readonly [string, boolean, string])[] = [
    ['m0 m1', false, '<max>2</max>'],
    ['m2 m3', false, `<max>2</max><after>${ids[1]}</after>`],
    ['m4 m5', true, `<max>2</max><after>${ids[3]}</after>`],
    ['', true, `<max>2</max><after>${ids[5]}</after>`],
    ['m4 m5', false, '<max>2</max><before/>'],
    ['m2 m3', false, `<max>2</max><before>${ids[4]}</before>`],
    ['m0 m1', true, `<max>2</max><before>${ids[2]}</before>`],
    ['m0 m1', true, `<before>${ids[2]}</before>`],
    ['m0 m1 m2 m3 m4 m5', true, '<max>999999</max>'],
    ['', false, '<max>0</max>'],
  ]
  for (const [bodies, complete, set] of cases) {
    const answer = await asks(juliet, rsm(set))
    assert.deepEqual([answer.bodies, answer.complete], [bodies, complete], set)
    const { first, last } = { first: answer.ids[0], last: answer.ids.at(-1) }
    const given = answer.end.child('fin', MAM)?.child('set', RSM)
    assert.deepEqual([given?.childText('first'), given?.childText('last')], [first, last])
  }
})

test('a page can be flipped: the same messages, newest first (§4.3.4)', async () => {
  const { juliet } = await conversation()
  const answer = await asks(juliet, rsm('<max>3</max><before/>'), '<flip-page/>')
  assert.equal(answer.bodies, 'm5 m4 m3')
  const set = answer.end.child('fin', MAM)?.child('set', RSM)
  assert.deepEqual([set?.childText('first'), set?.childText('last')], [answer.ids[2], answer.ids[0]])
})

test('what cannot be asked is refused, and nothing comes before it', async () => {
  const { juliet } = await conversation()
  const cases: readonly (readonly [string, string])[] = [
    ['feature-not-implemented', form(field('{http://example.com/}free-text-search', 'x'))],
    ['feature-not-implemented', rsm('<index>5</index>')],
    ['bad-request', form(field('start', 'yesterday'))],
    ['bad-request', form(field('end', '2026-13-01T00:00:00Z'))],
    ['bad-request', form(field('start', '2026-01-01'))],
    ['bad-request', `<x xmlns='jabber:x:data' type='submit'>${field('with', 'a@b.example')}</x>`],
    ['bad-request', rsm('<max>many</max>')],
    ['bad-request', rsm('<before/><after>a</after>')],
    ['bad-request', form(field('ids', ...Array.from({ length: 251 }, (_, i) => String(i))))],
    ['jid-malformed', form(field('with', '@'))],
  ]
  for (const [condition, content] of cases) {
    const { end, results } = await asks(juliet, content)
    assert.equal(results.length, 0)
    assert.ok(end.child('error')?.child(condition, 'urn:ietf:params:xml:ns:xmpp-stanzas'), `${condition}: ${content}`)
  }
  assertLike(await juliet.sets(`<query xmlns='${MAM}' node='blog'/>`), `<iq type='error'><error type='cancel'/></iq>`)
})

test('nobody asks the archive of somebody else', async () => {
  const { juliet, romeo } = await conversation()
  for (const payload of [`<query xmlns='${MAM}'/>`, `<prefs xmlns='${MAM}' default='never'/>`]) {
    assertLike(await romeo.sets(payload, juliet.bare), `<iq type='error'><error type='cancel'/></iq>`)
  }
  assertLike(await romeo.gets(`<metadata xmlns='${MAM}'/>`, juliet.bare), `<iq type='error'/>`)
  assertLike(await juliet.sets(`<query xmlns='${MAM}'/>`, juliet.bare), `<iq type='result'><fin xmlns='${MAM}'/></iq>`)
})

test('the form tells what can be asked, and the account what it can do (§4.1.5, §7)', async () => {
  const { juliet } = await cast('juliet')
  const answer = await juliet.gets(`<query xmlns='${MAM}'/>`)
  const fields = answer.child('query', MAM)?.child('x', 'jabber:x:data')?.childrenNamed('field') ?? []
  assert.deepEqual(
    fields.map(({ attrs }) => attrs.var),
    ['FORM_TYPE', 'with', 'start', 'end', 'before-id', 'after-id', 'include-groupchat', 'ids'],
  )
  const info = await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, juliet.bare)
  const features = new Set(info.elements[0]?.elements.map(({ attrs }) => attrs.var))
  for (const feature of [MAM, `${MAM}#extended`, SID, 'urn:xmpp:message-retract:1#tombstone'])
    assert.ok(features.has(feature))
})

test('the metadata tell where the archive begins and ends (§5)', async () => {
  const { juliet, stage } = await conversation()
  const { ids } = await asks(juliet)
  assertLike(
    await juliet.gets(`<metadata xmlns='${MAM}'/>`),
    `<iq type='result'><metadata xmlns='${MAM}'><start id='${ids[0]}' timestamp='${at(1)}'/><end id='${ids[5]}' timestamp='${at(6)}'/></metadata></iq>`,
  )
  const mercutio = await stage.enter('mercutio')
  const empty = await mercutio.gets(`<metadata xmlns='${MAM}'/>`)
  assert.deepEqual(empty.child('metadata', MAM)?.children, [])
  const nothing = await asks(mercutio)
  assert.deepEqual([nothing.ids, nothing.complete], [[], true])
  assert.equal(nothing.end.child('fin', MAM)?.child('set', RSM)?.childText('count'), '0')
})

test('who binds together with the login is told how far the archive goes (XEP-0386 §3.2)', async () => {
  const { juliet, stage } = await conversation()
  const { ids } = await asks(juliet)
  const bound = async (name: string): Promise<Element | undefined> => {
    const client = stage.stranger()
    await client.opens()
    const data = Buffer.from(`\0${name}\0secret`).toString('base64')
    client.sends(
      `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>${data}</initial-response><bind xmlns='urn:xmpp:bind:0'/></authenticate>`,
    )
    const success = await client.receives(`<success xmlns='urn:xmpp:sasl:2'/>`)
    return success.child('bound', 'urn:xmpp:bind:0')?.child('metadata', MAM)
  }
  const told = await bound('juliet')
  assert.ok(told)
  assertLike(
    told,
    `<metadata xmlns='${MAM}'><start id='${ids[0]}' timestamp='${at(1)}'/><end id='${ids[5]}' timestamp='${at(6)}'/></metadata>`,
  )
  await stage.account('mercutio')
  assert.deepEqual((await bound('mercutio'))?.children, [])
})

test('a page is at most 250 messages, and 50 unless told', async () => {
  const { juliet, theatre: stage } = await cast('juliet')
  fill(stage, juliet, 300, () => '<body>x</body>')
  assert.equal((await asks(juliet)).ids.length, 50)
  assert.equal((await asks(juliet, rsm('<max>300</max><before/>'))).ids.length, 250)
})

test('a page of large messages ends early, and the next one goes on', async () => {
  const { juliet, theatre: stage } = await cast('juliet')
  fill(stage, juliet, 7, (i) => `<body>${i}${'x'.repeat(200_000)}</body>`)
  for (const direction of ['after', 'before']) {
    const seen: string[] = []
    let cursor = direction === 'before' ? '<before/>' : ''
    for (;;) {
      const { ids, complete } = await asks(juliet, rsm(cursor))
      assert.ok(ids.length <= 2)
      if (direction === 'after') seen.push(...ids)
      else seen.unshift(...ids)
      if (complete) break
      cursor = `<${direction}>${direction === 'after' ? ids.at(-1) : ids[0]}</${direction}>`
    }
    assert.equal(new Set(seen).size, 7)
    assert.deepEqual(seen, seen.toSorted())
  }
})

test('all pages together are all messages, whatever their size and direction', async () => {
  const { juliet, theatre: stage } = await cast('juliet')
  fill(stage, juliet, 60, (i) => `<body>m${i}</body>`)
  const everything = (await asks(juliet, rsm('<max>250</max>'))).ids
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 70 }), fc.boolean(), fc.boolean(), async (max, backwards, flipped) => {
      const seen: string[] = []
      let cursor = backwards ? '<before/>' : ''
      for (;;) {
        const answer = await asks(juliet, rsm(`<max>${max}</max>${cursor}`), flipped ? '<flip-page/>' : '')
        const ids = flipped ? answer.ids.toReversed() : answer.ids
        if (backwards) seen.unshift(...ids)
        else seen.push(...ids)
        if (answer.complete) break
        cursor = backwards ? `<before>${ids[0]}</before>` : `<after>${ids.at(-1)}</after>`
      }
      assert.deepEqual(seen, everything)
    }),
    { numRuns: 25 },
  )
})

/** Puts messages into an archive. */
function fill(stage: Theatre, { jid }: Actor, count: number, content: (i: number) => string): void {
  for (let i = 0; i < count; i++) {
    const xml = `<message from='${jid.bare}' to='${jid.bare}' type='chat'>${content(i)}</message>`
    stage.store.messages.append({ xml, from: jid.bare, to: jid.bare, archiveFor: [jid.bare], offlineFor: undefined })
  }
}
