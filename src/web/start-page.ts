// SPDX-License-Identifier: Apache-2.0
// The page for the first account. The secret of the link stands behind the `#`, so that it is in no log and no `Referer`.
import { readFileSync } from 'node:fs'
import type { Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { FirstAccount } from '../ops/first-account.ts'
import type { NewcomerProblem, NewcomerRequest } from '../ops/newcomer.ts'
import type { Peer } from './exchange.ts'
import { escapeHtml, Page } from './files.ts'
import {
  fromOurPage,
  isJson,
  LANGUAGES,
  type Language,
  languageOf,
  MAX_BODY,
  RequestCounter,
  textsOf,
} from './form-guard.ts'

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

/** How each problem of somebody who makes an account is answered. */
export const STATUS: Readonly<Record<NewcomerProblem, 403 | 409 | 422>> = {
  link: 403,
  exists: 409,
  name: 422,
  password: 422,
  short: 422,
}

/** Adds `/start` and what belongs to it, and `/`, which leads there or to the chat. */
export function addStart(app: Hono, { firstAccount, peerOf }: StartParts): void {
  const pages = new Map(LANGUAGES.map((language) => [language, startHtml(language, firstAccount.host)]))
  const own = new Map(['start.js', 'account-form.js', 'start.css'].map((name) => [name, page(name)]))
  const requests = new RequestCounter()
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
    if (!isJson(context) || !fromOurPage(context, peerOf(context).authority))
      return context.json({ problem: 'origin' }, 403)
    if (!peerOf(context).safe) return context.json({ problem: 'insecure' }, 403)
    if (requests.add(peerOf(context).address)) return context.json({ problem: 'often' }, 429)
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
    const request: NewcomerRequest = { link, name, password, agent, device: device?.slice(0, 100) }
    const made = await firstAccount.create(request)
    return typeof made === 'string' ? context.json({ problem: made }, STATUS[made]) : context.json(made, 201)
  })
}

function startHtml(language: Language, host: string): Page {
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
