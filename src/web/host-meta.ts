// SPDX-License-Identifier: Apache-2.0
// XEP-0156: where the ways in for web pages are, for whoever knows the domain only.
import { domainToUnicode } from 'node:url'
import type { Context, Hono } from 'hono'
import { escapeAttribute } from '../xml/element.ts'
import type { Peer } from './exchange.ts'
import { PATHS } from './paths.ts'

const NS_XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0'

/** What the links are made of. */
export interface HostMetaParts {
  readonly hosts: ReadonlySet<string>
  /** Where everybody reaches our web server, as `https://chat.example.org`, if the configuration says so. */
  readonly url: string | undefined
  readonly peerOf: (context: Context) => Peer
}

interface Link {
  readonly rel: string
  readonly href: string
}

/** Adds `/.well-known/host-meta` and `/.well-known/host-meta.json`. */
export function addHostMeta(app: Hono, parts: HostMetaParts): void {
  app.get('/.well-known/host-meta', (context) => {
    const links = linksFor(parts.peerOf(context), parts)
    if (!links) return context.notFound()
    context.header('Access-Control-Allow-Origin', '*')
    const each = links.map(({ rel, href }) => `  <Link rel="${rel}" href="${escapeAttribute(href)}"/>\n`)
    const xrd = `<?xml version="1.0" encoding="utf-8"?>\n<XRD xmlns="${NS_XRD}">\n${each.join('')}</XRD>\n`
    return context.body(xrd, 200, { 'Content-Type': 'application/xrd+xml; charset=utf-8' })
  })
  app.get('/.well-known/host-meta.json', (context) => {
    const links = linksFor(parts.peerOf(context), parts)
    if (!links) return context.notFound()
    context.header('Access-Control-Allow-Origin', '*')
    return context.json({ links })
  })
}

/** Where we are reached: as the configuration says, or in the way in which this was asked; nothing for who names none of our hosts. */
function linksFor(peer: Peer, { hosts, url }: HostMetaParts): readonly Link[] | undefined {
  const asked = URL.parse(`${peer.scheme}://${peer.authority ?? ''}`)
  if (!asked || !hosts.has(domainToUnicode(asked.hostname)) || !peer.safe) return undefined
  // On this machine the port may be missing in the question, but the answer must have it.
  if (!peer.proxied && asked.port === '' && peer.localPort !== undefined) asked.port = String(peer.localPort)
  const base = url ?? asked.origin
  return [
    { rel: 'urn:xmpp:alt-connections:xbosh', href: base + PATHS.bosh },
    { rel: 'urn:xmpp:alt-connections:websocket', href: base.replace(/^http/, 'ws') + PATHS.webSocket },
  ]
}
