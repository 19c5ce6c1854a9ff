// SPDX-License-Identifier: Apache-2.0
// The page for the first account. The secret of the link stands behind the `#`, so that it is in no log and no `Referer`.
import { readFileSync } from 'node:fs'
import type { Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { networkOf } from '../accounts/throttle.ts'
import type { FirstAccount, FirstAccountProblem, FirstAccountRequest } from '../ops/first-account.ts'
import type { Peer } from './exchange.ts'
import { escapeHtml, Page } from './files.ts'

/** What the page needs. */
export interface StartParts {
  readonly firstAccount: Pick<FirstAccount, 'host' | 'open' | 'usable' | 'create'>
  readonly peerOf: (context: Context) => Peer
}

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const LANGUAGES = ['en', 'it'] as const
const STATUS: Readonly<Record<FirstAccountProblem, 403 | 409 | 422>> = {
  link: 403,
  exists: 409,
  name: 422,
  password: 422,
  short: 422,
}
/** Bytes of a request; names and passwords have at most 1 KiB each, and what JSON adds. */
const MAX_BODY = 8192
/** Requests of one network in `WINDOW`. */
const MAX_REQUESTS = 60
const WINDOW = 10 * 60_000
/** Networks that are counted; with more of them at once nobody is let in for a while. */
const MAX_NETWORKS = 1000

/** Adds `/start` and what belongs to it, and `/`, which leads there or to the chat. */
export function addStart(app: Hono, { firstAccount, peerOf }: StartParts): void {
  const pages = new Map(LANGUAGES.map((language) => [language, startHtml(language, firstAccount.host)]))
  const own = new Map(['start.js', 'start.css'].map((name) => [name, page(name)]))
  const tooMany = requestCounter()
  app.get('/', async (context) => context.redirect((await firstAccount.open()) ? '/start' : '/chat/'))
  app.use('/start/*', async (context, next) => {
    await next()
    context.header('Content-Security-Policy', POLICY)
  })
  app.get('/start', async (context) => {
    const answer = await pages.get(languageOf(context.req.header('accept-language')))?.answer(context.req.raw)
    answer?.headers.append('Vary', 'Accept-Language')
    return answer ?? context.notFound()
  })
  app.get(
    '/start/:file',
    (context) => own.get(context.req.param('file'))?.answer(context.req.raw) ?? context.notFound(),
  )
  app.post('/start/*', bodyLimit({ maxSize: MAX_BODY }), async (context, next) => {
    if (!fromOurPage(context, peerOf(context).authority)) return context.json({ problem: 'origin' }, 403)
    if (!peerOf(context).safe) return context.json({ problem: 'insecure' }, 403)
    if (tooMany(peerOf(context).address)) return context.json({ problem: 'often' }, 429)
    return next()
  })
  app.post('/start/check', async (context) => {
    const { link } = await textsOf(context, ['link'])
    return context.json({ usable: link !== undefined && (await firstAccount.usable(link)) })
  })
  app.post('/start/account', async (context) => {
    const { link, name, password, agent, device } = await textsOf(context, [
      'link',
      'name',
      'password',
      'agent',
      'device',
    ])
    if (link === undefined || name === undefined || password === undefined || agent === undefined)
      return context.json({ problem: 'request' }, 400)
    const request: FirstAccountRequest = { link, name, password, agent, device: device?.slice(0, 100) }
    const made = await firstAccount.create(request)
    return typeof made === 'string' ? context.json({ problem: made }, STATUS[made]) : context.json(made, 201)
  })
}

/** A browser says where a request comes from; no other page may make it, and none of JSON without our leave anyhow. */
function fromOurPage(context: Context, host: string | undefined): boolean {
  const site = context.req.header('sec-fetch-site')
  const origin = context.req.header('origin')
  const json = /^application\/json\s*(?:;|$)/i.test(context.req.header('content-type') ?? '')
  if (!json || (site !== undefined && site !== 'same-origin')) return false
  return origin === undefined || URL.parse(origin)?.host === host
}

/** The members of a JSON object that are texts. */
async function textsOf<K extends string>(context: Context, names: readonly K[]): Promise<Partial<Record<K, string>>> {
  let body: unknown
  try {
    body = JSON.parse(await context.req.text())
  } catch {
    return {} // then everything is missing, and that is answered
  }
  const all = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {}
  const found: Partial<Record<K, string>> = {}
  for (const name of names) {
    const value = Object.hasOwn(all, name) ? all[name] : undefined
    if (typeof value === 'string' && value !== '') found[name] = value
  }
  return found
}

/** Counts requests per network, in windows of fixed length. */
function requestCounter(): (address: string) => boolean {
  let began = 0
  const counts = new Map<string, number>()
  return (address) => {
    const now = performance.now()
    if (now - began > WINDOW) {
      counts.clear()
      began = now
    }
    const network = networkOf(address)
    const count = (counts.get(network) ?? 0) + 1
    if (count === 1 && counts.size >= MAX_NETWORKS) return true
    counts.set(network, count)
    return count > MAX_REQUESTS
  }
}

function startHtml(language: (typeof LANGUAGES)[number], host: string): Page {
  return page('start.html', (html) => {
    const file = new URL(`pages/start.${language}.json`, import.meta.url)
    const texts = { ...(JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, string>>), host, language }
    const values: Readonly<Record<string, string>> = { ...texts, texts: JSON.stringify(texts) }
    return html.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => escapeHtml(values[name] ?? ''))
  })
}

function page(name: string, fill?: (text: string) => string): Page {
  return new Page(new URL(`pages/${name}`, import.meta.url), fill)
}

/** The best of ours, as the browser weighs them (RFC 9110 §12.5.4). */
function languageOf(accepted = ''): (typeof LANGUAGES)[number] {
  const wanted = accepted
    .split(',')
    .map((one, index) => {
      const [tag = '', weight] = one
        .trim()
        .toLowerCase()
        .split(/\s*;\s*q=/)
      return { language: tag.split('-')[0], weight: weight === undefined ? 1 : Number(weight) || 0, index }
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || a.index - b.index)
  for (const { language } of wanted) for (const ours of LANGUAGES) if (ours === language) return ours
  return 'en'
}
