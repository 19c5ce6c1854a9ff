// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { assertLike } from '../../test/support/match.ts'
import { slotIn, slotKey } from '../xmpp/upload-path.ts'

const NS = 'urn:xmpp:http:upload:0'
const PURPOSE = 'urn:xmpp:http:upload:purpose:0'
const STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const SERVICE = 'upload.localhost'
const DAY = 86_400_000
const RULES = { maxBytes: 1000, bytesPerAccount: 3000, bytesPerDay: 2000, filesPerAccount: 4, retention: 30 * DAY }

async function stage(rules: Partial<typeof RULES> = {}, publicUrl: unknown = (host: string) => `https://${host}:5443`) {
  const clock = new FakeClock()
  return { clock, ...(await theatre({ clock, options: { uploads: { ...RULES, ...rules }, publicUrl } })) }
}

function request(filename: string, size: number | string, more = ''): string {
  return `<request xmlns='${NS}' filename='${filename}' size='${size}'${more.startsWith('<') ? `>${more}</request>` : `${more}/>`}`
}

/** Asks for a place, gets it, and gives its address. */
async function slot(actor: Actor, filename: string, size: number, more = ''): Promise<string> {
  const answer = await actor.gets(request(filename, size, more), SERVICE)
  assertLike(answer, `<iq type='result' from='${SERVICE}'><slot xmlns='${NS}'><put/><get/></slot></iq>`)
  const [put, get] = ['put', 'get'].map((name) => answer.child('slot', NS)?.child(name)?.attrs.url)
  assert.equal(put, get)
  return put ?? ''
}

function error(type: string, condition: string, more = ''): string {
  return `<iq type='error'><error type='${type}'><${condition} xmlns='${STANZAS}'/>${more}</error></iq>`
}

test('the service is found, and says how large a file may be', async () => {
  const juliet = await (await stage()).enter('juliet')
  const items = await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#items'/>`, 'localhost')
  assertLike(items, `<iq><query xmlns='http://jabber.org/protocol/disco#items'><item jid='${SERVICE}'/></query></iq>`)
  assertLike(
    await juliet.gets(`<query xmlns='http://jabber.org/protocol/disco#info'/>`, SERVICE),
    `<iq type='result'><query xmlns='http://jabber.org/protocol/disco#info'>
      <identity category='store' type='file'/><feature var='${NS}'/><feature var='${PURPOSE}#ephemeral'/>
      <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>${NS}</value></field>
        <field var='max-file-size'><value>1000</value></field></x></query></iq>`,
  )
})

test('a user gets a place whose address nobody can guess, and that is not kept', async () => {
  const { enter, store, clock } = await stage()
  const juliet = await enter('juliet')
  const url = await slot(juliet, 'tr&#232;s cool.jpg', 1000, ` content-type='Image/JPEG; q=1'`)
  assert.match(url, /^https:\/\/localhost:5443\/upload\/[\w-]{32}\/tr%C3%A8s%20cool\.jpg$/)
  const found = await store.uploads.find(slotKey(slotIn(url) ?? ''), clock.now())
  assert.deepEqual(
    [found?.owner.key, found?.name, found?.type, found?.size, found?.stored],
    ['juliet@localhost', 'très cool.jpg', 'image/jpeg', 1000, false],
  )
  assert.equal(await store.uploads.find(slotIn(url) ?? '', clock.now()), undefined)
  assert.notEqual(await slot(juliet, 'a', 1), await slot(juliet, 'a', 1))
})

test('names never lead anywhere, nor look like others', async () => {
  const juliet = await (await stage({ filesPerAccount: 99 })).enter('juliet')
  const ending = async (name: string) => (await slot(juliet, name, 1)).split('/').at(-1)
  assert.equal(await ending('../../etc/passwd'), 'passwd')
  assert.equal(await ending('C:\\boot.ini'), 'boot.ini')
  for (const name of ['..', '.', '/', '', ' ', 'a/..']) assert.equal(await ending(name), 'file')
  assert.equal(await ending('photo&#x202e;gpj.exe'), 'photogpj.exe')
  assert.equal(await ending('a&amp;b?c#d%2f;e(1)&apos;.txt'), 'a%26b%3Fc%23d%252f%3Be%281%29%27.txt')
  assertLike(await juliet.gets(request('x'.repeat(256), 1), SERVICE), error('modify', 'bad-request'))
})

test('what is no request is refused', async () => {
  const juliet = await (await stage()).enter('juliet')
  for (const size of ['0', '-1', '1e2', '', 'many', '99999999999999999']) {
    assertLike(await juliet.gets(request('a', size), SERVICE), error('modify', 'bad-request'))
  }
  for (const payload of [`<request xmlns='${NS}' size='1'/>`, request('a', 1, ` content-type='image'`)]) {
    assertLike(await juliet.gets(payload, SERVICE), error('modify', 'bad-request'))
  }
})

test('a file that is too large is refused with the limit', async () => {
  const juliet = await (await stage()).enter('juliet')
  assertLike(
    await juliet.gets(request('a', 1001), SERVICE),
    error(
      'modify',
      'not-acceptable',
      `<file-too-large xmlns='${NS}'><max-file-size>1000</max-file-size></file-too-large>`,
    ),
  )
})

test('who has uploaded enough for a day is told when to try again', async () => {
  const { enter, clock } = await stage()
  await slot(await enter('juliet'), 'a', 900)
  clock.advance(3_600_000)
  const juliet = await enter('juliet', 'an hour later')
  await slot(juliet, 'b', 900)
  const retry = (stamp: string) => error('wait', 'resource-constraint', `<retry xmlns='${NS}' stamp='${stamp}'/>`)
  assertLike(await juliet.gets(request('c', 300), SERVICE), retry('2026-01-02T00:00:00Z'))
  assertLike(await juliet.gets(request('c', 1000), SERVICE), retry('2026-01-02T00:00:00Z'))
  await slot(juliet, 'c', 200)
  assertLike(await juliet.gets(request('c', 1000), SERVICE), retry('2026-01-02T01:00:00Z'))
  clock.advance(23 * 3_600_000)
  await slot(await enter('juliet', 'tomorrow'), 'c', 300)
  const romeo = await enter('romeo')
  await slot(romeo, 'a', 1000)
})

test('who has as much as fits, or as many, is told when the first will be gone', async () => {
  const { enter, clock, store } = await stage({ bytesPerDay: 10_000 })
  const juliet = await enter('juliet')
  for (const [name, size] of [
    ['a', 1000],
    ['b', 1000],
    ['c', 900],
  ] as const) {
    await store.uploads.keep(slotKey(slotIn(await slot(juliet, name, size)) ?? ''))
    clock.advance(1000)
  }
  const retry = (stamp: string) => error('wait', 'resource-constraint', `<retry xmlns='${NS}' stamp='${stamp}'/>`)
  assertLike(await juliet.gets(request('d', 101), SERVICE), retry('2026-01-31T00:00:00Z'))
  await slot(juliet, 'd', 1)
  assertLike(await juliet.gets(request('e', 1), SERVICE), error('wait', 'resource-constraint'))
  clock.advance(600_000)
  await store.uploads.expire(clock.now())
  await slot(await enter('juliet', 'later'), 'e', 1)
})

test('a file may be for a short time only', async () => {
  const { enter, clock, store } = await stage()
  const juliet = await enter('juliet')
  const until = (stamp: string) => `<ephemeral xmlns='${PURPOSE}' expire-before='${stamp}'/>`
  const key = slotKey(slotIn(await slot(juliet, 'a', 1, until('2026-01-01T01:00:00Z'))) ?? '')
  await store.uploads.keep(key)
  assert.ok(await store.uploads.find(key, clock.now() + 3_599_999))
  assert.equal(await store.uploads.find(key, clock.now() + 3_600_000), undefined)
  for (const stamp of ['2025-12-31T23:59:59Z', 'tomorrow']) {
    assertLike(await juliet.gets(request('a', 1, until(stamp)), SERVICE), error('modify', 'bad-request'))
  }
})

test('where uploads are turned off, or nobody could reach them, none are promised', async () => {
  const off = await (await stage({ maxBytes: 0 })).enter('juliet')
  assertLike(await off.gets(request('a', 1), SERVICE), error('cancel', 'not-allowed'))
  const nowhere = await (await stage({}, null)).enter('juliet')
  assertLike(await nowhere.gets(request('a', 1), SERVICE), error('cancel', 'not-allowed'))
})
