// SPDX-License-Identifier: Apache-2.0
// XEP-0124 and XEP-0206 by HTTP requests as a client makes them, and as an attacker does.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { loopback } from '../../../test/support/loopback.ts'
import { Jid } from '../../xmpp/jid.ts'

const clock = new FakeClock()
const place = await loopback({ clock, limits: { connectionsPerAddress: 200 } })
await place.accounts.add(Jid.of('romeo', 'localhost'), 'secret')
const URL = `http://127.0.0.1:${place.http}/http-bind`
const PLAIN = Buffer.from('\0romeo\0secret').toString('base64')
const AUTH = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${PLAIN}</auth>`
const BIND = "<iq type='set' id='b' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
const PING = "<iq type='get' id='p' to='localhost' xmlns='jabber:client'><ping xmlns='urn:xmpp:ping'/></iq>"

async function post(body: string, headers: Readonly<Record<string, string>> = {}, url = URL): Promise<string> {
  const answer = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'text/xml', ...headers } })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'text/xml; charset=utf-8')
  assert.equal(answer.headers.get('access-control-allow-origin'), '*')
  return answer.text()
}

/** A client that counts its requests. */
class Session {
  rid = 1_000_000
  sid = ''
  greeting = ''
  url = URL

  static async begin(more = "wait='60' hold='1'", port = place.http): Promise<Session> {
    const one = new Session()
    one.url = `http://127.0.0.1:${port}/http-bind`
    const xmpp = "xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'"
    one.greeting = await post(
      `<body xmlns='http://jabber.org/protocol/httpbind' rid='${one.rid}' to='localhost' ver='1.11' ${xmpp} ${more}/>`,
      {},
      one.url,
    )
    one.sid = /\ssid='([^']+)'/.exec(one.greeting)?.[1] ?? ''
    return one
  }

  /** Logged in, with nothing waiting. */
  static async enter(more?: string, port?: number): Promise<Session> {
    const one = await Session.begin(more, port)
    assert.match(await one.asks(AUTH), /<success /)
    assert.match(await one.asks('', "xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh' to='localhost'"), /<bind /)
    assert.match(await one.asks(BIND), /<jid>romeo@localhost\//)
    return one
  }

  body(rid: number, payload: string, attrs = ''): string {
    return `<body xmlns='http://jabber.org/protocol/httpbind' rid='${rid}' sid='${this.sid}' ${attrs}>${payload}</body>`
  }

  /** The next request. */
  asks(payload = '', attrs = ''): Promise<string> {
    return post(this.body(++this.rid, payload, attrs), {}, this.url)
  }
}

function echo(text: string): string {
  return `<message to='romeo@localhost' type='chat' xmlns='jabber:client'><body>${text}</body></message>`
}

const ENDED = /^<body [^>]*type='terminate'/

test('a session begins with what holds for it, and the stream features', async () => {
  const { greeting, sid } = await Session.begin("wait='20' hold='5'")
  for (const attr of ["wait='20'", "hold='1'", "requests='2'", "inactivity='75'", "ver='1.11'", "from='localhost'"]) {
    assert.ok(greeting.includes(attr), `${attr} in ${greeting}`)
  }
  assert.match(greeting, /restartlogic='true'/)
  assert.match(greeting, /<stream:features>.*<mechanism>PLAIN<\/mechanism>/)
  assert.doesNotMatch(greeting, /starttls|PLUS/)
  assert.ok(sid.length >= 32)
})

test('a request is held back until there is something to say, or its time has come', async () => {
  const one = await Session.enter()
  const held = one.asks()
  await clock.awaited(60_000)
  clock.advance(60_000)
  assert.equal(await held, "<body xmlns='http://jabber.org/protocol/httpbind'/>")
  const first = one.asks()
  const second = one.asks(PING)
  assert.match(await first, /<iq [^>]*id='p'/)
  clock.advance(60_000)
  assert.match(await second, /^<body [^>]*\/>$/)
})

test('two requests that overtake each other are done in their order', async () => {
  const one = await Session.enter()
  one.rid += 2
  const later = post(one.body(one.rid, PING.replace("id='p'", "id='2'")))
  const sooner = post(one.body(one.rid - 1, PING.replace("id='p'", "id='1'")))
  assert.match(await sooner, /id='1'.*id='2'/)
  clock.advance(60_000)
  await later
})

test('who did not get an answer gets it again, and only if the question is the same', async () => {
  const one = await Session.enter()
  const answer = await one.asks(PING)
  const again = one.body(one.rid, PING)
  assert.equal(await post(again), answer)
  assert.equal(await post(again), answer)
  assert.match(await one.asks(PING), /id='p'/, 'and the session goes on')
  assert.match(await post(one.body(one.rid, echo('something else'))), /condition='item-not-found'/)
  assert.match(await one.asks(PING), /condition='item-not-found'/, 'that was the end')
})

test('what was meant for a connection that broke is not lost', async () => {
  const [one, other] = [await Session.enter(), await Session.enter()]
  await one.asks("<presence xmlns='jabber:client'/>")
  const held = one.body(++one.rid, '')
  const broken = new AbortController()
  const first = fetch(URL, { method: 'POST', body: held, signal: broken.signal })
  await clock.awaited(60_000)
  broken.abort()
  await assert.rejects(first)
  await clock.awaited(75_000)
  await other.asks(`${echo('Again')}${PING}`)
  assert.match(await post(held), /<body>Again<\/body>/)
})

test('the same question may not come all the time', async () => {
  const one = await Session.enter()
  await one.asks(PING)
  const again = one.body(one.rid, PING)
  for (let time = 1; time <= 10; time++) assert.match(await post(again), /id='p'/)
  assert.match(await post(again), /condition='policy-violation'/)
})

test('nor the one that waits for its answer', async () => {
  const one = await Session.enter()
  const waits = one.body(++one.rid, '')
  const answers: Promise<string>[] = []
  for (let time = 0; time <= 11; time++) answers.push(post(waits))
  const all = (await Promise.all(answers)).join('')
  assert.match(all, /condition='policy-violation'/)
})

test('a question that is asked again while it waits is answered on the newer connection', async () => {
  const one = await Session.enter()
  const body = one.body(++one.rid, '')
  const first = post(body)
  await clock.awaited(60_000)
  const second = post(body)
  assert.match(await first, /^<body [^>]*type='error'\/>$/)
  const third = one.asks(PING)
  assert.match(await second, /id='p'/)
  clock.advance(60_000)
  await third
})

test('numbers that are too large or long gone end the session, and nobody learns which', async () => {
  const one = await Session.enter()
  assert.match(await post(one.body(one.rid + 4, PING)), /condition='item-not-found'/)
  const other = await Session.enter()
  assert.match(await post(other.body(999_999, '')), /condition='item-not-found'/)
  assert.match(await other.asks(PING), /condition='item-not-found'/)
})

test('more requests than agreed end the session', async () => {
  const one = await Session.enter()
  const body = (rid: number): string => one.body(rid, '')
  const waiting = [post(body(one.rid + 2)), post(body(one.rid + 3))]
  const answers = await Promise.all(waiting)
  assert.match(answers.join(''), /condition='item-not-found'/)
})

test('a silent client is gone, one that says it will be silent is not', async () => {
  const one = await Session.enter()
  const held = one.asks()
  await clock.awaited(60_000)
  assert.match(await one.asks('', "pause='200'"), /^<body [^>]*\/>$/)
  assert.match(await held, /^<body [^>]*\/>$/)
  clock.advance(199_000)
  assert.match(await one.asks(PING), /id='p'/)
  clock.advance(76_000)
  assert.match(await one.asks(PING), /condition='item-not-found'/)
  const other = await Session.enter()
  assert.match(await other.asks('', "pause='100000'"), /condition='policy-violation'/)
})

test('who leaves is answered, and what it says last is heard', async () => {
  const [one, other] = [await Session.enter(), await Session.enter()]
  await other.asks(`<presence xmlns='jabber:client'/>`)
  const held = one.asks()
  await clock.awaited(60_000)
  const left = one.asks(echo('Adieu'), "type='terminate'")
  assert.match(await held, ENDED)
  assert.doesNotMatch(await left, /condition/)
  let heard = ''
  while (!heard.includes('Adieu')) heard = await other.asks(PING)
  assert.match(await one.asks(), /condition='item-not-found'/)
})

test('what the client does wrong is told as the stream tells it', async () => {
  const unknown = await post(
    "<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='elsewhere.example' wait='60' hold='1'/>",
  )
  assert.match(unknown, /condition='host-unknown'/)
  const one = await Session.enter()
  const forged = await one.asks(`<message xmlns='jabber:client' from='juliet@localhost' to='juliet@localhost'/>`)
  assert.match(forged, /condition='remote-stream-error'.*<stream:error><invalid-from /)
  assert.match(forged, /xmlns:stream='http:\/\/etherx.jabber.org\/streams'/)
  const early = await Session.begin()
  await early.asks(AUTH)
  assert.match(await early.asks(BIND), /<stream:error><bad-format /, 'the stream must be opened anew')
})

test('stanzas without their namespace are understood', async () => {
  const one = await Session.enter()
  assert.match(await one.asks(PING.replace(" xmlns='jabber:client'", '')), /<iq [^>]*id='p'/)
})

test('a client that polls is answered at once, but not all the time', async () => {
  const one = await Session.enter("wait='0' hold='0'")
  assert.match(one.greeting, /polling='2'/)
  assert.match(await one.asks(), /^<body [^>]*\/>$/)
  clock.advance(2_000)
  assert.match(await one.asks(), /^<body [^>]*\/>$/)
  assert.match(await one.asks(), /condition='policy-violation'/)
})

test('keys, if the client uses them, must be the right ones', async () => {
  const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex')
  const keys = ['seed']
  for (let n = 1; n <= 4; n++) keys.push(sha1(keys[n - 1] ?? ''))
  const one = await Session.begin(`wait='60' hold='1' newkey='${keys[4]?.toUpperCase()}'`)
  assert.match(await one.asks(AUTH, `key='${keys[3]}'`), /<success /)
  assert.match(await one.asks(BIND, `key='${keys[1]}'`), /condition='item-not-found'/)
})

test('what is no body of ours is refused', async () => {
  for (const bad of [
    '',
    'x',
    '<body/>',
    "<body xmlns='http://jabber.org/protocol/httpbind' rid='1'>",
    '<!DOCTYPE x>',
  ]) {
    assert.match(await post(bad), /condition='bad-request'/, bad)
  }
  const noRid = "<body xmlns='http://jabber.org/protocol/httpbind' to='localhost'/>"
  for (const body of [
    noRid,
    noRid.replace(' to', " rid='-1' to"),
    noRid.replace(' to', " rid='99999999999999999' to"),
  ]) {
    assert.match(await post(body), /condition='bad-request'/)
  }
  assert.match(await post(noRid.replace(' to', " sid='guessed' rid='5' to")), /condition='item-not-found'/)
})

test('a body that a stranger makes too long is not read', async () => {
  const answer = await fetch(URL, { method: 'POST', body: `<body x='${'x'.repeat(100_000)}'/>` })
  assert.equal(answer.status, 413)
})

test('one address has so many sessions, and another one after one has ended', async () => {
  const few = await loopback({ limits: { connectionsPerAddress: 2 } })
  const url = `http://127.0.0.1:${few.http}/http-bind`
  const body = "<body xmlns='http://jabber.org/protocol/httpbind' rid='7' to='localhost' wait='60' hold='1'/>"
  const begin = async (): Promise<string> => (await fetch(url, { method: 'POST', body })).text()
  const [one] = [await begin(), await begin()]
  assert.match(await begin(), /condition='policy-violation'/)
  const end = body.replace("rid='7'", `rid='8' type='terminate' sid='${/\ssid='([^']+)'/.exec(one)?.[1]}'`)
  assert.match(await (await fetch(url, { method: 'POST', body: end })).text(), ENDED)
  assert.match(await begin(), /<stream:features>/)
})

test('web pages from anywhere may come, with POST only', async () => {
  const allowed = await fetch(URL, { method: 'OPTIONS' })
  assert.equal(allowed.status, 204)
  assert.equal(allowed.headers.get('access-control-allow-origin'), '*')
  assert.equal((await fetch(URL)).status, 405)
})

test('behind a proxy, what did not come by https is refused', async () => {
  const ask = (headers: Record<string, string>) => fetch(URL, { method: 'POST', body: '<body/>', headers })
  assert.equal((await ask({ 'x-forwarded-for': '192.0.2.7' })).status, 403)
  assert.equal((await ask({ 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'http' })).status, 403)
  assert.equal((await ask({ 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https' })).status, 200)
})

test('who sends too much is answered later', async () => {
  const time = new FakeClock()
  const slow = await loopback({ clock: time, limits: { bytesPerSecond: 4096 } })
  await slow.accounts.add(Jid.of('romeo', 'localhost'), 'secret')
  const [one, other] = [await Session.enter(undefined, slow.http), await Session.enter(undefined, slow.http)]
  let answered = true
  let last = Promise.resolve('')
  while (answered) {
    answered = false
    last = one.asks(PING).then((text) => {
      answered = true
      return text
    })
    while (!answered && slow.metrics.rests === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  assert.match(await other.asks(PING), /id='p'/)
  assert.equal(answered, false)
  time.advance(20_000)
  assert.match(await last, /id='p'/)
})
