// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { heardFrom, juliet, uploadStage } from '../../test/support/uploads.ts'
import { newSlot, slotIn, slotKey } from '../xmpp/upload-path.ts'

const CONTENT = randomBytes(300_000)

test('what is put can be got, by anybody, and comes as it was', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ name: 'très cool.jpg', type: 'image/jpeg', size: CONTENT.length })
  assert.equal((await stage.asks('GET', path)).status, 404)
  const put = await stage.asks('PUT', path, { 'content-type': 'image/jpeg' }, CONTENT)
  assert.equal(put.status, 201)
  const got = await stage.asks('GET', path)
  assert.equal(got.status, 200)
  assert.ok(got.body.equals(CONTENT))
  assert.equal(got.headers.get('content-type'), 'image/jpeg')
  assert.equal(got.headers.get('content-length'), String(CONTENT.length))
  assert.equal(
    got.headers.get('content-disposition'),
    `inline; filename="tr_s cool.jpg"; filename*=UTF-8''tr%C3%A8s%20cool.jpg`,
  )
  assert.equal(got.headers.get('cache-control'), 'private, max-age=86400, immutable')
  const head = await stage.asks('HEAD', path)
  assert.deepEqual([head.status, head.body.length], [200, 0])
  assert.equal(head.headers.get('content-length'), String(CONTENT.length))
  assert.equal(head.headers.get('etag'), got.headers.get('etag'))
  assert.deepEqual(stage.onDisk().arriving, [])
})

test('a place is used once', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 3 })
  assert.equal((await stage.asks('PUT', path, {}, Buffer.from('one'))).status, 201)
  assert.equal((await stage.asks('PUT', path, {}, Buffer.from('two'))).status, 409)
  assert.equal((await stage.asks('GET', path)).body.toString(), 'one')
})

test('two at the same time do not get into one another', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 6 })
  const first = stage.says(
    `PUT ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n`,
  )
  await new Promise((resolve) => first.once('data', resolve))
  assert.equal((await stage.asks('PUT', path, {}, Buffer.from('second'))).status, 409)
  const ended = heardFrom(first)
  first.write('first!')
  assert.match(await ended, /^HTTP\/1\.1 201 /)
  assert.equal((await stage.asks('GET', path)).body.toString(), 'first!')
})

test('an upload has the size and the type that were announced', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 5, type: 'text/plain' })
  const put = async (text: string, type = 'text/plain') =>
    (await stage.asks('PUT', path, { 'content-type': type }, Buffer.from(text))).status
  assert.equal(await put('four'), 400)
  assert.equal(await put('sixsix'), 413)
  assert.equal(await put('fives', 'text/html'), 415)
  const chunked = stage.says(
    `PUT ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfives\r\n0\r\n\r\n`,
  )
  assert.match(await heardFrom(chunked), /^HTTP\/1\.1 411 /)
  assert.deepEqual(stage.onDisk(), { whole: [], arriving: [] })
  assert.equal(await put('fives', 'Text/Plain; charset=utf-8'), 201)
})

test('who sends too much reads why before the connection closes', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 5 })
  const socket = stage.says(`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n`)
  let heard = ''
  socket.setEncoding('latin1').on('data', (text) => {
    heard += text
  })
  while (!heard.includes('bytes.')) await new Promise((resolve) => socket.write('x'.repeat(65536), resolve))
  assert.match(heard, /^HTTP\/1\.1 413 /)
  assert.match(heard, /connection: close/i)
})

test('what breaks off leaves nothing, and may be tried again', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 100_000 })
  const socket = stage.says(`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n`)
  await new Promise((resolve) => socket.once('data', resolve))
  await new Promise((resolve) => socket.write('x'.repeat(70_000), resolve))
  socket.destroy()
  let status = 409
  while (status === 409) status = (await stage.asks('PUT', path, {}, Buffer.alloc(100_000, 'y'))).status
  assert.equal(status, 201)
  const { whole, arriving } = stage.onDisk()
  assert.deepEqual([whole.length, arriving], [1, []])
  assert.equal((await stage.asks('GET', path)).body[0], 'y'.charCodeAt(0))
})

test('half files of a crash are gone after the start, and so are those that nobody knows', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'aenigma-up-'))
  const known = '00'.repeat(16)
  for (const name of ['arriving', '00', 'ff']) mkdirSync(join(folder, 'uploads', name), { recursive: true })
  for (const name of [`arriving/${known}`, `00/${known}`, `ff/${'ff'.repeat(16)}`]) {
    writeFileSync(join(folder, 'uploads', name), 'x')
  }
  const stage = await uploadStage(t, folder)
  assert.deepEqual(stage.onDisk().arriving, [])
  const now = stage.clock.now()
  await stage.store.uploads.reserve(
    {
      slot: 'known',
      file: known,
      owner: juliet,
      name: 'x',
      type: undefined,
      size: 1,
      created: now,
      expires: now + 1,
      keepUntil: now + 1,
    },
    { bytesPerAccount: 1, bytesPerDay: 1, filesPerAccount: 1 },
  )
  await stage.sweeper.sweep()
  assert.deepEqual(stage.onDisk().whole, [known])
})

test('parts', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 10 })
  await stage.asks('PUT', path, {}, Buffer.from('0123456789'))
  const part = async (range: string, more: Readonly<Record<string, string>> = {}) => {
    const { status, headers, body } = await stage.asks('GET', path, { range, ...more })
    return `${status} ${headers.get('content-range')} ${body}`
  }
  assert.equal(await part('bytes=2-4'), '206 bytes 2-4/10 234')
  assert.equal(await part('bytes=0-0'), '206 bytes 0-0/10 0')
  assert.equal(await part('bytes=7-'), '206 bytes 7-9/10 789')
  assert.equal(await part('bytes=-3'), '206 bytes 7-9/10 789')
  assert.equal(await part('bytes=-30'), '206 bytes 0-9/10 0123456789')
  assert.equal(await part('bytes=8-99999999999'), '206 bytes 8-9/10 89')
  for (const range of ['bytes=4-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=-', 'bytes=a-b']) {
    assert.equal(await part(range), '200 null 0123456789', range)
  }
  for (const range of ['bytes=10-', 'bytes=-0']) assert.match(await part(range), /^416 bytes \*\/10 /, range)
  const etag = (await stage.asks('HEAD', path)).headers.get('etag') ?? ''
  assert.match(await part('bytes=2-4', { 'if-range': etag }), /^206 /)
  assert.match(await part('bytes=2-4', { 'if-range': '"another"' }), /^200 /)
  for (const range of ['bytes=2-4', 'bytes=10-']) {
    const head = await stage.asks('HEAD', path, { range })
    assert.deepEqual([head.status, head.headers.get('content-length')], [200, '10'], 'RFC 9110 §14.2')
  }
})

test('who has it already does not get it again', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 3 })
  await stage.asks('PUT', path, {}, Buffer.from('one'))
  const { headers } = await stage.asks('GET', path)
  const again = async (name: string, value: string) => (await stage.asks('GET', path, { [name]: value })).status
  const etag = headers.get('etag') ?? ''
  assert.equal(await again('if-none-match', etag), 304)
  assert.equal(await again('if-none-match', `"x", W/${etag}`), 304)
  assert.equal(await again('if-none-match', '*'), 304)
  assert.equal(await again('if-none-match', '"x"'), 200)
  assert.equal(await again('if-modified-since', headers.get('last-modified') ?? ''), 304)
  assert.equal(await again('if-modified-since', 'Thu, 01 Jan 1970 00:00:00 GMT'), 200)
  assert.equal(await again('if-modified-since', 'yesterday'), 200)
})

test('nothing that a browser could run comes as what it is', async (t) => {
  const stage = await uploadStage(t)
  const kinds: Readonly<Record<string, string>> = {
    'text/html': 'attachment application/octet-stream',
    'image/svg+xml': 'attachment application/octet-stream',
    'application/xhtml+xml': 'attachment application/octet-stream',
    'text/javascript': 'attachment application/octet-stream',
    'text/xml': 'attachment application/octet-stream',
    'application/vnd.mozilla.xul+xml': 'attachment application/octet-stream',
    'application/pdf': 'attachment application/pdf',
    'text/plain': 'attachment text/plain',
    'video/mp4': 'inline video/mp4',
  }
  for (const [type, expected] of Object.entries(kinds)) {
    const path = await stage.place({ size: 1, type, name: 'x"; filename=evil.html' })
    assert.equal((await stage.asks('PUT', path, { 'content-type': type }, Buffer.from('x'))).status, 201)
    const { headers } = await stage.asks('GET', path)
    const disposition = headers.get('content-disposition') ?? ''
    assert.equal(`${disposition.split(';')[0]} ${headers.get('content-type')}`, expected)
    assert.match(disposition, /filename="x__ filename_evil\.html"; filename\*=UTF-8''x%22%3B%20filename%3Devil\.html$/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'.*; sandbox$/)
    assert.equal(headers.get('cross-origin-resource-policy'), 'cross-origin')
  }
})

test('pages from elsewhere may ask, put and get', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 1 })
  const asked = await stage.asks('OPTIONS', path, {
    origin: 'https://chat.example',
    'access-control-request-method': 'PUT',
  })
  assert.equal(asked.status, 204)
  const origin = (headers: Headers) => headers.get('access-control-allow-origin')
  assert.equal(origin(asked.headers), '*')
  assert.match(asked.headers.get('access-control-allow-methods') ?? '', /\bPUT\b/)
  assert.match(asked.headers.get('access-control-allow-headers') ?? '', /\bContent-Type\b/)
  assert.equal(origin((await stage.asks('PUT', path, {}, Buffer.from('x'))).headers), '*')
  assert.equal(origin((await stage.asks('GET', path)).headers), '*')
  assert.equal(origin((await stage.asks('PUT', path, {}, Buffer.from('x'))).headers), '*', 'so that errors can be read')
})

test('what is none of our addresses does not exist', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 3 })
  await stage.asks('PUT', path, {}, Buffer.from('one'))
  const slot = slotIn(path) ?? ''
  for (const wrong of [
    '/upload/',
    '/upload/x',
    `/upload/${newSlot()}/file`,
    `/upload/${slot}`,
    `/upload/${slot}/a/b`,
    `/upload/${slotKey(slot)}/file`,
    '/upload/..%2f..%2fetc%2fpasswd',
    `/upload/${slot.toUpperCase()}/file`,
  ]) {
    assert.equal((await stage.asks('GET', wrong)).status, 404, wrong)
  }
  const raw = stage.says(`GET /upload/../store.db HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  assert.match(await heardFrom(raw), /^HTTP\/1\.1 404 /)
  assert.equal((await stage.asks('GET', `/upload/${slot}/another-name?download`)).status, 200)
  const deleted = await stage.asks('DELETE', path)
  assert.deepEqual([deleted.status, deleted.headers.get('allow')], [405, 'GET, HEAD, PUT, OPTIONS'])
})

test('files end with their time and with their account', async (t) => {
  const stage = await uploadStage(t)
  const [old, late] = [await stage.place({ size: 3 }), await stage.place({ size: 3 })]
  await stage.asks('PUT', old, {}, Buffer.from('one'))
  stage.clock.advance(600_000)
  assert.equal((await stage.asks('PUT', late, {}, Buffer.from('one'))).status, 404, 'too late')
  stage.clock.advance(86_400_000)
  assert.equal((await stage.asks('GET', old)).status, 404)
  assert.equal(stage.onDisk().whole.length, 1)
  await stage.sweeper.sweep()
  assert.deepEqual(stage.onDisk().whole, [])
  const path = await stage.place({ size: 3 })
  await stage.asks('PUT', path, {}, Buffer.from('one'))
  await stage.store.accounts.remove(juliet)
  assert.equal((await stage.asks('GET', path)).status, 404)
  await stage.sweeper.sweep()
  assert.deepEqual(stage.onDisk().whole, [])
})

test('whose account goes while a file arrives keeps nothing', async (t) => {
  const stage = await uploadStage(t)
  const path = await stage.place({ size: 6 })
  const socket = stage.says(
    `PUT ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n`,
  )
  await new Promise((resolve) => socket.once('data', resolve))
  await stage.store.accounts.remove(juliet)
  await stage.sweeper.sweep()
  const heard = heardFrom(socket)
  socket.write('orphan')
  assert.match(await heard, /^HTTP\/1\.1 404 /)
  assert.deepEqual(stage.onDisk(), { whole: [], arriving: [] })
})

test('two hundred at once', async (t) => {
  const stage = await uploadStage(t)
  const paths = await Promise.all(Array.from({ length: 200 }, () => stage.place({ size: CONTENT.length })))
  const puts = await Promise.all(paths.map((path) => stage.asks('PUT', path, {}, CONTENT)))
  assert.ok(puts.every(({ status }) => status === 201))
  const gets = await Promise.all(paths.map((path) => stage.asks('GET', path)))
  assert.ok(gets.every(({ body }) => body.equals(CONTENT)))
  assert.equal(stage.onDisk().whole.length, 200)
})

test('the same over HTTP/2', async (t) => {
  const stage = await uploadStage(t)
  const session = connectHttp2(`http://127.0.0.1:${stage.port2}`)
  t.after(() => session.destroy())
  const asks = async (headers: Readonly<Record<string, string>>, body?: Buffer): Promise<[number, Buffer]> => {
    const stream = session.request(headers, { endStream: body === undefined })
    const pieces: Buffer[] = []
    const answer = once(stream, 'response')
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    if (body) stream.end(body)
    const [{ ':status': status }] = await answer
    await once(stream, 'end')
    return [status, Buffer.concat(pieces)]
  }
  const path = await stage.place({ size: CONTENT.length })
  const put = (body: Buffer, length = String(body.length)) =>
    asks({ ':method': 'PUT', ':path': path, 'content-length': length }, body)
  assert.equal((await put(CONTENT.subarray(1)))[0], 400)
  assert.equal((await put(CONTENT))[0], 201)
  assert.equal((await put(CONTENT))[0], 409)
  const [status, body] = await asks({ ':path': path })
  assert.equal(status, 200)
  assert.ok(body.equals(CONTENT))
  assert.deepEqual(await asks({ ':path': path, range: 'bytes=1-2' }), [206, CONTENT.subarray(1, 3)])
  const other = await stage.place({ size: 100_000 })
  const broken = session.request({ ':method': 'PUT', ':path': other, 'content-length': '100000' })
  broken.on('error', () => undefined).write(Buffer.alloc(50_000))
  while (stage.onDisk().arriving.length === 0) await new Promise((resolve) => setImmediate(resolve))
  broken.destroy()
  while (stage.onDisk().arriving.length > 0) await new Promise((resolve) => setImmediate(resolve))
})
