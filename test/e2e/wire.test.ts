// SPDX-License-Identifier: Apache-2.0
// What the server does with bytes on real sockets: cut anywhere, wrong, too many, or not taken; and how streams end on the wire.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Jid } from '../../src/xmpp/jid.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { loopback } from '../support/loopback.ts'
import { bind, HEADER, STARTTLS, Wire } from '../support/wire.ts'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'

const place = await loopback()
for (const name of ['romeo', 'juliet', 'tybalt']) await place.accounts.add(Jid.of(name, 'localhost'), 'secret')

function plainAuth(username: string): string {
  return `<auth xmlns='${SASL}' mechanism='PLAIN'>${Buffer.from(`\0${username}\0secret`).toString('base64')}</auth>`
}

/** A client that is logged in. */
async function client(username: string, resource: string): Promise<Wire> {
  const wire = await Wire.direct(place.direct)
  await wire.logsIn(username, resource)
  return wire
}

test('bytes may be cut anywhere, before and after TLS', async () => {
  const wire = Wire.plain(place.plain)
  await wire.drips(HEADER)
  const opened = await wire.until(/<\/stream:features>/)
  assert.match(
    opened,
    /^<\?xml version='1\.0'\?><stream:stream xmlns='jabber:client' xmlns:stream='[^']+' version='1\.0' from='localhost' id='[^']+' xml:lang='en'>/,
  )
  await wire.drips(STARTTLS)
  await wire.until(/<proceed [^>]*>/)
  await wire.secure()
  await wire.drips(HEADER + plainAuth('romeo'))
  await wire.until(/<success [^>]*>/)
  await wire.drips(HEADER + bind('dripping'))
  await wire.until(/romeo@localhost\/dripping/)
  await wire.drips(`<message to='romeo@localhost/dripping'><body>\u{1F339} &amp; \u00e9</body></message>`)
  const message = Buffer.from(await wire.until(/<\/message>/), 'latin1').toString()
  assert.match(message, /<body>\u{1F339} &amp; \u00e9<\/body>/u)
})

test('a whole login may come in one piece', async () => {
  const wire = await Wire.direct(place.direct)
  const ping = `<iq type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`
  await wire.write([HEADER, plainAuth('romeo'), HEADER, bind('piped'), ping, '</stream:stream>'].join(''))
  const heard = await wire.rest()
  assert.match(heard, /<success .*<stream:features>.*romeo@localhost\/piped.*id='ping'.*<\/stream:stream>$/s)
})

test('an end tag is answered by ours, and then the connection ends', async () => {
  const wire = await client('romeo', 'ends')
  await wire.write('</stream:stream>')
  assert.equal(await wire.rest(), '</stream:stream>')
})

test('what was sent before the connection was closed is delivered, and the client is gone', async () => {
  const juliet = await client('juliet', 'listens')
  const romeo = await client('romeo', 'leaves')
  await romeo.write(`<presence to='juliet@localhost/listens'/>`)
  await juliet.until(/<presence [^>]*romeo@localhost\/leaves[^>]*>/)
  romeo.socket.end(`<message to='juliet@localhost/listens'><body>farewell</body></message>`)
  await juliet.until(/farewell<\/body><\/message><presence [^>]*type='unavailable'[^>]*>/)
})

test('what a stranger adds to <starttls/> in the clear is thrown away (§5.4.3.3)', async () => {
  const wire = Wire.plain(place.plain)
  await wire.write(HEADER)
  await wire.until(/<\/stream:features>/)
  await wire.write(`${STARTTLS}${HEADER}${plainAuth('romeo')}`)
  await wire.until(/<proceed [^>]*>/)
  await wire.secure()
  await wire.write(HEADER)
  const opened = await wire.until(/<\/stream:features>/)
  assert.match(opened, /^<\?xml[^?]*\?><stream:stream [^>]*><stream:features><mechanisms/)
  await wire.write('</stream:stream>')
  assert.equal(await wire.rest(), '</stream:stream>')
})

test('a handshake that fails ends the connection without another word (§5.4.3.2)', async () => {
  const wire = Wire.plain(place.plain)
  await wire.write(HEADER)
  await wire.until(/<\/stream:features>/)
  await wire.write(STARTTLS)
  await wire.until(/<proceed [^>]*>/)
  await wire.write(`<message to='juliet@localhost'><body>Who needs TLS?</body></message>`)
  assert.doesNotMatch(await wire.rest(), /stream|message/)
})

test('whoever leaves in the middle of the handshake is gone', async () => {
  const small = await loopback()
  const wire = Wire.plain(small.plain)
  await wire.write(HEADER)
  await wire.until(/<\/stream:features>/)
  await wire.write(STARTTLS)
  await wire.until(/<proceed [^>]*>/)
  wire.socket.end()
  assert.equal(await wire.rest(), '')
  assert.equal(small.server.connections, 0)
})

test('whoever takes too long over the handshake is cut off, and hears nothing in the clear (§5.4.3.1)', async () => {
  const clock = new FakeClock()
  const small = await loopback({ clock })
  const wire = Wire.plain(small.plain)
  await wire.write(HEADER)
  await wire.until(/<\/stream:features>/)
  await wire.write(STARTTLS)
  await wire.until(/<proceed [^>]*>/)
  clock.advance(30_000)
  assert.equal(await wire.rest(), '')
  assert.equal(small.server.connections, 0)
})

/** What ends a stream, and by which error (§4.9.3, §11); always with an end tag and the end of the connection. */
const WRONG: readonly (readonly [what: string, condition: string, bytes: string | Buffer])[] = [
  ['no XML', 'not-well-formed', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['a comment before the stream', 'restricted-xml', `<!-- hello -->${HEADER}`],
  ['a comment', 'restricted-xml', `${HEADER}<!-- hello -->`],
  ['a comment in a stanza', 'restricted-xml', `${HEADER}<message><!-- hello --></message>`],
  ['a document type', 'restricted-xml', `<!DOCTYPE lolz [<!ENTITY lol "lol">]>${HEADER}`],
  ['a processing instruction', 'restricted-xml', `${HEADER}<?php echo 1 ?>`],
  ['an entity that nobody declared', 'restricted-xml', `${HEADER}<message><body>&lol;</body></message>`],
  ['tags that do not match', 'not-well-formed', `${HEADER}<message><body>No closing tag!</message>`],
  ['a prefix that nobody declared', 'not-well-formed', `${HEADER}<x:message/>`],
  ['another encoding', 'unsupported-encoding', `<?xml version='1.0' encoding='UTF-16'?>${HEADER.slice(21)}`],
  [
    'bytes that are not UTF-8',
    '(bad-format|unsupported-encoding|not-well-formed)',
    Buffer.from([...Buffer.from(HEADER), 0x3c, 0xff, 0x3e]),
  ],
  ['text between stanzas', 'bad-format', `${HEADER}hello`],
  ['a header that is too long', 'policy-violation', `<stream:stream a='${'x'.repeat(20_000)}'`],
  ['a stanza that is too long before login', 'policy-violation', `${HEADER}<iq>${'x'.repeat(20_000)}`],
  ['another stream namespace', 'invalid-namespace', HEADER.replace('etherx.jabber.org', 'wrong.example')],
  ['a stream for servers', 'invalid-namespace', HEADER.replace('jabber:client', 'jabber:server')],
  ['an unknown domain', 'host-unknown', HEADER.replace('localhost', 'unknown.example')],
  ['no stream at all', 'invalid-namespace', `<html xmlns='http://www.w3.org/1999/xhtml'>`],
]

for (const [what, condition, bytes] of WRONG) {
  test(`${what}: ${condition}`, async () => {
    const wire = Wire.plain(place.plain)
    await wire.write(bytes)
    const ending = `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>.*</stream:error></stream:stream>$`
    const heard = await wire.rest()
    assert.match(heard, new RegExp(ending))
    assert.equal(heard.split('<stream:stream ').length, 2, 'one header of ours, whatever came')
  })
}

test('a second stream inside the stream ends it', async () => {
  const wire = await client('romeo', 'twice')
  await wire.write(HEADER.slice(21))
  await wire.write('</stream:stream></stream:stream>')
  assert.match(await wire.rest(), /^<stream:error>.*<\/stream:error><\/stream:stream>$/)
})

test('a stanza may be larger after login, and not too large', async () => {
  const wire = await client('romeo', 'large')
  const body = 'x'.repeat(100_000)
  await wire.write(`<message to='romeo@localhost/large'><body>${body}</body></message>`)
  assert.ok((await wire.until(/<\/message>/)).includes(body))
  await wire.write(`<message to='romeo@localhost/large'><body>${'x'.repeat(300_000)}`)
  assert.match(await wire.rest(), /^<stream:error><policy-violation .*<\/stream:stream>$/)
})

test('a client that never reads is cut off, and who sends to it is not disturbed', async () => {
  const [sender, sloth, friend] = [
    await client('romeo', 'sends'),
    await client('tybalt', 'sleeps'),
    await client('juliet', 'friend'),
  ]
  await sender.write(`<presence to='tybalt@localhost/sleeps'/>`)
  await sloth.until(/<presence [^>]*>/)
  await sloth.write(`<presence to='juliet@localhost/friend'/>`)
  await friend.until(/tybalt@localhost\/sleeps/)
  sloth.socket.pause()
  const headline = `<message type='headline' to='tybalt@localhost/sleeps'><body>${'x'.repeat(200_000)}</body></message>`
  for (let sent = 0; sent < 100_000_000; sent += headline.length) await sender.write(headline)
  await sender.pings()
  await friend.until(/<presence [^>]*tybalt@localhost\/sleeps[^>]*type='unavailable'[^>]*>/)
  assert.equal(place.metrics.overflows, 1)
  await sender.write(`<message to='juliet@localhost/friend'><body>Is he gone?</body></message>`)
  await friend.until(/Is he gone\?/)
  assert.equal(sender.text, '')
  sloth.socket.destroy()
})

test('one address has so many connections and no more', async () => {
  const small = await loopback({ limits: { connectionsPerAddress: 2 } })
  const [first, second, third] = [Wire.plain(small.plain), Wire.plain(small.plain), Wire.plain(small.plain)]
  for (const wire of [first, second]) {
    await wire.write(HEADER)
    await wire.until(/<\/stream:features>/)
  }
  assert.equal(await third.rest(), '')
  await first.write('</stream:stream>')
  await first.rest()
  const admitted = async (): Promise<boolean> => {
    const wire = Wire.plain(small.plain)
    await wire.write(HEADER)
    return /<stream:features>/.test(
      await Promise.race([wire.until(/<stream:features>/).catch(String), wire.closed.then(() => '')]),
    )
  }
  while (!(await admitted())); // until the server, too, has seen the end of the first
  assert.equal(small.server.connections, 2)
})

test('one address makes so many new connections in a minute and no more', async () => {
  const clock = new FakeClock()
  const small = await loopback({ clock, limits: { connectionsPerMinute: 3 } })
  const opens = async (): Promise<boolean> => {
    const wire = Wire.plain(small.plain)
    await wire.write(`${HEADER}</stream:stream>`)
    return (await wire.rest()) !== ''
  }
  const opened = async (): Promise<readonly boolean[]> => [await opens(), await opens(), await opens(), await opens()]
  assert.deepEqual(await opened(), [true, true, true, false])
  clock.advance(60_000)
  assert.deepEqual(await opened(), [true, true, true, false])
})

test('a server that stops says so on the wire', async () => {
  const small = await loopback()
  await small.accounts.add(Jid.of('romeo', 'localhost'), 'secret')
  const wire = await Wire.direct(small.direct)
  await wire.logsIn('romeo', 'stays')
  await small.server.stop()
  assert.match(await wire.rest(), /^<stream:error><system-shutdown [^>]*\/><\/stream:error><\/stream:stream>$/)
})
