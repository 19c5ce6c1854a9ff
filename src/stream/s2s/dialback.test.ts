// SPDX-License-Identifier: Apache-2.0
// XEP-0220, each of the three servers on its own: capulet.example wants to prove itself to montague.example.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { type Heard, MemoryLink } from '../../../test/support/memory-link.ts'
import { silentLog } from '../../log.ts'
import type { Element } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { DialError, type Proof } from '../link.ts'
import { DialbackAsking } from './dialback-asking.ts'
import { DialbackKeys } from './dialback-keys.ts'
import { DialbackReceiving, type ReceivingParts } from './dialback-receiving.ts'
import { DialbackVerifier, type Question, type Verdict } from './dialback-verifier.ts'
import { type Pair, pairKey } from './dialback-words.ts'
import type { ProvedBy } from './parts.ts'
import { type FederationRules, Policy } from './policy.ts'

const keys = new DialbackKeys(Buffer.from('s3cr3tf0rd14lb4ck'))
const RULES: FederationRules = {
  enabled: true,
  trust: 'certificate',
  trustDialback: ['capulet.example', 'rooms.capulet.example', 'bücher.example', '*.lab.example'],
  allow: [],
  block: ['spam.example'],
  streams: 10,
  streamsPerDomain: 10,
}

const db = (xml: string): Element =>
  parseElement(xml.replace(/^<db:\w+/, "$& xmlns:db='jabber:server:dialback'"), 'jabber:client')

async function nextElement(link: MemoryLink): Promise<Element> {
  const heard = await link.next()
  assert.equal(heard.kind, 'element')
  return (heard as Heard & { kind: 'element' }).element
}

/** What is said, without the texts for people. */
function said({ name, attrs, children }: Element): unknown {
  const inside = children.filter((child) => typeof child === 'string' || child.name !== 'text')
  return [name, { ...attrs }, ...inside.map((child) => (typeof child === 'string' ? child : said(child)))]
}

/** montague.example with a stream that capulet.example opened. */
function receiving(
  options: {
    encrypted?: boolean
    proofs?: Readonly<Record<string, 'pkix' | 'dane'>>
    verdict?: Verdict | Promise<Verdict>
  } = {},
) {
  const link = new MemoryLink({ encrypted: options.encrypted ?? true })
  const admitted = new Map<string, ProvedBy>()
  const asked: Question[] = []
  let closed = false
  const parts: ReceivingParts = {
    keys,
    policy: new Policy(RULES),
    answersFor: (domain) => ['montague.example', 'rooms.montague.example'].includes(domain),
    verify: async (question) => {
      asked.push(question)
      return options.verdict ?? 'valid'
    },
    log: silentLog,
  }
  const stream = new DialbackReceiving(
    {
      link: Object.assign(link, {
        proves: async (domain: string): Promise<Proof> => {
          const by = options.proofs?.[domain]
          return by ? { by } : { by: undefined, why: 'It names others.' }
        },
      }),
      id: '417GAF25',
      get isStranger() {
        return admitted.size === 0
      },
      takesMore: true,
      may: (pair: Pair) => admitted.has(pairKey(pair)),
      admit(pair, by) {
        admitted.set(pairKey(pair), by)
      },
      close() {
        closed = true
      },
    },
    parts,
  )
  const answer = async (xml: string): Promise<unknown> => {
    assert.ok(stream.take(db(xml)))
    return said(await nextElement(link))
  }
  return { stream, link, admitted, asked, answer, isClosed: () => closed }
}

/** An authoritative server that never answers. */
const NEVER = new Promise<Verdict>(() => {})

const REQUEST = "<db:result from='capulet.example' to='montague.example'>k3y</db:result>"
const VALID = ['result', { from: 'montague.example', to: 'capulet.example', type: 'valid' }]
const failed = (from: string, to: string, type: string, condition: string): unknown => [
  'result',
  { from, to, type: 'error' },
  ['error', { type }, [condition, {}]],
]

test('the initiating server sends its key, and is let in', async () => {
  const link = new MemoryLink()
  const asking = new DialbackAsking(link, 'D60000229F', { keys, clock: new FakeClock(), time: 1000 })
  const asked = asking.ask({ from: 'capulet.example', to: 'montague.example' })
  assert.deepEqual(said(await nextElement(link)), [
    'result',
    { from: 'capulet.example', to: 'montague.example' },
    'b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3',
  ])
  assert.ok(asking.take(db("<db:result from='montague.example' to='capulet.example' type='valid'/>")))
  assert.deepEqual(await asked, { type: 'valid' })
})

test('the initiating server hears why not, waits no longer than it said, and asks once at a time', async () => {
  const clock = new FakeClock()
  const link = new MemoryLink()
  const asking = new DialbackAsking(link, 'D60000229F', { keys, clock, time: 1000 })
  const pair = { from: 'capulet.example', to: 'montague.example' }
  const asked = asking.ask(pair)
  assert.equal(asking.ask(pair), asked)
  asking.take(
    db(
      "<db:result from='montague.example' to='capulet.example' type='error'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>",
    ),
  )
  assert.deepEqual(await asked, { type: 'error', condition: 'item-not-found', text: undefined })
  const again = asking.ask(pair)
  clock.advance(1000)
  assert.deepEqual(await again, { type: 'timeout' })
  assert.deepEqual(await asking.ask(pair), { type: 'full' }) // two answers could not be told apart
  const late = db("<db:result from='montague.example' to='capulet.example' type='valid'/>")
  assert.ok(asking.take(late)) // which changes nothing
  assert.ok(!asking.take(late))
  const last = asking.ask(pair)
  asking.ended()
  assert.deepEqual(await last, { type: 'lost' })
  assert.deepEqual(await asking.ask(pair), { type: 'lost' })
})

test('the initiating server takes no answer that it did not ask for (XEP-0220 §3.1)', () => {
  const asking = new DialbackAsking(new MemoryLink(), 'D60000229F', { keys, clock: new FakeClock(), time: 1000 })
  void asking.ask({ from: 'capulet.example', to: 'montague.example' })
  assert.ok(!asking.take(db("<db:result from='capulet.example' to='montague.example' type='valid'/>")))
  assert.ok(!asking.take(db("<db:result from='verona.example' to='capulet.example' type='valid'/>")))
  assert.ok(!asking.take(db("<db:result from='montague.example' to='capulet.example'>key</db:result>")))
  assert.ok(!asking.take(db("<db:verify from='montague.example' to='capulet.example' id='D60000229F' type='valid'/>")))
  assert.ok(!asking.take(db("<db:result from='montague.example' type='valid'/>")))
})

test('the authoritative server knows its own keys, whoever asks, and says no to others', async () => {
  const { answer } = receiving()
  const key = keys.make({ receiving: 'verona.example', originating: 'montague.example', streamId: 'X1' })
  const ask = (id: string, text: string): string =>
    `<db:verify from='verona.example' to='montague.example' id='${id}'>${text}</db:verify>`
  const verify = (type: string, id: string): unknown => [
    'verify',
    { from: 'montague.example', to: 'verona.example', id, type },
  ]
  assert.deepEqual(await answer(ask('X1', `\n ${key}\n`)), verify('valid', 'X1'))
  assert.deepEqual(await answer(ask('X2', key)), verify('invalid', 'X2'))
  assert.deepEqual(await answer(ask('X1', 'forged')), verify('invalid', 'X1'))
  assert.deepEqual(await answer(`<db:verify from='verona.example' to='other.example' id='X1'>${key}</db:verify>`), [
    'verify',
    { from: 'other.example', to: 'verona.example', id: 'X1', type: 'error' },
    ['error', { type: 'cancel' }, ['item-not-found', {}]],
  ])
})

test('the authoritative server answers in the letters it was asked in', async () => {
  const { answer } = receiving()
  const key = keys.make({ receiving: 'bücher.example', originating: 'montague.example', streamId: 'X1' })
  assert.deepEqual(
    await answer(`<db:verify from='xn--bcher-kva.example' to='Montague.example' id='X1'>${key}</db:verify>`),
    ['verify', { from: 'Montague.example', to: 'xn--bcher-kva.example', id: 'X1', type: 'valid' }],
  )
})

test('the receiving server needs to ask nobody, if the certificate proves the domain', async () => {
  const { answer, admitted, asked } = receiving({ proofs: { 'capulet.example': 'pkix' } })
  assert.deepEqual(await answer(REQUEST), VALID)
  assert.deepEqual([...admitted], [['capulet.example montague.example', 'pkix']])
  assert.deepEqual(await answer(REQUEST), VALID) // as often as it likes
  assert.deepEqual(asked, [])
})

test('the receiving server wants a certificate of everybody, but where dialback is said to be enough', async () => {
  const { answer, admitted, asked } = receiving()
  assert.deepEqual(
    await answer("<db:result from='verona.example' to='montague.example'>k3y</db:result>"),
    failed('montague.example', 'verona.example', 'auth', 'not-authorized'),
  )
  assert.equal(asked.length, 0)
  assert.deepEqual(await answer(REQUEST), VALID)
  assert.deepEqual(asked, [{ ours: 'montague.example', theirs: 'capulet.example', id: '417GAF25', key: 'k3y' }])
  assert.deepEqual([...admitted.values()], ['dialback'])
})

test('several pairs come over one stream, each on its own', async () => {
  const { answer, admitted } = receiving({ proofs: { 'capulet.example': 'dane' } })
  await answer(REQUEST)
  assert.deepEqual(await answer("<db:result from='rooms.capulet.example' to='rooms.montague.example'>k</db:result>"), [
    'result',
    { from: 'rooms.montague.example', to: 'rooms.capulet.example', type: 'valid' },
  ])
  assert.deepEqual([...admitted.values()], ['dane', 'dialback'])
})

test('a forged key ends a stream that nobody else uses', async () => {
  const { answer, isClosed, admitted } = receiving({ verdict: 'invalid' })
  assert.deepEqual(await answer(REQUEST), [
    'result',
    { from: 'montague.example', to: 'capulet.example', type: 'invalid' },
  ])
  assert.ok(isClosed())
  assert.equal(admitted.size, 0)
})

test('a forged key beside good ones is forbidden, and the stream goes on', async () => {
  const { answer, isClosed, admitted } = receiving({ verdict: 'invalid', proofs: { 'verona.example': 'pkix' } })
  await answer("<db:result from='verona.example' to='montague.example'>k</db:result>")
  assert.deepEqual(await answer(REQUEST), failed('montague.example', 'capulet.example', 'auth', 'forbidden'))
  assert.ok(!isClosed())
  assert.deepEqual([...admitted.keys()], ['verona.example montague.example'])
})

test('who is not talked to, is not here, or says to be us, gets nowhere', async () => {
  const { answer, asked } = receiving({ proofs: { 'spam.example': 'pkix', 'rooms.montague.example': 'pkix' } })
  const result = (from: string, to: string): string => `<db:result from='${from}' to='${to}'>k</db:result>`
  assert.deepEqual(
    await answer(result('spam.example', 'montague.example')),
    failed('montague.example', 'spam.example', 'modify', 'policy-violation'),
  )
  assert.deepEqual(
    await answer(result('capulet.example', 'other.example')),
    failed('other.example', 'capulet.example', 'cancel', 'item-not-found'),
  )
  assert.deepEqual(
    await answer(result('rooms.montague.example', 'montague.example')),
    failed('montague.example', 'rooms.montague.example', 'auth', 'not-authorized'),
  )
  assert.deepEqual(asked, [])
})

test('nothing is proved without TLS', async () => {
  const { answer } = receiving({ encrypted: false, proofs: { 'capulet.example': 'pkix' } })
  assert.deepEqual(await answer(REQUEST), failed('montague.example', 'capulet.example', 'modify', 'policy-violation'))
})

test('what is no request is somebody else’s business, and nonsense ends the stream', () => {
  const { stream } = receiving()
  assert.ok(!stream.take(db("<db:result from='capulet.example' to='montague.example' type='valid'/>")))
  assert.ok(!stream.take(db("<db:verify from='capulet.example' to='montague.example' id='1' type='valid'/>")))
  assert.ok(!stream.take(parseElement('<message/>', 'jabber:client')))
  const ends = (xml: string): void => assert.throws(() => stream.take(db(xml)), StreamError)
  ends("<db:result from='capulet.example'>k</db:result>")
  ends("<db:result from='a@capulet.example' to='montague.example'>k</db:result>")
  ends("<db:verify from='capulet.example' to='montague.example'>k</db:verify>")
  ends(`<db:result from='capulet.example' to='montague.example'>${'k'.repeat(2000)}</db:result>`)
})

test('who proves nothing over and over is not looked at any more', async () => {
  const other = { condition: 'remote-server-not-found', text: '' } as const
  const { link, answer, asked } = receiving({ verdict: other })
  let looks = 0
  const { proves } = link as unknown as { proves: (domain: string) => Promise<Proof> }
  Object.assign(link, {
    proves: (domain: string) => {
      looks++
      return proves(domain)
    },
  })
  const from = (n: number): string => `host${n}.lab.example`
  for (let n = 0; n < 200; n++) {
    const request = `<db:result from='${from(n)}' to='montague.example'>k3y</db:result>`
    const [condition, type] = n < 50 ? ['remote-server-not-found', 'cancel'] : ['resource-constraint', 'wait']
    assert.deepEqual(await answer(request), failed('montague.example', from(n), type, condition))
  }
  assert.deepEqual([looks, asked.length], [50, 50])
})

test('a flood of requests on one stream is refused beyond a bound, and each pair is asked about once', async () => {
  const { stream, link, asked } = receiving({ verdict: NEVER })
  for (let n = 0; n < 16; n++) {
    const request = db(`<db:result from='d${n}.lab.example' to='montague.example'>k</db:result>`)
    assert.ok(stream.take(request))
    assert.ok(stream.take(request))
  }
  stream.take(db("<db:result from='d16.lab.example' to='montague.example'>k</db:result>"))
  assert.deepEqual(
    said(await nextElement(link)),
    failed('montague.example', 'd16.lab.example', 'wait', 'resource-constraint'),
  )
  assert.equal(asked.length, 16)
})

/** A dialer to servers that tests play. */
function servers() {
  const dialled: { from: string; to: string; link: MemoryLink }[] = []
  let error: Error | undefined
  const clock = new FakeClock()
  const verifier = new DialbackVerifier({
    dialer: {
      async dial(from, to) {
        const link = new MemoryLink({ encrypted: false })
        dialled.push({ from, to, link })
        if (error) throw error
        return { link, place: { host: 'home.example', port: 5269, direct: false, secure: false } }
      },
    },
    clock,
    limits: { connectTime: 60_000 },
  })
  return {
    verifier,
    clock,
    dialled,
    fail(with_: Error | undefined) {
      error = with_
    },
  }
}

const QUESTION = { ours: 'montague.example', theirs: 'capulet.example', id: '417GAF25', key: 'k3y' }

/** The authoritative server up to the moment when it is asked. */
async function negotiates(link: MemoryLink): Promise<void> {
  const header = { from: 'capulet.example', to: 'montague.example', id: 'S1', version: '1.0' }
  assert.equal((await link.next()).kind, 'opened')
  link.clientOpens(header, 'jabber:server')
  link.clientSends(
    "<features xmlns='http://etherx.jabber.org/streams'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></features>",
  )
  assert.equal((await nextElement(link)).name, 'starttls')
  link.clientSends("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
  assert.equal((await link.next()).kind, 'opened')
  link.clientOpens(header, 'jabber:server')
  link.clientSends("<features xmlns='http://etherx.jabber.org/streams'/>")
}

async function dialledLink(dialled: readonly { link: MemoryLink }[], index = 0): Promise<MemoryLink> {
  while (!dialled[index]) await new Promise(setImmediate)
  return (dialled[index] as { link: MemoryLink }).link
}

const answers = (
  link: MemoryLink,
  type: string,
  id = '417GAF25',
  from = 'capulet.example',
  to = 'montague.example',
): void =>
  link.clientSends(`<verify xmlns='jabber:server:dialback' from='${from}' to='${to}' id='${id}' type='${type}'/>`)

test('the receiving server asks the authoritative server, over TLS, and hangs up', async () => {
  const { verifier, dialled } = servers()
  const verdict = verifier.verify(QUESTION)
  const link = await dialledLink(dialled)
  await negotiates(link)
  assert.deepEqual(said(await nextElement(link)), [
    'verify',
    { from: 'montague.example', to: 'capulet.example', id: '417GAF25' },
    'k3y',
  ])
  answers(link, 'valid')
  assert.equal(await verdict, 'valid')
  assert.equal((await link.next()).kind, 'closed')
  assert.equal(verifier.pending, 0)
})

test('answers about other streams, or of others, are none', async () => {
  const { verifier, dialled } = servers()
  const verdict = verifier.verify(QUESTION)
  const link = await dialledLink(dialled)
  await negotiates(link)
  await nextElement(link)
  answers(link, 'valid', 'another')
  answers(link, 'valid', '417GAF25', 'verona.example')
  answers(link, 'valid', '417GAF25', 'capulet.example', 'verona.example')
  answers(link, 'invalid')
  assert.equal(await verdict, 'invalid')
})

test('many keys of one domain are asked about over one stream', async () => {
  const { verifier, dialled } = servers()
  const verdicts = ['a', 'b', 'c'].map((id) => verifier.verify({ ...QUESTION, id }))
  const link = await dialledLink(dialled)
  await negotiates(link)
  for (const id of ['a', 'b', 'c']) assert.equal((await nextElement(link)).attrs.id, id)
  answers(link, 'valid', 'c')
  answers(link, 'invalid', 'a')
  answers(link, 'error', 'b')
  const [a, b, c] = await Promise.all(verdicts)
  assert.deepEqual([a, c], ['invalid', 'valid'])
  assert.equal((b as { condition: string }).condition, 'remote-server-timeout')
  assert.equal(dialled.length, 1)
})

test('more keys than a bound are not even asked about', async () => {
  const { verifier, dialled } = servers()
  const verdicts = Array.from({ length: 51 }, (_, n) => verifier.verify({ ...QUESTION, id: String(n) }))
  const refused = await Promise.race(verdicts)
  assert.equal((refused as { condition: string }).condition, 'resource-constraint')
  verifier.stop()
  const link = await dialledLink(dialled)
  link.clientVanishes()
  await Promise.all(verdicts)
  assert.equal(verifier.pending, 0)
})

test('why a key could not be verified is told, and nobody is dialled over and over', async () => {
  const { verifier, dialled, clock, fail } = servers()
  const condition = async (): Promise<string> => ((await verifier.verify(QUESTION)) as { condition: string }).condition
  fail(new DialError('no-such-domain', 'There is no such domain.'))
  assert.equal(await condition(), 'remote-server-not-found')
  fail(undefined)
  assert.equal(await condition(), 'remote-server-not-found')
  assert.equal(dialled.length, 1)
  clock.advance(10_000)
  fail(new DialError('unreachable', 'Nobody answers.'))
  assert.equal(await condition(), 'remote-connection-failed')
  assert.equal(dialled.length, 2)
})

test('an authoritative server without TLS, without an answer, or that hangs up, verifies nothing', async () => {
  const { verifier, dialled, clock } = servers()
  const plain = verifier.verify(QUESTION)
  const first = await dialledLink(dialled)
  await first.next()
  first.clientOpens({ from: 'capulet.example', id: 'S1', version: '1.0' }, 'jabber:server')
  first.clientSends("<features xmlns='http://etherx.jabber.org/streams'/>")
  assert.equal(((await plain) as { condition: string }).condition, 'remote-connection-failed')
  clock.advance(10_000)
  const silent = verifier.verify(QUESTION)
  const second = await dialledLink(dialled, 1)
  await negotiates(second)
  await nextElement(second)
  clock.advance(30_000)
  assert.equal(((await silent) as { condition: string }).condition, 'remote-server-timeout')
  const dropped = verifier.verify(QUESTION)
  const third = await dialledLink(dialled, 2)
  await negotiates(third)
  await nextElement(third)
  third.clientVanishes()
  assert.equal(((await dropped) as { condition: string }).condition, 'remote-server-timeout')
  const slow = verifier.verify(QUESTION)
  await dialledLink(dialled, 3)
  clock.advance(30_000)
  assert.equal(((await slow) as { condition: string }).condition, 'remote-connection-failed')
})
