// SPDX-License-Identifier: Apache-2.0
// We go to another server: nothing of our users is said before it has proved who it is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { MemoryLink } from '../../../test/support/memory-link.ts'
import { certificateOf, type Host, OURS, THEIRS, world } from '../../../test/support/other-servers.ts'

const TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const STREAM_ERRORS = 'urn:ietf:params:xml:ns:xmpp-streams'
const STARTTLS = `<starttls xmlns='${TLS}'/>`
const EXTERNAL = `<mechanisms xmlns='${SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>`

const romeo = `romeo@${THEIRS}`
const chat = (text: string): string => `<message type='chat' to='${romeo}' id='1'><body>${text}</body></message>`
const error = (type: string, condition: string): string =>
  `<message type='error' from='${romeo}' id='1'><error type='${type}'><${condition} xmlns='${STANZAS}'/></error></message>`

const TIMEOUT = error('wait', 'remote-server-timeout')
const NOT_FOUND = error('cancel', 'remote-server-not-found')

/** Somebody writes to the other server, which is dialled. */
async function writes(text = 'Hail') {
  const place = await world()
  const juliet = await place.stage.enter('juliet')
  juliet.sends(chat(text))
  return { place, juliet, call: await place.dialer.next() }
}

test('TLS, their certificate, ours, and then what was waiting, in order', async () => {
  const { juliet, call } = await writes('one')
  for (const text of ['two', 'three']) juliet.sends(chat(text))
  await juliet.settles()
  assert.deepEqual([call.from, call.to], [OURS, THEIRS])
  const host = await call.connects().letsIn()
  for (const text of ['one', 'two', 'three']) {
    await host.receives(`<message type='chat' from='${juliet.full}' to='${romeo}'><body>${text}</body></message>`)
  }
  juliet.sends(chat('four'))
  await host.receives(`<message><body>four</body></message>`)
})

test('our header says who we are and whom we want', async () => {
  const { call } = await writes()
  const { link } = call.connects()
  const opened = await link.next()
  assert.ok(opened.kind === 'opened')
  assert.deepEqual(opened.header, { from: OURS, to: THEIRS, id: '', lang: 'en', version: '1.0' })
})

test('where TLS begins at once it is not asked for', async () => {
  const { call } = await writes()
  const host = await call.connects(new MemoryLink()).letsIn()
  await host.receives(`<message><body>Hail</body></message>`)
})

test('an empty challenge is answered', async () => {
  const { call } = await writes()
  const host = call.connects(new MemoryLink())
  await host.answers(EXTERNAL)
  await host.receives(`<auth xmlns='${SASL}'/>`)
  host.sends(`<challenge xmlns='${SASL}'/>`)
  await host.receives(`<response xmlns='${SASL}'>=</response>`)
  host.sends(`<success xmlns='${SASL}'/>`)
  await host.answers('')
  await host.receives(`<message><body>Hail</body></message>`)
})

const failures: Readonly<Record<string, [string, (host: Host) => Promise<void> | void, string | undefined]>> = {
  'offers no TLS': [TIMEOUT, (host) => host.answers(''), undefined],
  'refuses to begin with TLS': [
    TIMEOUT,
    async (host) => {
      await host.answers(STARTTLS)
      await host.receives(STARTTLS)
      host.sends(`<failure xmlns='${TLS}'/>`)
    },
    undefined,
  ],
  'has a certificate of somebody else': [
    TIMEOUT,
    async (host) => {
      host.link.proof = certificateOf('tybalt.example')
      await host.answers(STARTTLS)
      await host.receives(STARTTLS)
      host.sends(`<proceed xmlns='${TLS}'/>`)
      await host.answers(EXTERNAL)
    },
    undefined,
  ],
  'does not let us in': [
    TIMEOUT,
    async (host) => {
      host.link.encrypted = true
      await host.answers(EXTERNAL)
      await host.receives(`<auth xmlns='${SASL}'/>`)
      host.sends(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
    },
    undefined,
  ],
  'knows no way to let us in': [
    TIMEOUT,
    async (host) => {
      host.link.encrypted = true
      await host.answers('')
    },
    undefined,
  ],
  'answers as another domain': [
    NOT_FOUND,
    (host) => host.answers(STARTTLS, { from: 'tybalt.example' }),
    'invalid-from',
  ],
  'speaks as to a client': [
    TIMEOUT,
    async (host) => {
      await host.link.next()
      host.link.clientOpens({ from: THEIRS, version: '1.0' }, 'jabber:client')
    },
    'invalid-namespace',
  ],
  'has no version': [TIMEOUT, (host) => host.answers('', { version: '' }), 'unsupported-version'],
  'speaks before its turn': [
    TIMEOUT,
    async (host) => {
      await host.answers(STARTTLS)
      await host.receives(STARTTLS)
      host.sends(`<message from='${romeo}' to='juliet@${OURS}'/>`)
    },
    undefined,
  ],
  'says that it is not that domain': [NOT_FOUND, (host) => ends(host, 'host-unknown'), undefined],
  'does not want us': [TIMEOUT, (host) => ends(host, 'policy-violation'), undefined],
}

async function ends(host: Host, condition: string): Promise<void> {
  await host.begins()
  host.sends(`<error xmlns='http://etherx.jabber.org/streams'><${condition} xmlns='${STREAM_ERRORS}'/></error>`)
}

for (const [what, [answer, plays, condition]] of Object.entries(failures)) {
  test(`a server that ${what}: nothing is sent, and the sender is told`, async () => {
    const { juliet, call } = await writes()
    const host = call.connects()
    await plays(host)
    await host.isClosed(condition)
    await juliet.receives(answer)
  })
}

test('a server that takes too long is given up, and the message waits for a better time', async () => {
  const clock = new FakeClock()
  const place = await world({ clock })
  const juliet = await place.stage.enter('juliet')
  juliet.sends(chat('Hail'))
  const host = (await place.dialer.next()).connects()
  await host.answers(STARTTLS)
  await host.receives(STARTTLS)
  clock.advance(30_000)
  await host.isClosed(undefined)
  await juliet.receivesNothing()
  clock.advance(2_000)
  const again = await (await place.dialer.next()).connects().letsIn()
  await again.receives(`<message><body>Hail</body></message>`)
})

test('who may be proved by dialback need not show a certificate', async () => {
  const place = await world({ rules: { trustDialback: [THEIRS] } })
  const juliet = await place.stage.enter('juliet')
  juliet.sends(chat('Hail'))
  const link = new MemoryLink()
  link.proof = certificateOf('tybalt.example')
  const host = await (await place.dialer.next()).connects(link).letsIn()
  await host.receives(`<message><body>Hail</body></message>`)
})

test('nothing comes on a stream of ours', async () => {
  const { call } = await writes()
  const host = await call.connects().letsIn()
  await host.receives(`<message/>`)
  host.sends(`<message from='${romeo}' to='juliet@${OURS}'/>`)
  await host.isClosed('invalid-from')
})
