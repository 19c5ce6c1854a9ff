// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { rawGet, testWeb } from '../../test/support/web.ts'
import type { InvitationView } from '../ops/invited.ts'
import type { NewcomerRequest } from '../ops/newcomer.ts'
import type { AppParts } from './app.ts'

const AGENTS = {
  android: 'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36',
  ios: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15',
  macos: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)',
  windows: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64)',
  linux: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0)',
}
const VIEW: InvitationView = {
  host: 'montague.lit',
  inviter: 'romeo@montague.lit',
  note: 'Come, <gentle> night',
  name: undefined,
  accounts: true,
  expires: Date.UTC(2030, 0, 2),
  uri: 'xmpp:romeo@montague.lit?roster;preauth=secret;ibr=y',
  url: 'https://montague.lit/invite/secret',
}
const LOGIN = { jid: 'juliet@montague.lit', token: 't', expiry: '2030-01-01T00:00:00Z' }
const WISH = { name: 'juliet', password: 'what is in a name', agent: 'a', device: 'Firefox' }

/** A server whose answers are given, and what was asked of it. */
async function stage(
  t: TestContext,
  { view = {}, ...answer }: Partial<AppParts['invited']> & { view?: Partial<InvitationView> } = {},
  more: Partial<AppParts> = {},
) {
  const asked: NewcomerRequest[] = []
  let looks = 0
  const web = await testWeb({
    invited: {
      look: (link) => {
        looks++
        return Promise.resolve(link === 'secret' ? { ...VIEW, ...view } : undefined)
      },
      create: (request) => {
        asked.push(request)
        return Promise.resolve(LOGIN)
      },
      ...answer,
    },
    ...more,
  })
  t.after(() => web.stop())
  const send = async (body: string, headers: Readonly<Record<string, string>>) => {
    const response = await fetch(`${web.origin}/invite/secret`, { method: 'POST', headers, body })
    return { status: response.status, text: await response.text() }
  }
  const post = async (body: unknown, headers: Readonly<Record<string, string>> = {}) => {
    const sent = { 'content-type': 'application/json', origin: web.origin, ...headers }
    const { status, text } = await send(JSON.stringify(body), sent)
    return { status, body: JSON.parse(text) as unknown }
  }
  const submit = (fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) =>
    send(new URLSearchParams(fields).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
      origin: 'null',
      'sec-fetch-site': 'same-origin',
      ...headers,
    })
  const get = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const { status, headers: got, body } = await rawGet(web.origin, path, headers)
    return { status, headers: got, text: body.toString() }
  }
  return { ...web, get, post, submit, asked, looks: () => looks }
}

test('the page says who invites, to what, and until when, in two languages', async (t) => {
  const { get } = await stage(t)
  const english = await get('/invite/secret', { 'accept-language': 'en' })
  assert.equal(english.status, 200)
  assert.match(english.text, /<html lang="en">/)
  assert.match(english.text, /romeo invites you to chat/)
  assert.match(english.text, /Come, &lt;gentle&gt; night/)
  assert.match(english.text, /@montague\.lit/)
  assert.match(english.text, /2 January 2030/)
  const italian = await get('/invite/secret', { 'accept-language': 'it' })
  assert.match(italian.text, /romeo ti invita a chattare/)
  assert.match(italian.text, /2 gennaio 2030/)
  assert.match(italian.text, /href="\/invite\/secret\?lang=en"[^>]*>English</)
  assert.match((await get('/invite/secret?lang=en', { 'accept-language': 'it' })).text, /<html lang="en">/)
  assert.match((await get('/invite/secret?lang=xx', { 'accept-language': 'it' })).text, /<html lang="it">/)
})

test('nothing on the way learns or keeps the link, and nothing inline runs', async (t) => {
  const { get } = await stage(t)
  for (const path of ['/invite/secret', '/invite/other']) {
    const { headers, text } = await get(path)
    assert.equal(headers['referrer-policy'], 'no-referrer')
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers['x-robots-tag'], 'noindex, nofollow')
    assert.match(
      String(headers['content-security-policy']),
      /^default-src 'none'; script-src 'self'; style-src 'self';/,
    )
    assert.doesNotMatch(text, /<script(?![^>]*\bsrc=)|<style|style="|onclick|\{\w+\}|undefined/)
  }
  const { headers } = await get('/invite/invite.js')
  assert.match(String(headers['content-type']), /javascript/)
})

test('each device gets the apps for it', async (t) => {
  const { get } = await stage(t)
  const seen = async (agent: string) => (await get('/invite/secret', { 'user-agent': agent })).text
  const android = await seen(AGENTS.android)
  assert.match(android, /f-droid\.org\/packages\/eu\.siacs\.conversations/)
  assert.match(android, /play\.google\.com/)
  assert.match(android, /href="xmpp:romeo@montague\.lit\?roster;preauth=secret;ibr=y"/)
  assert.match(await seen(AGENTS.ios), /Monal[\s\S]*Siskin/)
  assert.match(await seen(AGENTS.macos), /Monal[\s\S]*Beagle/)
  assert.match(await seen(AGENTS.windows), /Gajim/)
  assert.match(await seen(AGENTS.linux), /Dino[\s\S]*Gajim/)
  assert.match(await seen('curl'), /Conversations \(Android\)[\s\S]*Gajim \(Linux\)/)
})

test('on a computer there is a QR code for the phone, unless nobody else could open it', async (t) => {
  const desktop = { 'user-agent': AGENTS.linux }
  const { get } = await stage(t)
  assert.match((await get('/invite/secret', desktop)).text, /<svg [^>]*viewBox=/)
  assert.doesNotMatch((await get('/invite/secret', { 'user-agent': AGENTS.ios })).text, /<svg/)
  for (const url of [undefined, 'http://localhost:5280/invite/secret']) {
    const trial = await stage(t, { view: { url } })
    assert.doesNotMatch((await trial.get('/invite/secret', desktop)).text, /<svg/)
  }
})

test('one for contacts only has no form, and a name that is kept cannot be changed', async (t) => {
  const contact = await stage(t, { view: { accounts: false } })
  const { text } = await contact.get('/invite/secret')
  assert.doesNotMatch(text, /<form/)
  assert.match(text, /href="xmpp:/)
  assert.equal((await contact.submit({ username: 'juliet', password: 'what is in a name' })).status, 404)
  const named = await stage(t, { view: { name: 'juliet' } })
  assert.match((await named.get('/invite/secret')).text, /value="juliet"\s+readonly/)
})

test('all that cannot be used is answered alike, and not without end', async (t) => {
  const { get, looks } = await stage(t)
  const first = await get('/invite/other')
  assert.equal(first.status, 404)
  assert.match(first.text, /This invitation cannot be used/)
  const strange = await get('/invite/%3Cscript%3E')
  assert.equal(strange.text.replaceAll('%3Cscript%3E', 'other'), first.text)
  for (let n = 2; n < 60; n++) assert.equal((await get(`/invite/other${n}`)).status, 404)
  const looked = looks()
  assert.equal((await get('/invite/other')).status, 429)
  assert.equal(looks(), looked, 'and nothing is looked up any more')
  assert.equal((await get('/invite/invite.css')).status, 200)
})

test('the script makes an account: 201, and the login for the chat', async (t) => {
  const { post, asked } = await stage(t)
  assert.deepEqual(await post(WISH), { status: 201, body: LOGIN })
  assert.deepEqual(asked, [{ link: 'secret', ...WISH }])
  for (const body of [null, [], 7, { ...WISH, name: 7 }, { ...WISH, password: '' }]) {
    assert.equal((await post(body)).status, 400)
  }
  for (const [problem, status] of [
    ['link', 403],
    ['exists', 409],
    ['name', 422],
    ['password', 422],
    ['short', 422],
  ] as const) {
    const refusing = await stage(t, { create: () => Promise.resolve(problem) })
    assert.deepEqual(await refusing.post(WISH), { status, body: { problem } })
  }
})

test('the form alone makes an account, and says what is wrong at the right place', async (t) => {
  const { submit, asked } = await stage(t)
  const made = await submit({ username: ' juliet ', password: 'what is in a name' })
  assert.equal(made.status, 201)
  assert.match(made.text, /juliet@montague\.lit[\s\S]*href="\/chat\/"/)
  assert.deepEqual(asked, [
    { link: 'secret', name: 'juliet', password: 'what is in a name', agent: undefined, device: undefined },
  ])
  for (const [problem, status, text] of [
    ['exists', 409, /id="name-error"[^>]*>This name is taken/],
    ['name', 422, /id="name-error"[^>]*>This cannot be a name/],
    ['short', 422, /id="password-error"[^>]*>Please use at least/],
    ['password', 422, /id="password-error"[^>]*>This password has/],
    ['link', 404, /This invitation cannot be used/],
  ] as const) {
    const refusing = await stage(t, { create: () => Promise.resolve(problem) })
    const again = await refusing.submit({ username: '<juliet>', password: 'secret word' })
    assert.equal(again.status, status)
    assert.match(again.text, text)
    assert.doesNotMatch(again.text, /secret word|<juliet>/)
  }
})

test('other pages cannot make accounts with a link that they know', async (t) => {
  const { post, submit, asked } = await stage(t)
  const refused = { status: 403, body: { problem: 'origin' } }
  assert.deepEqual(await post(WISH, { origin: 'https://evil.example' }), refused)
  assert.deepEqual(await post(WISH, { origin: 'null' }), refused)
  assert.deepEqual(await post(WISH, { 'sec-fetch-site': 'cross-site' }), refused)
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' },
  ]) {
    assert.equal((await submit({ username: 'a', password: 'what is in a name' }, headers)).status, 403)
  }
  assert.deepEqual(asked, [])
})

test('no password is taken where others could read along, nor too many of them', async (t) => {
  const far = await stage(t, {}, { trust: { isProxy: () => false, isLocal: () => false } })
  assert.deepEqual(await far.post(WISH), { status: 403, body: { problem: 'insecure' } })
  const form = await far.submit({ username: 'juliet', password: 'what is in a name' })
  assert.equal(form.status, 403)
  assert.match(form.text, /Open the link with https/)
  assert.deepEqual(far.asked, [])
  const near = await stage(t, { create: () => Promise.resolve('short') })
  for (let n = 0; n < 60; n++) assert.equal((await near.post(WISH)).status, 422)
  assert.deepEqual(await near.post(WISH), { status: 429, body: { problem: 'often' } })
  assert.equal((await near.submit({ username: 'a', password: 'b' })).status, 429)
})

test('both languages say everything', async () => {
  const keys = async (language: string) =>
    Object.keys(JSON.parse(await readFile(new URL(`pages/invite.${language}.json`, import.meta.url), 'utf8')))
  assert.deepEqual(await keys('it'), await keys('en'))
})
