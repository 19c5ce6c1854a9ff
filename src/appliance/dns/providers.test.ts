// SPDX-License-Identifier: Apache-2.0
// The interfaces of providers, played by small servers that keep records as these do.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fetch } from './api.ts'
import { cloudflare } from './cloudflare.ts'
import { desec } from './desec.ts'
import { hetzner } from './hetzner.ts'
import type { DnsProvider, Rrset } from './record.ts'

const ZONE = 'example.org'
const RRSETS: readonly Rrset[] = [
  { name: ZONE, type: 'A', ttl: 3600, values: ['192.0.2.1', '192.0.2.2'] },
  { name: '_xmpps-client._tcp.example.org', type: 'SRV', ttl: 3600, values: ['0 5 443 example.org.'] },
  { name: ZONE, type: 'CAA', ttl: 3600, values: ['0 issue "letsencrypt.org; accounturi=https://ca.example/1"'] },
  { name: 'rooms.example.org', type: 'CNAME', ttl: 3600, values: ['example.org.'] },
  { name: '_5269._tcp.example.org', type: 'TLSA', ttl: 3600, values: [`3 1 1 ${'ab'.repeat(32)}`] },
  { name: '_acme-challenge.example.org', type: 'TXT', ttl: 3600, values: ['a "b" c'] },
]

interface Asked<Body> {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Body
}

/** @param answer to requests whose bodies are what this provider takes */
function serving<Body>(scheme: string, answer: (asked: Asked<Body>) => unknown): Fetch {
  return async (text, init) => {
    const url = new URL(text)
    assert.equal(new Headers(init.headers).get('authorization'), `${scheme} secret`)
    const body = typeof init.body === 'string' ? JSON.parse(init.body) : undefined
    const found = answer({ method: init.method ?? 'GET', path: url.pathname, query: url.searchParams, body })
    return found === undefined ? new Response('', { status: 404 }) : Response.json(found)
  }
}

function desecServer(): Fetch {
  interface RecordSet {
    subname: string
    type: string
    ttl: number
    records: string[]
  }
  const sets = new Map<string, RecordSet>()
  return serving<readonly RecordSet[]>('Token', ({ method, path, query, body }) => {
    if (path !== `/api/v1/domains/${ZONE}/rrsets/`) return undefined
    if (method === 'GET') return [...sets.values()].filter(({ subname }) => subname === query.get('subname'))
    for (const one of body) {
      if (one.records.length === 0) sets.delete(`${one.subname} ${one.type}`)
      else sets.set(`${one.subname} ${one.type}`, one)
    }
    return body
  })
}

function hetznerServer(): Fetch {
  interface RecordSet {
    name: string
    type: string
    ttl: number
    records: { value: string }[]
  }
  const sets = new Map<string, RecordSet>()
  return serving<RecordSet>('Bearer', ({ method, path, query, body }) => {
    const [, name = '', type = '', action] =
      new RegExp(`^/v1/zones/${ZONE}/rrsets(?:/([^/]+)/([^/]+))?(?:/actions/(.*))?$`).exec(path) ?? []
    if (!path.startsWith(`/v1/zones/${ZONE}/`)) return undefined
    const key = `${decodeURIComponent(name)} ${type}`
    if (name === '' && method === 'GET') {
      return { rrsets: [...sets.values()].filter((one) => one.name === query.get('name')) }
    }
    if (name === '') {
      assert.ok(!sets.has(`${body.name} ${body.type}`), 'it refuses to make what exists')
      sets.set(`${body.name} ${body.type}`, body)
      return { rrset: body, action: {} }
    }
    const one = sets.get(key)
    if (!one) return undefined
    if (method === 'DELETE') sets.delete(key)
    if (action === 'set_records') one.records = body.records
    if (action === 'change_ttl') one.ttl = body.ttl
    return { rrset: one }
  })
}

function cloudflareServer(): Fetch {
  interface One {
    id: string
    name: string
    type: string
    content?: string
  }
  const all = new Map<string, One>()
  let count = 0
  return serving<One>('Bearer', ({ method, path, query, body }) => {
    if (path === '/client/v4/zones') return { result: query.get('name') === ZONE ? [{ id: 'z1' }] : [] }
    const [, id] = /^\/client\/v4\/zones\/z1\/dns_records(?:\/(.+))?$/.exec(path) ?? []
    if (method === 'GET') {
      const type = query.get('type')
      return {
        result: [...all.values()].filter((one) => one.name === query.get('name') && (!type || one.type === type)),
      }
    }
    const key = id ?? `r${++count}`
    if (method === 'DELETE') all.delete(key)
    else all.set(key, { content: '', ...body, id: key })
    return { result: {} }
  })
}

const PROVIDERS: readonly (readonly [string, () => DnsProvider])[] = [
  ['deSEC', () => desec({ fetch: desecServer(), token: 'secret' })],
  ['Hetzner', () => hetzner({ fetch: hetznerServer(), token: 'secret' })],
  ['Cloudflare', () => cloudflare({ fetch: cloudflareServer(), token: 'secret' })],
]

for (const [name, make] of PROVIDERS) {
  test(`${name} keeps, replaces and removes records of every type`, async () => {
    const dns = make()
    for (const rrset of RRSETS) await dns.set(ZONE, rrset)
    const names = [...new Set(RRSETS.map((one) => one.name))]
    const sorted = (list: readonly Rrset[]) => [...list].sort((a, b) => (a.name + a.type < b.name + b.type ? -1 : 1))
    assert.deepEqual(sorted(await dns.list(ZONE, names)), sorted(RRSETS))
    const newer: Rrset = { name: ZONE, type: 'A', ttl: 3600, values: ['192.0.2.2', '192.0.2.9'] }
    await dns.set(ZONE, newer)
    await dns.set(ZONE, newer)
    await dns.remove(ZONE, { name: ZONE, type: 'CAA' })
    await dns.remove(ZONE, { name: 'nothing.example.org', type: 'A' })
    const [left, ...more] = await dns.list(ZONE, [ZONE])
    assert.deepEqual([{ ...left, values: [...(left?.values ?? [])].sort() }, more], [newer, []])
  })

  test(`${name}: a zone of others is named`, async () => {
    const set = make().set('example.net', { name: 'example.net', type: 'A', ttl: 3600, values: ['192.0.2.1'] })
    await assert.rejects(set, /example\.net for this token/)
  })
}

test('a provider that asks for patience gets it, and one that refuses is quoted without the token', async () => {
  const answers = [
    new Response('slow down', { status: 429, headers: { 'retry-after': '7' } }),
    new Response('{"detail":"Invalid token."}', { status: 401 }),
  ]
  const waited: number[] = []
  const wait = async (ms: number): Promise<void> => void waited.push(ms)
  const dns = desec({ fetch: async () => answers.shift() ?? Response.error(), token: 'secret', wait })
  await assert.rejects(dns.list(ZONE, [ZONE]), ({ message }: Error) => {
    assert.match(message, /deSEC refused \(401\): .*Invalid token/)
    return !message.includes('secret')
  })
  assert.deepEqual(waited, [7000])
})

test('a token that cannot be sent is not shown either', async () => {
  const refuses: Fetch = async (url, init) => new Response(new Request(url, init).url)
  const list = async () => desec({ fetch: refuses, token: 'sec\nret' }).list(ZONE, [ZONE])
  await assert.rejects(list, ({ message }: Error) => {
    assert.match(message, /token/)
    return !message.includes('ret')
  })
})

test('a provider that never stops talking is not listened to, nor one that leads elsewhere', async () => {
  let sent = 0
  const flood = async (_: string, init: RequestInit): Promise<Response> => {
    assert.equal(init.redirect, 'error')
    return new Response(
      new ReadableStream({
        pull: (controller) =>
          ++sent > 1000 ? controller.close() : controller.enqueue(new Uint8Array(65_536).fill(32)),
      }),
    )
  }
  await assert.rejects(desec({ fetch: flood, token: 'secret' }).list(ZONE, [ZONE]), /deSEC .*too much/)
  assert.ok(sent < 1000)
})

test('what a provider says is shown without what would command a terminal', async () => {
  const rude = async (): Promise<Response> => new Response('no\u001b]0;owned\u0007\u009b2J', { status: 403 })
  await assert.rejects(desec({ fetch: rude, token: 'secret' }).list(ZONE, [ZONE]), ({ message }: Error) => {
    return /refused \(403\): no/.test(message) && !/\p{Cc}/u.test(message)
  })
})
