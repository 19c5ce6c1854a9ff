// SPDX-License-Identifier: Apache-2.0
// The ways in for web pages: found through host-meta (XEP-0156), then opened.
import type { ClientPipe } from '../../../net/probes/client-socket.ts'
import { BoshPipe, WebSocketPipe } from '../../../net/probes/web-pipe.ts'
import type { Lab } from '../lab.ts'
import { Missing, needs } from '../missing.ts'

const REL = { websocket: 'urn:xmpp:alt-connections:websocket', bosh: 'urn:xmpp:alt-connections:xbosh' } as const
type Way = keyof typeof REL

/** What host-meta names. */
function linksOf(lab: Lab): Promise<Readonly<Partial<Record<Way, string>>>> {
  return lab.once('host-meta', async () => {
    const origin = `https://${lab.domain}`
    const json = await lab.fetches(`${origin}/.well-known/host-meta.json`)
    const xml = await lab.fetches(`${origin}/.well-known/host-meta`)
    const text = `${json.status === 200 ? json.text : ''}\n${xml.status === 200 ? xml.text : ''}`
    if (text.trim() === '') throw new Missing('the web server has no host-meta')
    const links: Partial<Record<Way, string>> = {}
    for (const way of ['websocket', 'bosh'] as const) {
      const found = linkIn(text, REL[way])
      if (found !== undefined) links[way] = found
    }
    return links
  })
}

/** Works for both forms of host-meta: what matters are two neighbouring values, in either order. */
function linkIn(text: string, rel: string): string | undefined {
  const parts = [...text.matchAll(/<Link\s[^>]*>|\{[^{}]*\}/g)].map(([part]) => part)
  const part = parts.find((one) => one.includes(rel))
  const link = part && /href["']?\s*[=:]\s*["']([^"']+)["']/.exec(part)?.[1]
  return link?.replaceAll('\\/', '/').replaceAll('&amp;', '&')
}

async function linkOf(lab: Lab, way: Way): Promise<string> {
  const link = (await linksOf(lab))[way]
  if (link === undefined) throw new Missing(`host-meta names no ${way === 'bosh' ? 'BOSH' : 'WebSocket'}`)
  return link
}

/** RFC 7395: a login over a WebSocket. */
export async function websocket(lab: Lab): Promise<string> {
  const url = await linkOf(lab, 'websocket')
  return logsIn(lab, await WebSocketPipe.dial(lab.web, url), url)
}

/** XEP-0206: a login over HTTP. */
export async function bosh(lab: Lab): Promise<string> {
  const url = await linkOf(lab, 'bosh')
  return logsIn(lab, new BoshPipe(lab.web, url), url)
}

async function logsIn(lab: Lab, pipe: ClientPipe, url: string): Promise<string> {
  const client = await lab.enter(await lab.opened(pipe))
  await client.settles()
  client.leaves()
  return `logged in at ${url}`
}

/** XEP-0156, as the Conversations tester looks at it: named, and what is named answers. */
export async function discovery(lab: Lab): Promise<string> {
  const links = await linksOf(lab)
  const named = Object.keys(links)
  needs(named.length > 0, 'host-meta names neither WebSocket nor BOSH')
  if (links.websocket !== undefined) (await WebSocketPipe.dial(lab.web, links.websocket)).end()
  if (links.bosh !== undefined) {
    const answer = await lab.fetches(links.bosh, { method: 'OPTIONS' })
    needs(answer.header('access-control-allow-origin') === '*', 'BOSH is not open to all web pages')
  }
  return `named: ${named.join(', ')}`
}
