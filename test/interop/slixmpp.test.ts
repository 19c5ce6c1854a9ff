// SPDX-License-Identifier: Apache-2.0
// Debian's slixmpp against the real program in its trial mode. The scenarios are Python (`slixmpp/`), and print what they saw.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Aenigma, bench, needs, startAenigma } from '../support/process.ts'
import { only, slixmpp } from '../support/slixmpp.ts'

const of = bench({ after })
let server: Aenigma
before(async () => {
  server = await startAenigma(of)
})

const { newUser, couple, play } = slixmpp(of, () => server)

for (const direct of [false, true]) {
  const way = direct ? 'direct TLS' : 'STARTTLS'

  test(`logs in by ${way}, verifying the certificate, with SCRAM`, async () => {
    const user = await newUser('romeo')
    const [login, ...more] = await play('login.py', 'log_in', { user, direct, mechanism: null })
    const { mechanism, ...rest } = login ?? {}
    assert.deepEqual(rest, { saw: 'login', jid: `${user.name}@localhost`, starttls: !direct, tls: 'TLSv1.3' })
    assert.match(String(mechanism), /^SCRAM-SHA-\d+-PLUS$/)
    assert.deepEqual(more, [])
  })

  test(`does not log in by ${way} when it does not trust the authority`, async () => {
    const [refusal] = await play('login.py', 'without_trust', { user: await newUser('romeo'), direct })
    assert.equal(refusal?.saw, 'no login')
    assert.deepEqual(refusal.refusals, [])
  })
}

for (const mechanism of ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-512-PLUS']) {
  test(`logs in with ${mechanism}`, async () => {
    const facts = await play('login.py', 'log_in', { user: await newUser('romeo'), mechanism })
    only(facts, { saw: 'login', mechanism })
  })
}

for (const mechanism of ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
  test(`logs in with ${mechanism} when it knows no channel binding`, async () => {
    const facts = await play('login.py', 'log_in', { user: await newUser('romeo'), mechanism, binds: false })
    only(facts, { saw: 'login', mechanism })
  })
}

test('does not log in with PLAIN, which is off', async () => {
  const facts = await play('login.py', 'log_in', { user: await newUser('romeo'), mechanism: 'PLAIN' })
  assert.deepEqual(facts, [{ saw: 'no login', reason: 'failed_all_auth', refusals: [] }])
})

test('a wrong password and an unknown account are refused alike', async () => {
  const user = await newUser('romeo')
  const wrong = await play('login.py', 'log_in', {
    user: { ...user, password: 'wrong' },
    mechanism: 'SCRAM-SHA-256-PLUS',
  })
  assert.deepEqual(wrong, [{ saw: 'no login', reason: 'failed_all_auth', refusals: ['not-authorized'] }])
  const unknown = { name: 'tybalt', password: 'wrong' }
  assert.deepEqual(await play('login.py', 'log_in', { user: unknown, mechanism: 'SCRAM-SHA-256-PLUS' }), wrong)
})

test('contacts: added, asked, approved both ways; presence is seen; removed', async () => {
  const { romeo, juliet } = await couple()
  const [r, j] = [`${romeo.name}@localhost`, `${juliet.name}@localhost`]
  assert.deepEqual(await play('chat.py', 'befriend', { romeo, juliet }), [
    { saw: 'added', groups: ['Verona'] },
    { saw: 'request' },
    { saw: 'presence', of: 'juliet' },
    { saw: 'presence', of: 'romeo' },
    { saw: 'away', status: 'on the balcony' },
    { saw: 'roster', of: 'romeo', items: { [j]: 'both' } },
    { saw: 'roster', of: 'juliet', items: { [r]: 'both' } },
    { saw: 'gone', who: 'romeo' },
    { saw: 'removed' },
  ])
})

test('messages arrive in both directions as they were written, in any script', async () => {
  const texts = [
    'Perché no? È così.',
    'مرحبا يا جولييت',
    '🌹👩🏽‍🚀 <b>&amp;</b> ]]> "quotes" \'too\'',
    'two\nlines\tand a tab',
  ]
  const facts = await play('chat.py', 'talk', { ...(await couple()), texts })
  const backwards = (text: string) => [...text].reverse().join('')
  assert.deepEqual(
    facts,
    texts.flatMap((text) => [
      { saw: 'message', by: 'juliet', body: text, sender: true },
      { saw: 'message', by: 'romeo', body: backwards(text), sender: true },
    ]),
  )
})

test('200 messages arrive in their order', async () => {
  assert.deepEqual(await play('chat.py', 'in_order', { ...(await couple()), count: 200 }), [
    { saw: 'order', kept: true },
  ])
})

test('messages wait for somebody who is away, and come once, in order, with the time they were sent', async () => {
  const texts = ['Wherefore art thou?', 'Buonanotte 🌙', 'تصبح على خير']
  const began = Math.floor(Date.now() / 1000) * 1000
  const facts = await play('chat.py', 'while_away', { ...(await couple()), texts })
  const messages = facts.filter(({ saw }) => saw === 'message')
  assert.deepEqual(
    messages.map(({ body }) => body),
    texts,
  )
  for (const { stamp, by } of messages) {
    const time = Date.parse(String(stamp))
    assert.ok(time >= began && time <= Date.now(), `${stamp} is between ${new Date(began).toISOString()} and now`)
    assert.equal(by, 'localhost')
  }
  only(facts, { saw: 'later', messages: 0 })
})

test('a message to nobody, and one to another server, come back with an error', async () => {
  assert.deepEqual(await play('chat.py', 'to_nobody', { romeo: await newUser('romeo') }), [
    { saw: 'error', condition: 'service-unavailable' },
    { saw: 'error', condition: 'remote-server-not-found' },
  ])
})

test('XEP-0191: who is blocked is not heard, and after unblocking is heard again', async () => {
  const { romeo, juliet } = await couple()
  assert.deepEqual(await play('chat.py', 'block', { romeo, juliet }), [
    { saw: 'blocked', items: [`${romeo.name}@localhost`] },
    { saw: 'error', by: 'romeo', condition: 'service-unavailable' },
    { saw: 'error', by: 'juliet', condition: 'not-acceptable' },
    { saw: 'blocked', items: [] },
    { saw: 'message', leaked: false },
  ])
})

test('XEP-0280: a second device sees both sides of a conversation', async () => {
  assert.deepEqual(await play('devices.py', 'carbons', await couple()), [
    { saw: 'received', by: true, sender: true },
    { saw: 'sent', by: true, to: true },
  ])
})

test('XEP-0352: a device that nobody looks at gets the last presence, and no other, with a message', async () => {
  assert.deepEqual(await play('devices.py', 'in_a_pocket', { romeo: await newUser('romeo') }), [
    { saw: 'message', shows: ['xa'] },
    { saw: 'presence' },
  ])
})

test('XEP-0077: a changed password is the one to log in with', async () => {
  assert.deepEqual(
    await play('account.py', 'change_password', { user: await newUser('romeo'), password: 'nuova pàrola 🗝' }),
    [{ saw: 'changed' }, { saw: 'no login', refusals: ['not-authorized'] }, { saw: 'login' }],
  )
})

test('XEP-0077: a cancelled account is gone', async () => {
  assert.deepEqual(await play('account.py', 'cancel', { user: await newUser('romeo') }), [
    { saw: 'cancelled', refusal: null },
    { saw: 'disconnected' },
    { saw: 'no login', refusals: ['not-authorized'] },
  ])
})

test('XEP-0077: nobody can register, unless the configuration says so', async () => {
  const facts = await play('account.py', 'register', { user: { name: 'tybalt', password: 'cat' } })
  only(facts, { saw: 'offer', register: false })
  const { refusal } = only(facts, { saw: 'answer' })
  assert.ok(refusal === 'not-allowed' || refusal === 'service-unavailable', `refused, with ${refusal}`)
  const users = await server.command(['user', 'list', '--json'])
  assert.ok(!users.includes('tybalt'))
})

test('XEP-0054: a vCard is kept, and seen by others', async () => {
  assert.deepEqual(await play('account.py', 'vcard', await couple()), [
    { saw: 'vcard', by: 'romeo', full: 'Romeo Montecchi 🌹', nick: 'Romè' },
    { saw: 'vcard', by: 'juliet', full: 'Romeo Montecchi 🌹', nick: 'Romè' },
  ])
})

test('XEP-0049: private data is there at the next login', async () => {
  assert.deepEqual(await play('account.py', 'private', { user: await newUser('romeo') }), [
    { saw: 'bookmarks', rooms: [] },
    { saw: 'bookmark', jid: 'verona@rooms.localhost', nick: 'Giulietta', name: 'Città di Verona', autojoin: true },
  ])
})

test('XEP-0030: the server and the account say what they are and can', async () => {
  const user = await newUser('romeo')
  const account = `${user.name}@localhost`
  const facts = await play('questions.py', 'disco', { user })
  const ofServer = only(facts, { saw: 'info', of: 'localhost' })
  assert.deepEqual(ofServer.identities, [['server', 'im']])
  const features = new Set(ofServer.features as readonly string[])
  for (const feature of [
    'http://jabber.org/protocol/disco#info',
    'http://jabber.org/protocol/disco#items',
    'jabber:iq:last',
    'jabber:iq:version',
    'urn:xmpp:blocking',
    'urn:xmpp:ping',
    'urn:xmpp:time',
    'vcard-temp',
    'msgoffline',
  ]) {
    assert.ok(features.has(feature), `${feature} in ${[...features].join(' ')}`)
  }
  only(facts, { saw: 'items', of: 'localhost' })
  assert.deepEqual(only(facts, { saw: 'info', of: account }).identities, [
    ['account', 'registered'],
    ['pubsub', 'pep'],
  ])
  only(facts, { saw: 'items', of: account })
})

test('XEP-0163: a tune is heard by the contact and read again, an avatar is in the vCard and in presence', async () => {
  const facts = await play('pep.py', 'tune', await couple())
  only(facts, { saw: 'tune', by: 'romeo', title: 'Tortelli in brodo' })
  only(facts, { saw: 'item', by: 'romeo', title: 'Tortelli in brodo' })
  only(facts, { saw: 'metadata', by: 'romeo' })
  const { sha1 } = only(facts, { saw: 'avatar' })
  only(facts, { saw: 'presence', photo: sha1 })
  only(facts, { saw: 'vcard', photo: 'a picture' })
  only(facts, { saw: 'late tune', by: 'tablet', title: 'Tortelli in brodo' })
})

test('XEP-0398, XEP-0153: the photo of a vCard is an avatar, and its hash is in presence', async () => {
  assert.deepEqual(await play('pep.py', 'photo', await couple()), [
    { saw: 'metadata', right: true, bytes: '15', type: 'image/png' },
    { saw: 'hash', right: true },
    { saw: 'data', text: 'another picture' },
  ])
})

test('XEP-0060: a node of the service is made, subscribed to, published at, read, and gone', async () => {
  assert.deepEqual(await play('pep.py', 'service', await couple()), [
    { saw: 'subscribed', state: 'subscribed' },
    { saw: 'event', title: 'Soliloquy' },
    { saw: 'items', ids: ['1'] },
    { saw: 'other', refusal: 'forbidden' },
    { saw: 'retracted', id: '1' },
    { saw: 'deleted', refusal: 'item-not-found' },
  ])
})

test('XEP-0313: what was said is read again, page by page, by whom and by when, under the ids it came with', async () => {
  const facts = await play('archive.py', 'history', { ...(await couple()), mercutio: await newUser('mercutio') })
  const number = (first: number, last: number): readonly string[] =>
    Array.from({ length: last - first + 1 }, (_, index) => `number ${first + index}`)
  const bodies = [...number(0, 11), 'Queen Mab', 'My turn', ...number(12, 24)]
  assert.deepEqual(facts, [
    { saw: 'all', bodies, pages: [10, 10, 7] },
    { saw: 'backwards', same: true, pages: [10, 10, 7] },
    { saw: 'ids', different: true, live: true },
    { saw: 'with', bodies: ['Queen Mab'] },
    { saw: 'between', right: true, some: true },
    { saw: 'none', bodies: [] },
    { saw: 'after', bodies: ['number 11', 'Queen Mab', 'My turn'] },
    { saw: 'metadata', right: true },
    { saw: 'other side', bodies: 26 },
  ])
})

test('XEP-0030: a stranger does not learn whether an account exists', async () => {
  const { romeo, juliet } = await couple()
  const stranger = `${juliet.name}@localhost`
  const real = await play('questions.py', 'disco_of_stranger', { user: romeo, stranger })
  assert.deepEqual(real, [{ saw: 'answer', refusal: 'service-unavailable' }])
  const none = await play('questions.py', 'disco_of_stranger', { user: romeo, stranger: 'nobody@localhost' })
  assert.deepEqual(none, real)
})

test('ping, version, time and uptime', async () => {
  const facts = await play('questions.py', 'vitals', { user: await newUser('romeo') })
  only(facts, { saw: 'pong', by: 'server' })
  only(facts, { saw: 'pong', by: 'account' })
  only(facts, { saw: 'version', name: 'aenigma' })
  const { utc, offset } = only(facts, { saw: 'time' })
  assert.match(String(utc), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
  assert.ok(Math.abs(Date.parse(String(utc)) - Date.now()) < 10_000)
  assert.match(String(offset), /^(Z|[+-]\d\d:\d\d)$/)
  const { seconds } = only(facts, { saw: 'uptime' })
  assert.ok(Number(seconds) >= 0 && Number(seconds) < 3600, `up for ${seconds} s`)
})

test('XEP-0012: since when a contact is away is told to those who see the presence only', async () => {
  const facts = await play('questions.py', 'last_activity', await couple())
  only(facts, { saw: 'before', refusal: 'service-unavailable' })
  const { seconds, status } = only(facts, { saw: 'last' })
  assert.ok(Number(seconds) < 60)
  assert.equal(status, 'asleep')
})

test('XEP-0133: an administrator adds a user by a command; others cannot', async () => {
  assert.ok(server.adminPassword, `the first start tells the administrator's password: ${server.child.stdout}`)
  const admin = { name: 'admin', password: server.adminPassword }
  const facts = await play('account.py', 'add_user', { admin, user: { name: 'mercutio', password: 'Queen Mab' } })
  const { nodes } = only(facts, { saw: 'commands' })
  assert.ok(Array.isArray(nodes) && nodes.includes('add-user') && nodes.includes('announce'), String(nodes))
  const { fields } = only(facts, { saw: 'form', status: 'executing' })
  for (const field of ['accountjid', 'password', 'password-verify']) assert.ok((fields as string[]).includes(field))
  only(facts, { saw: 'end', status: 'completed' })
  only(facts, { saw: 'login' })

  const others = await play('account.py', 'add_user_without_right', { user: await newUser('romeo') })
  assert.deepEqual(others, [
    { saw: 'commands', nodes: [] },
    { saw: 'answer', refusal: 'forbidden' },
  ])
})

test('XEP-0363: a file is uploaded, and anybody who knows its address gets it', async () => {
  needs('/usr/lib/python3/dist-packages/aiohttp/__init__.py', 'python3-aiohttp')
  const facts = await play('files.py', 'upload', { user: await newUser('romeo') })
  only(facts, { saw: 'service', jid: 'upload.localhost', most: '104857600' })
  const { url } = only(facts, { saw: 'upload' })
  assert.match(String(url), /^http:\/\/localhost:\d+\/upload\/[\w-]{32}\/tr%C3%A8s%20cool\.png$/)
  only(facts, { saw: 'download', same: true, kind: 'image/png' })
})

test('XEP-0065: two clients find the proxy and send through it', async () => {
  const facts = await play('files.py', 'stream', await couple())
  only(facts, { saw: 'proxies' })
  only(facts, { saw: 'stream', same: true })
})
