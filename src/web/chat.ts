// SPDX-License-Identifier: Apache-2.0
// The web chat at `/chat/`: Converse.js from its npm package and around it a page of our own, all from this machine.
import { readFileSync } from 'node:fs'
import type { Context, Hono } from 'hono'
import type { Peer } from './exchange.ts'
import { escapeHtml, type Folder, fileFrom, Page } from './files.ts'

/** What the page is made of, from `pages/`. */
const OWN = [
  'chat.js',
  'elsewhere.js',
  'encryption.js',
  'login.js',
  'login-store.js',
  'chat.css',
  'sw.js',
  'manifest.webmanifest',
  'icon.svg',
  'icon-192.png',
  'icon-512.png',
  'icon-maskable-512.png',
] as const

/** What the web chat needs to know. */
export interface ChatParts {
  /** The domains that are served, the main one first. */
  readonly hosts: Iterable<string>
  /** Where everybody reaches our web server, and so uploads, if the configuration says so: an origin. */
  readonly url: string | undefined
  readonly peerOf: (context: Context) => Peer
}

/** Adds `/chat/` and everything below. */
export function addChat(app: Hono, parts: ChatParts): void {
  const converse = converseFolder()
  const pages = new Map<string, Page>(OWN.map((name) => [name, page(name)]))
  const html = new Map<string, Page>()
  app.use('/chat/*', async (context, next) => {
    await next()
    context.header('Content-Security-Policy', policy(parts.url))
  })
  app.get('/chat', (context) => context.redirect('/chat/', 308))
  app.get('/chat/', (context) => {
    const host = hostFor(parts.peerOf(context).authority, parts.hosts)
    const known = html.get(host) ?? chatPage(host, converse, parts.url)
    html.set(host, known) // no more of them than we have domains
    return known.answer(context.req.raw)
  })
  app.get(`/chat/converse-${converse.version}/*`, (context) => {
    const { pathname } = new URL(context.req.url)
    return fileFrom(converse, pathname.slice(`/chat/converse-${converse.version}/`.length), context.req.raw)
  })
  app.get(
    '/chat/:file',
    (context) => pages.get(context.req.param('file'))?.answer(context.req.raw) ?? context.notFound(),
  )
}

/** The page for the domain that the browser has asked. */
function chatPage(host: string, { version }: Folder, url: string | undefined): Page {
  const files = [...new Set([host, url === undefined ? host : new URL(url).hostname])].join(' ')
  const values: Readonly<Record<string, string>> = { host, files, converse: `/chat/converse-${version}` }
  return page('chat.html', (text) => text.replaceAll(/\{\{(\w+)\}\}/g, (_, name) => escapeHtml(values[name] ?? '')))
}

function page(name: string, fill?: (text: string) => string): Page {
  return new Page(new URL(`pages/${name}`, import.meta.url), fill)
}

function converseFolder(): Folder {
  const url = new URL('.', import.meta.resolve('converse.js/dist/converse.min.js'))
  const { version } = JSON.parse(readFileSync(new URL('../package.json', url), 'utf8')) as { version: string }
  return { url: url.href, version }
}

/** Which of our domains the browser means. */
function hostFor(asked: string | undefined, hosts: Iterable<string>): string {
  const all = [...hosts]
  const name = asked?.replace(/:\d+$/, '').toLowerCase()
  return all.find((host) => host === name) ?? all[0] ?? 'localhost'
}

/** The two style sheets that Converse.js writes into its page: an empty one, and a comment of its build that says nothing. */
const EMPTY_STYLES = [
  "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
  "'sha256-JRf3eZJIF59VkE1tlxlBPiCQXjGJ1uE88pEYh49RtTY='",
].join(' ')

/**
 * Everything from here, nothing inline but style attributes: Converse.js draws avatars and sizes with them. OMEMO's
 * arithmetic is WebAssembly. Pictures of others come as `blob:` (decrypted) or `data:` (avatars);
 * files of people at other servers lie there, and are fetched when one asks for them (`render_media` in pages/chat.js).
 */
function policy(url: string | undefined): string {
  const files = url?.startsWith('http:') ? `https: ${url}` : 'https:'
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    `style-src 'self' ${EMPTY_STYLES}`,
    "style-src-attr 'unsafe-inline'",
    `img-src 'self' data: blob: ${files}`,
    `media-src 'self' data: blob: ${files}`,
    "font-src 'self'",
    `connect-src 'self' blob: ${files}`,
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}
