// SPDX-License-Identifier: Apache-2.0
// The client's end of HTTP, with bounds. For commands that look at a server from outside.
// Not `fetch`: it does not let the name of the host be another than that of the place, and one place may serve many hosts.
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { request as requestTls } from 'node:https'

/** How long an answer may take, in ms. */
const PATIENCE = 4_000
/** How long an answer may be, in UTF-16 units. */
const ANSWER_MAX = 1_000_000

/** Where web addresses of a server really are: a server that is looked at past the DNS is asked at its own port. */
export interface WebPlace {
  /** As `http://127.0.0.1:5280`; undefined to go where the address says. */
  readonly origin: string | undefined
  readonly signal: AbortSignal
}

/** What is asked for. */
export interface WebRequest {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'OPTIONS'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What came back. */
export interface WebAnswer {
  readonly status: number
  readonly text: string
  /** A header by its name in small letters. */
  header(name: string): string | undefined
}

/** Asks a web server. */
export async function fetchFrom(place: WebPlace, url: string, wanted: WebRequest): Promise<WebAnswer> {
  const at = placed(place, url)
  const { method = 'GET', body = '' } = wanted
  const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const headers = { ...wanted.headers, ...length, host: new URL(url).host }
  const options: RequestOptions = { method, headers, signal: boundOf(place) }
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const asked = at.protocol === 'https:' ? requestTls(at, options, resolve) : request(at, options, resolve)
  asked.on('error', reject).end(body)
  const answer = await promise
  let text = ''
  for await (const piece of answer.setEncoding('utf8')) {
    text += piece
    if (text.length > ANSWER_MAX) throw new Error('the web server answered too much')
  }
  return { status: answer.statusCode ?? 0, text, header: (name) => answer.headers[name]?.toString() }
}

/** Ends what takes too long. */
export function boundOf({ signal }: WebPlace): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)])
}

/** Where an address really is. @throws if what is said there could be read on the way */
export function placed({ origin }: WebPlace, url: string): URL {
  const wanted = new URL(url)
  if (origin === undefined) {
    if (!['https:', 'wss:'].includes(wanted.protocol)) throw new Error(`${url} is not encrypted`)
    return wanted
  }
  return new URL(wanted.pathname + wanted.search, origin)
}
