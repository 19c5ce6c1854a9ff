// SPDX-License-Identifier: Apache-2.0
// The web servers: the public one, the one that shows how the server is, and the one for those who come without TLS.
import type { RequestListener } from 'node:http'
import { UPLOAD_PREFIX } from '../xmpp/upload-path.ts'
import type { AppParts } from './app.ts'
import { notCrowded } from './crowd.ts'
import { Doorman, type DoormanParts } from './doorman.ts'
import { type RawRoute, refuseUpgrade, type Upgrade } from './exchange.ts'
import type { MonitorParts } from './monitor.ts'
import { PATHS } from './paths.ts'
import { type RedirectParts, redirectRoutes } from './redirect.ts'
import { pathOf, WebServer } from './server.ts'

/** What both work with. */
export interface WebSites extends DoormanParts, MonitorParts, AppParts, RedirectParts {
  /** Answers all below `/upload/`. */
  readonly uploads?: RequestListener
}

/** All web servers. */
export interface Webs {
  readonly site: WebServer
  readonly monitor: WebServer
  /** Sends those who come without TLS to the site. */
  readonly front: WebServer
}

/** Makes all. */
export function createWeb(sites: WebSites): Webs {
  const { trust } = sites
  const doorman = new Doorman(sites)
  const { uploads } = sites
  const files: readonly RawRoute[] = uploads
    ? [
        notCrowded(
          { path: UPLOAD_PREFIX, answer: ({ request, response }) => uploads(request, response) },
          sites.networkOf,
        ),
      ]
    : []
  const routes: readonly RawRoute[] = [...files, boshWith(doorman)]
  const site = new WebServer({
    trust,
    routes,
    upgrade: upgradeWith(doorman),
    app: async () => (await import('./app.ts')).createApp(sites),
  })
  const monitor = new WebServer({ trust, app: async () => (await import('./monitor.ts')).createMonitor(sites) })
  const front = new WebServer({
    trust,
    routes: redirectRoutes(sites),
    app: async () => (_, response) => response.writeHead(404, { Connection: 'close' }).end(), // the target is no path
  })
  return { site, monitor, front }
}

/** BOSH is loaded with the first request for it. */
function boshWith(doorman: Doorman): RawRoute {
  let loaded: Promise<RawRoute> | undefined
  return {
    path: PATHS.bosh,
    answer(exchange) {
      loaded ??= import('./bosh/route.ts').then(({ boshRoute }) => boshRoute(doorman))
      loaded.then(
        (route) => route.answer(exchange),
        () => {
          loaded = undefined // a module could not be read: perhaps it can the next time
          exchange.response.writeHead(503)
          exchange.response.end()
        },
      )
    },
  }
}

/** The WebSocket library is loaded with the first that wants one. */
function upgradeWith(doorman: Doorman): Upgrade {
  let loaded: Promise<Upgrade> | undefined
  return (request, socket, head, peer) => {
    if (pathOf(request.url ?? '') !== PATHS.webSocket) return refuseUpgrade(socket, 404)
    loaded ??= import('./websocket.ts').then(({ webSockets }) => webSockets(doorman))
    loaded.then(
      (upgrade) => upgrade(request, socket, head, peer),
      () => {
        loaded = undefined // a module could not be read: perhaps it can the next time
        refuseUpgrade(socket, 503)
      },
    )
  }
}
