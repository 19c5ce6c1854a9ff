// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { rawGet, testWeb } from '../../test/support/web.ts'

const web = await testWeb({ url: 'https://files.montague.lit' })
after(() => web.stop())
const get = (path: string, headers: Readonly<Record<string, string>> = {}) => rawGet(web.origin, path, headers)

const page = (await get('/chat/')).body.toString()
const converse = /\/chat\/converse-[\d.]+\//.exec(page)?.[0] ?? ''

test('the page belongs to the domain that the browser asked, or to the first', async () => {
  assert.match((await get('/chat/', { host: 'capulet.lit:5443' })).body.toString(), /content="capulet\.lit"/)
  assert.match((await get('/chat/', { host: 'evil.example' })).body.toString(), /content="montague\.lit"/)
})

test('the page has no script inline, and its policy allows none', async () => {
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)/)
  const { headers } = await get('/chat/')
  const policy = String(headers['content-security-policy'])
  assert.match(policy, /default-src 'none'; script-src 'self' 'wasm-unsafe-eval';/)
  assert.match(policy, /img-src 'self' data: blob: https:;/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.equal(headers['referrer-policy'], 'no-referrer')
})

test('all that the page names is there, and comes from here', async () => {
  const names = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map((match) => match[1] ?? '')
  assert.ok(names.length > 6)
  for (const name of names) {
    assert.match(name, /^\/chat\//)
    assert.equal((await get(name)).status, 200, name)
  }
  const manifest = JSON.parse((await get('/chat/manifest.webmanifest')).body.toString())
  for (const { src } of manifest.icons) assert.equal((await get(src)).headers['x-content-type-options'], 'nosniff', src)
})

test("what Converse.js loads later is there, and can be kept for ever: its address has the package's version", async () => {
  for (const name of ['libomemo.esm.min.js', 'curve25519_compiled.wasm', 'emoji.json', 'webfonts/muli.ttf']) {
    const { status, headers } = await get(`${converse}${name}`)
    assert.equal(status, 200, name)
    assert.equal(headers['cache-control'], 'public, max-age=31536000, immutable')
  }
  assert.equal((await get(`${converse}curve25519_compiled.wasm`)).headers['content-type'], 'application/wasm')
  assert.equal((await get(`${converse}chunkjs/locales/it-LC_MESSAGES-converse-po.js`)).status, 200)
})

test('what is compressed is the same file', async () => {
  const packed = await get(`${converse}converse.min.js`, { 'accept-encoding': 'br, gzip' })
  const plain = await get(`${converse}converse.min.js`, { 'accept-encoding': 'gzip;q=0' })
  assert.equal(packed.headers['content-encoding'], 'gzip')
  assert.equal(plain.headers['content-encoding'], undefined)
  assert.equal(plain.headers['content-length'], String(plain.body.length))
  assert.ok(packed.body.length < plain.body.length / 2)
  assert.deepEqual(gunzipSync(packed.body), plain.body)
  assert.notEqual(packed.headers.etag, plain.headers.etag)
})

test('who has a file already is told so, in few bytes', async () => {
  for (const path of ['/chat/', '/chat/chat.js', `${converse}converse.min.css`]) {
    const first = await get(path, { 'accept-encoding': 'gzip' })
    const etag = String(first.headers.etag)
    const second = await get(path, { 'accept-encoding': 'gzip', 'if-none-match': `"old", W/${etag}` })
    assert.deepEqual([second.status, second.body.length], [304, 0], path)
    assert.equal((await get(path, { 'accept-encoding': 'gzip', 'if-none-match': '"old"' })).status, 200)
  }
})

test('no way leads out of the folders', async () => {
  const tricks = [
    '../package.json',
    '%2e%2e/package.json',
    '..%2fpackage.json',
    '..%5cpackage.json',
    'images/../../package.json',
    '/etc/passwd',
    '//etc/passwd',
    'converse.min.js/',
    'converse.min.js%00.png',
    'converse.min.js.map',
    'images',
    '.hidden.js',
    `${'a/'.repeat(50)}a.js`,
    `${'a'.repeat(5000)}.js`,
  ]
  for (const trick of tricks) {
    const { status } = await get(`${converse}${trick}`)
    assert.equal(status, 404, trick)
  }
  for (const path of ['/chat/chat.html', '/chat/start.html', '/chat/..%2fapp.ts', '/chat/chat.ts', '/chat/__proto__'])
    assert.equal((await get(path)).status, 404, path)
})

test('without the slash at its end the address is the same', async () => {
  const { status, headers } = await get('/chat')
  assert.deepEqual([status, headers.location], [308, '/chat/'])
})
