// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { rawGet, testWeb } from '../../test/support/web.ts'
import { silentLog } from '../log.ts'
import type { NewcomerRequest } from '../ops/newcomer.ts'
import type { AppParts } from './app.ts'
import type { StartParts } from './start-page.ts'

const wish = { link: 'secret', name: 'romeo', password: 'wherefore art thou', agent: 'a', device: 'Firefox' }
const login = { jid: 'romeo@montague.lit', token: 't', expiry: '2030-01-01T00:00:00Z' }

/** A server whose answers are given, and what was asked of it. */
async function stage(t: TestContext, answer: Partial<StartParts['firstAccount']> = {}, more: Partial<AppParts> = {}) {
  const asked: NewcomerRequest[] = []
  const web = await testWeb({
    firstAccount: {
      host: 'montague.lit',
      open: () => Promise.resolve(true),
      usable: (link) => Promise.resolve(link === 'secret'),
      create: (request) => {
        asked.push(request)
        return Promise.resolve(login)
      },
      ...answer,
    },
    ...more,
  })
  t.after(() => web.stop())
  const post = async (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(`${web.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: web.origin, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json().catch(() => undefined)) as unknown }
  }
  return { ...web, post, asked }
}

test('the front door leads to the first account while there is nobody, then to the chat', async (t) => {
  const empty = await stage(t)
  assert.equal((await rawGet(empty.origin, '/')).headers.location, '/start')
  const full = await stage(t, { open: () => Promise.resolve(false) })
  assert.equal((await rawGet(full.origin, '/')).headers.location, '/chat/')
})

test("the page speaks the browser's language, and its policy allows nothing inline", async (t) => {
  const { origin } = await stage(t)
  const speak = async (languages: string) => {
    const { body, headers } = await rawGet(origin, '/start', { 'accept-language': languages })
    assert.match(String(headers.vary), /Accept-Language/)
    return /<html lang="(\w+)"/.exec(body.toString())?.[1]
  }
  assert.equal(await speak('it-IT,it;q=0.9,en;q=0.8'), 'it')
  assert.equal(await speak('fr, en;q=0.5, it;q=0.7'), 'it')
  assert.equal(await speak('it;q=0, de'), 'en')
  assert.equal(await speak(`${'x,'.repeat(2000)}`), 'en')
  const { body, headers } = await rawGet(origin, '/start')
  assert.match(body.toString(), /@montague\.lit/)
  assert.doesNotMatch(body.toString(), /\{\{|<script(?![^>]*\bsrc=)|<style|style="/)
  assert.match(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self'; style-src 'self';/)
})

test('both languages say everything', async () => {
  const { readFile } = await import('node:fs/promises')
  const keys = async (language: string) =>
    Object.keys(JSON.parse(await readFile(new URL(`pages/start.${language}.json`, import.meta.url), 'utf8')))
  assert.deepEqual(await keys('it'), await keys('en'))
})

test('an account is made: 201, and the login for the chat', async (t) => {
  const { post, asked } = await stage(t)
  assert.deepEqual(await post('/start/check', { link: 'secret' }), { status: 200, body: { usable: true } })
  assert.deepEqual(await post('/start/check', { link: 'other' }), { status: 200, body: { usable: false } })
  assert.deepEqual(await post('/start/account', wish), { status: 201, body: login })
  assert.deepEqual(asked, [wish])
})

test('what is wrong is told by name', async (t) => {
  for (const [problem, status] of [
    ['link', 403],
    ['exists', 409],
    ['name', 422],
    ['password', 422],
    ['short', 422],
  ] as const) {
    const { post } = await stage(t, { create: () => Promise.resolve(problem) })
    assert.deepEqual(await post('/start/account', wish), { status, body: { problem } })
  }
})

test('other pages cannot ask for an account', async (t) => {
  const { post, asked } = await stage(t)
  const refused = { status: 403, body: { problem: 'origin' } }
  assert.deepEqual(await post('/start/account', wish, { origin: 'https://evil.example' }), refused)
  assert.deepEqual(await post('/start/account', wish, { origin: 'null' }), refused)
  assert.deepEqual(await post('/start/account', wish, { 'sec-fetch-site': 'cross-site' }), refused)
  assert.deepEqual(await post('/start/account', wish, { 'sec-fetch-site': 'same-site' }), refused)
  assert.deepEqual(await post('/start/account', wish, { 'content-type': 'text/plain' }), refused)
  assert.deepEqual(asked, [])
})

test('what is no request is answered as such', async (t) => {
  const { post, asked } = await stage(t)
  for (const body of ['', '{', 'null', '[]', '7', { ...wish, name: 7 }, { ...wish, password: '' }, { __proto__: wish }])
    assert.equal((await post('/start/account', body)).status, 400)
  assert.equal((await post('/start/account', { ...wish, name: 'x'.repeat(9000) })).status, 413)
  assert.deepEqual(asked, [])
})

test('who tries often has to wait', async (t) => {
  const { post } = await stage(t, { create: () => Promise.resolve('link') })
  for (let n = 0; n < 60; n++) assert.equal((await post('/start/account', wish)).status, 403)
  assert.deepEqual(await post('/start/account', wish), { status: 429, body: { problem: 'often' } })
})

test('no password is taken where others could read along', async (t) => {
  const far = await stage(t, {}, { trust: { isProxy: () => false, isLocal: () => false } })
  for (const path of ['/start/check', '/start/account']) {
    assert.deepEqual(await far.post(path, wish), { status: 403, body: { problem: 'insecure' } })
  }
  assert.deepEqual(far.asked, [])
})

test('what fails is in the log, and nowhere else', async (t) => {
  const logged: unknown[] = []
  const log = { ...silentLog, error: (event: string, fields = {}) => logged.push({ event, ...fields }) }
  const printed = t.mock.method(console, 'error', () => undefined)
  const failure = new Error('the disk is full')
  const broken = await stage(t, { create: () => Promise.reject(failure) }, { log })
  assert.deepEqual(await broken.post('/start/account', wish), { status: 500, body: undefined })
  assert.deepEqual(logged, [{ event: 'web page failed', error: failure }])
  assert.equal(printed.mock.callCount(), 0)
})
