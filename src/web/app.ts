// SPDX-License-Identifier: Apache-2.0
// What the public HTTP server answers with Hono. Loaded with the first request (`server.ts` says why).
import type { RequestListener } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Log } from '../log.ts'
import { addChat } from './chat.ts'
import { type Peer, peerOf, type Trust } from './exchange.ts'
import { addHostMeta } from './host-meta.ts'
import { addInvite, type InviteParts } from './invite-page.ts'
import { addStart, type StartParts } from './start-page.ts'

/** Bytes of a body; what may be larger has a raw route. */
const BODY_BYTES = 65_536

/** What the answers are made of. */
export interface AppParts {
  readonly trust: Trust
  readonly hosts: ReadonlySet<string>
  /** Where everybody reaches our web server, as `https://chat.example.org`, if the configuration says so. */
  readonly url: string | undefined
  readonly firstAccount: StartParts['firstAccount']
  readonly invited: InviteParts['invited']
  readonly log: Log
}

/** Pages in groups, each in a file of its own: what comes here gets the headers below unless it sets its own. */
const PAGES = [addHostMeta, addChat, addStart, addInvite] as const

/** Everything that is answered, as a listener of Node's HTTP servers. */
export function createApp(parts: AppParts): RequestListener {
  const app = new Hono()
  const peer = (context: Context): Peer => peerOf((context.env as HttpBindings).incoming, parts.trust)
  app.use(secured(peer), bodyLimit({ maxSize: BODY_BYTES }))
  app.onError((error, context) => {
    if ('getResponse' in error) return error.getResponse() // one of Hono's own refusals
    parts.log.error('web page failed', { error })
    return context.text('Internal Server Error', 500)
  })
  for (const add of PAGES) add(app, { ...parts, peerOf: peer })
  return getRequestListener(app.fetch, { overrideGlobalObjects: false })
}

function secured(peer: (context: Context) => Peer) {
  return async (context: Context, next: () => Promise<void>): Promise<void> => {
    const { scheme, authority } = peer(context)
    await next()
    const defaults: Readonly<Record<string, string>> = {
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-store',
    }
    for (const [name, value] of Object.entries(defaults)) {
      if (!context.res.headers.has(name)) context.header(name, value)
    }
    // It holds for every port of the host, so only where the customary one is ours.
    if (scheme === 'https' && authority !== undefined && !/:\d+$/.test(authority)) {
      context.header('Strict-Transport-Security', 'max-age=31536000')
    }
  }
}
