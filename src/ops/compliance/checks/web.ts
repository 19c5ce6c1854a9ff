// SPDX-License-Identifier: Apache-2.0
// The ways in for web pages: found through host-meta (XEP-0156), then opened.
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

/** RFC 7395: a stream opens over a WebSocket. */
export async function websocket(lab: Lab): Promise<string> {
  const url = await linkOf(lab, 'websocket')
  const ns = 'urn:ietf:params:xml:ns:xmpp-framing'
  const open = `<open xmlns='${ns}' to='${lab.domain}' version='1.0'/>`
  const answer = await lab.frames(url, [open, `<close xmlns='${ns}'/>`])
  needs(/^<open[\s>]/.test(answer), 'the WebSocket did not open a stream')
  return `a stream opened at ${url}`
}

/** XEP-0206: a session opens over HTTP. */
export async function bosh(lab: Lab): Promise<string> {
  const url = await linkOf(lab, 'bosh')
  const body =
    `<body xmlns='http://jabber.org/protocol/httpbind' to='${lab.domain}' rid='1573741820' ver='1.11' wait='5' hold='1' ` +
    `xml:lang='en' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh'/>`
  const answer = await lab.fetches(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'text/xml; charset=utf-8' },
  })
  needs(
    answer.status === 200 && /<body[^>]*\ssid=/.test(answer.text),
    `BOSH opened no session (HTTP status ${answer.status})`,
  )
  return `a session opened at ${url}`
}

/** XEP-0156, as the Conversations tester looks at it: named, and what is named answers. */
export async function discovery(lab: Lab): Promise<string> {
  const links = await linksOf(lab)
  const named = Object.keys(links)
  needs(named.length > 0, 'host-meta names neither WebSocket nor BOSH')
  if (links.websocket !== undefined) await websocket(lab)
  if (links.bosh !== undefined) {
    const answer = await lab.fetches(links.bosh, { method: 'OPTIONS' })
    needs(answer.header('access-control-allow-origin') === '*', 'BOSH is not open to all web pages')
  }
  return `named: ${named.join(', ')}`
}
