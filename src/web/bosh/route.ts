// SPDX-License-Identifier: Apache-2.0
// The way in for clients that speak BOSH: bodies out of requests, and to which session each belongs.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { BodyError, readBody } from '../body.ts'
import type { Doorman } from '../doorman.ts'
import type { Exchange, RawRoute } from '../exchange.ts'
import { PATHS } from '../paths.ts'
import { BadBody, parseBody, type RequestBody, terminateXml } from './body.ts'
import { BoshLink } from './link.ts'
import type { BoshRequest } from './replies.ts'

/** What a body may have beside one stanza of the largest size. */
const AROUND = 16_384
/** How long who sends too much may go on before it is cut off, in ms. */
const LINGER = 1_000
/** XEP-0124 §14.1. */
const RID_MAX = Number.MAX_SAFE_INTEGER
const RID = /^\d{1,16}$/
/** Where the session is named: good enough to decide how much to read. */
const SID = /\ssid=['"]([\w-]+)['"]/

const EXPLANATION = 'This is for XMPP clients (BOSH).\n'

const HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': 'Content-Type',
  'Access-Control-Allow-Methods': 'POST, OPTIONS',
  'Access-Control-Max-Age': '86400',
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
}

/** Makes what answers at `/http-bind`. */
export function boshRoute(doorman: Doorman): RawRoute {
  const desk = new BoshDesk(doorman)
  return { path: PATHS.bosh, answer: (exchange) => void desk.answer(exchange) }
}

class BoshDesk {
  readonly #doorman: Doorman
  readonly #sessions = new Map<string, BoshLink>()

  constructor(doorman: Doorman) {
    this.#doorman = doorman
  }

  async answer(exchange: Exchange): Promise<void> {
    const { request, response, peer } = exchange
    const refused = this.#doorman.refuses(peer)
    if (request.method === 'OPTIONS') say(response, 204)
    else if (request.method !== 'POST') say(response, 405, EXPLANATION, { Allow: 'POST, OPTIONS' })
    else if (refused) say(response, refused.status, refused.why)
    else await this.#read(exchange)
  }

  async #read(exchange: Exchange): Promise<void> {
    const { request, response } = exchange
    if (request.headers.expect !== undefined) response.writeContinue()
    try {
      const bytes = await readBody(request, (beginning) => this.#most(beginning))
      this.#take(bytes, exchange)
    } catch (error) {
      if (error instanceof BodyError) refuse(exchange, error.status)
      else if (error instanceof BadBody) this.#bad(error, response)
      else {
        this.#doorman.log.error('BOSH request failed', { error })
        say(response, 500)
      }
    }
  }

  /** Strangers may not say much. */
  #most(beginning: Buffer): number {
    const sid = SID.exec(beginning.toString('latin1', 0, 1024))?.[1]
    const known = sid === undefined ? undefined : this.#sessions.get(sid)
    return ((known?.limits ?? this.#doorman.limits.reader).stanzaBytes ?? 0) + AROUND
  }

  #take(bytes: Buffer, exchange: Exchange): void {
    const limitsOf = (sid: string | undefined) =>
      (sid === undefined ? undefined : this.#sessions.get(sid))?.limits ?? this.#doorman.limits.reader
    const body = parseBody(bytes, limitsOf)
    const { sid } = body.attrs
    const link = sid === undefined ? undefined : this.#sessions.get(sid)
    const request = requestOf(body, bytes, exchange.response, link)
    if (link) link.take(request)
    else if (sid !== undefined) request.answer(terminateXml('item-not-found'))
    else this.#begin(request, exchange)
  }

  #begin(first: BoshRequest, { peer, response }: Exchange): void {
    const leave = this.#doorman.entersWithout(peer)
    if (!leave) {
      first.answer(terminateXml('policy-violation'))
      return
    }
    const sid = randomBytes(24).toString('base64url')
    const { limits, clock, metrics, log } = this.#doorman
    let known = true
    const forget = (): void => {
      if (known) leave()
      known = false
      this.#sessions.delete(sid)
    }
    const link = new BoshLink(first, {
      id: randomUUID(),
      sid,
      address: peer.address,
      limits: limits.reader,
      sendQueueBytes: limits.sendQueueBytes,
      bytesPerSecond: limits.bytesPerSecond,
      clock,
      metrics,
      log,
      forget,
    })
    this.#sessions.set(sid, link)
    response.once('close', () => link.left())
    this.#doorman.accept(link)
    link.take(first)
  }

  #bad({ condition, sid }: BadBody, response: ServerResponse): void {
    const answer = (body: string): void => say(response, 200, body)
    const link = sid === undefined ? undefined : this.#sessions.get(sid)
    if (link) link.refuse(condition, { answer })
    else answer(terminateXml(condition))
  }
}

function requestOf(
  { attrs, payloads }: RequestBody,
  bytes: Buffer,
  response: ServerResponse,
  link: BoshLink | undefined,
): BoshRequest {
  const rid = RID.test(attrs.rid ?? '') ? Number(attrs.rid) : 0
  if (rid < 1 || rid > RID_MAX) throw new BadBody('bad-request', attrs.sid)
  let gone = false
  response.once('close', () => {
    gone = true
    link?.left()
  })
  return {
    rid,
    attrs,
    payloads,
    bytes: bytes.length,
    digest: createHash('sha256').update(bytes).digest('base64'),
    get gone() {
      return gone
    },
    answer: (body) => say(response, 200, body),
  }
}

/** A body that was not read to its end takes its connection with it; who sends it gets a moment to read the answer. */
function refuse({ request, response }: Exchange, status: number): void {
  say(response, status, '', request.httpVersionMajor === 1 ? { Connection: 'close' } : {})
  request.resume()
  setTimeout(() => request.destroy(), LINGER).unref()
}

function say(response: ServerResponse, status: number, body = '', more: Readonly<Record<string, string>> = {}): void {
  if (response.destroyed || response.headersSent) return
  const type = status === 200 ? 'text/xml; charset=utf-8' : 'text/plain; charset=utf-8'
  const sized = status === 204 ? {} : { 'Content-Type': type, 'Content-Length': String(Buffer.byteLength(body)) }
  response.writeHead(status, { ...HEADERS, ...sized, ...more })
  response.end(body)
}
