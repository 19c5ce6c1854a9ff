// SPDX-License-Identifier: Apache-2.0
// Files for browsers: read when asked for, in pieces, compressed on the way. Only names from a list, or under one folder and
// with an ending that we know, are ever looked for.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createGzip, gzipSync } from 'node:zlib'

/** What is told to the browser about each kind of file; nothing else is served. */
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  wasm: 'application/wasm',
  ttf: 'font/ttf',
  woff2: 'font/woff2',
  mp3: 'audio/mpeg',
  ogg: 'audio/ogg',
}

/** Endings of what is compressed already. */
const PACKED = new Set(['png', 'ico', 'woff2', 'mp3', 'ogg'])
/** Smaller files are sent as they are, in bytes. */
const WORTH_PACKING = 1024
/** Files that are compressed at the same time; more are sent as they are: each takes a quarter of a MiB and a thread's time. */
const PACKERS = 8
/** A plain relative path: no empty, hidden or parent folder in it. */
const PLAIN_PATH = /^(?:[\w-][\w.-]*\/){0,4}[\w-][\w.-]*\.([a-z0-9]{2,11})$/

let packing = 0

/** A folder whose files never change under one address: its version is part of the address. */
export interface Folder {
  /** Its URL, with a slash at the end. */
  readonly url: string
  readonly version: string
}

/** Answers with a file of a folder, or 404. @param path as in the address, after the folder */
export async function fileFrom(folder: Folder, path: string, request: Request): Promise<Response> {
  const ending = PLAIN_PATH.exec(path)?.[1] ?? ''
  const type = Object.hasOwn(TYPES, ending) ? TYPES[ending] : undefined
  if (!type || path.length > 200) return notFound()
  const file = fileURLToPath(new URL(path, folder.url))
  const found = await stat(file).catch(() => undefined) // whatever the reason, there is nothing to see
  if (!found?.isFile()) return notFound()
  const packed = !PACKED.has(ending) && found.size >= WORTH_PACKING && packing < PACKERS && takesGzip(request)
  const etag = `"${folder.version}-${found.size.toString(36)}${packed ? '-gz' : ''}"`
  const headers = headersOf(type, etag, 'public, max-age=31536000, immutable')
  if (matches(request, etag)) return new Response(null, { status: 304, headers })
  if (packed) headers.set('Content-Encoding', 'gzip')
  else headers.set('Content-Length', String(found.size))
  if (request.method === 'HEAD') return new Response(null, { headers })
  return new Response(Readable.toWeb(packed ? gzipped(file) : createReadStream(file)) as ReadableStream, { headers })
}

/** One of our own pages: small, in memory from the first time on, and asked for anew by the browser each time. */
export class Page {
  readonly #url: URL
  readonly #type: string
  readonly #fill: (text: string) => string
  #made: Promise<{ plain: Buffer; packed: Buffer; etag: string }> | undefined

  /** @param fill puts what is not known before the program runs into the text */
  constructor(url: URL, fill: (text: string) => string = (text) => text) {
    this.#url = url
    this.#type = TYPES[url.pathname.split('.').at(-1) ?? ''] ?? 'application/octet-stream'
    this.#fill = fill
  }

  /** The page, or `304 Not Modified`. */
  async answer(request: Request): Promise<Response> {
    this.#made ??= this.#make()
    const { plain, packed, etag: tag } = await this.#made
    const small = takesGzip(request) && packed.length < plain.length
    const etag = `"${tag}${small ? '-gz' : ''}"`
    const headers = headersOf(this.#type, etag, 'no-cache')
    if (matches(request, etag)) return new Response(null, { status: 304, headers })
    if (small) headers.set('Content-Encoding', 'gzip')
    const body = small ? packed : plain
    headers.set('Content-Length', String(body.length))
    return new Response(request.method === 'HEAD' ? null : new Uint8Array(body), { headers })
  }

  async #make(): Promise<{ plain: Buffer; packed: Buffer; etag: string }> {
    try {
      const raw = await readFile(this.#url)
      const plain = this.#type.startsWith('image/png') ? raw : Buffer.from(this.#fill(raw.toString('utf8')))
      const etag = createHash('sha256').update(plain).digest('base64url').slice(0, 22)
      return { plain, packed: gzipSync(plain, { level: 9 }), etag }
    } catch (error) {
      this.#made = undefined // perhaps it can be read the next time
      throw error
    }
  }
}

/** Text as it may stand in HTML, between tags or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

function gzipped(file: string): Readable {
  packing++
  const source = createReadStream(file)
  const packer = createGzip({ level: 6 })
  packer.once('close', () => {
    packing--
    source.destroy()
  })
  source.once('error', (error) => packer.destroy(error))
  return source.pipe(packer)
}

function headersOf(type: string, etag: string, cache: string): Headers {
  return new Headers({ 'Content-Type': type, ETag: etag, 'Cache-Control': cache, Vary: 'Accept-Encoding' })
}

function takesGzip(request: Request): boolean {
  const accepted = request.headers.get('accept-encoding') ?? ''
  return /(?:^|[\s,])gzip\b(?!\s*;\s*q=0(?:\.0*)?(?:[\s,]|$))/i.test(accepted)
}

/** RFC 9110 §13.1.2, by weak comparison. */
function matches(request: Request, etag: string): boolean {
  const known = request.headers.get('if-none-match')
  if (known === null) return false
  return known.trim() === '*' || known.split(',').some((one) => one.trim().replace(/^W\//, '') === etag)
}

function notFound(): Response {
  return new Response('Not found\n', { status: 404, headers: { 'Content-Type': 'text/plain; charset=utf-8' } })
}
