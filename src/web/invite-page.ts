// SPDX-License-Identifier: Apache-2.0
// The page behind an invitation, `/invite/TOKEN`. Looking at it uses nothing up, so whoever makes a preview of the link does no
// harm. It tells nobody its own address, is kept nowhere, and answers alike for all that cannot be used.
import type { Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { html } from 'hono/html'
import type { InvitationView, Invited } from '../ops/invited.ts'
import type { NewcomerRequest } from '../ops/newcomer.ts'
import { qrSvg } from '../ops/qr.ts'
import { INVITE_PREFIX } from '../xmpp/0401-invitation.ts'
import { isHandheld, platformOf } from './apps.ts'
import type { Peer } from './exchange.ts'
import { Page } from './files.ts'
import { fromOurPage, isJson, LANGUAGES, languageOf, MAX_BODY, RequestCounter, textsOf } from './form-guard.ts'
import { closedHtml, type InviteScene, inviteHtml, type Mistake, madeHtml, oftenHtml } from './invite-html.ts'
import { STATUS } from './start-page.ts'

/** What the page needs. */
export interface InviteParts {
  readonly invited: Pick<Invited, 'look' | 'create'>
  readonly peerOf: (context: Context) => Peer
}

const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Robots-Tag': 'noindex, nofollow',
}
const OWN = ['invite.js', 'invite.css'] as const

/** Adds `/invite/` and everything below. */
export function addInvite(app: Hono, { invited, peerOf }: InviteParts): void {
  const requests = new RequestCounter()
  const files = new Map<string, Page>(OWN.map((name) => [name, new Page(new URL(`pages/${name}`, import.meta.url))]))
  app.use(`${INVITE_PREFIX}*`, async (context, next) => {
    await next()
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value)
  })
  app.get(`${INVITE_PREFIX}:token`, async (context) => {
    const token = context.req.param('token')
    const file = files.get(token)
    if (file) return file.answer(context.req.raw)
    const { address } = peerOf(context)
    const scene = sceneOf(context, token)
    if (requests.full(address)) return say(context, oftenHtml(scene), 429)
    const view = await invited.look(token)
    if (view) return say(context, inviteHtml(view, scene, await pictureFor(view, scene)), 200)
    requests.add(address)
    return say(context, closedHtml(scene), 404)
  })
  app.post(`${INVITE_PREFIX}:token`, bodyLimit({ maxSize: MAX_BODY }), async (context) => {
    const token = context.req.param('token')
    const peer = peerOf(context)
    const refused = !fromOurPage(context, peer.authority)
      ? ({ problem: 'origin', status: 403 } as const)
      : !peer.safe
        ? ({ problem: 'insecure', status: 403 } as const)
        : requests.add(peer.address)
          ? ({ problem: 'often', status: 429 } as const)
          : undefined
    if (isJson(context)) {
      return refused ? context.json({ problem: refused.problem }, refused.status) : byScript(context, token, invited)
    }
    if (refused?.problem === 'origin') return context.text('Forbidden\n', 403)
    if (refused?.problem === 'often') return say(context, oftenHtml(sceneOf(context, token)), 429)
    return byForm(context, token, invited, refused?.problem)
  })
}

/** The script of the page asks, and wants to be logged in. */
async function byScript(context: Context, link: string, invited: InviteParts['invited']): Promise<Response> {
  const { name, password, agent, device } = await textsOf(context, ['name', 'password', 'agent', 'device'])
  if (name === undefined || password === undefined || agent === undefined) {
    return context.json({ problem: 'request' }, 400)
  }
  const request: NewcomerRequest = { link, name, password, agent, device: device?.slice(0, 100) }
  const made = await invited.create(request)
  return typeof made === 'string' ? context.json({ problem: made }, STATUS[made]) : context.json(made, 201)
}

/** The form itself is sent, where there is no JavaScript. */
async function byForm(
  context: Context,
  link: string,
  invited: InviteParts['invited'],
  refused: 'insecure' | undefined,
): Promise<Response> {
  const scene = sceneOf(context, link)
  const view = await invited.look(link)
  if (!view?.accounts) return say(context, closedHtml(scene), 404)
  const { username, password } = await context.req.parseBody().catch((): Record<string, unknown> => ({}))
  const name = typeof username === 'string' ? username.trim() : ''
  const again = async (problem: Mistake['problem'], status: 403 | 409 | 422) =>
    say(context, inviteHtml(view, scene, await pictureFor(view, scene), { problem, name }), status)
  if (refused) return again(refused, 403)
  const secret = typeof password === 'string' ? password : ''
  const made = await invited.create({ link, name, password: secret, agent: undefined, device: undefined })
  if (made === 'link') return say(context, closedHtml(scene), 404)
  return typeof made === 'string'
    ? again(made, made === 'exists' ? 409 : 422)
    : say(context, madeHtml(made.jid, scene), 201)
}

function sceneOf(context: Context, token: string): InviteScene {
  const asked = context.req.query('lang')
  const language = LANGUAGES.find((one) => one === asked) ?? languageOf(context.req.header('accept-language'))
  const platform = platformOf(context.req.header('user-agent'))
  return { language, platform, path: `${INVITE_PREFIX}${encodeURIComponent(token)}` }
}

/** On a computer, a picture for the phone, unless the page can be seen on this machine only. */
async function pictureFor({ url }: InvitationView, { platform }: InviteScene): Promise<string | undefined> {
  if (url === undefined || isHandheld(platform) || URL.parse(url)?.hostname === 'localhost') return undefined
  return qrSvg(url)
}

async function say(
  context: Context,
  page: ReturnType<typeof html>,
  status: 200 | 201 | 403 | 404 | 409 | 422 | 429,
): Promise<Response> {
  context.header('Vary', 'Accept-Language, User-Agent')
  return context.html(await page, status)
}
