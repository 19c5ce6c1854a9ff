// SPDX-License-Identifier: Apache-2.0
// What browsers find that come without TLS: where the same is with TLS, and what a certificate authority looks for.
import { domainToUnicode } from 'node:url'
import type { Exchange, RawRoute } from './exchange.ts'

/** One answer is all that there is here: whatever else is said, a body without an end for instance, is not read. */
const LAST = { Connection: 'close' } as const
const CHALLENGES = '/.well-known/acme-challenge/'

/** What it needs. */
export interface RedirectParts {
  readonly hosts: ReadonlySet<string>
  /** Where the pages of a domain are. */
  readonly publicUrl: (host: string) => string | undefined
  /** The answer to a challenge of a certificate authority (RFC 8555 §8.3). */
  readonly challenge: (token: string) => string | undefined
}

/** Answers everything, in this order. */
export function redirectRoutes(parts: RedirectParts): readonly RawRoute[] {
  return [
    { path: CHALLENGES, answer: (exchange) => answerChallenge(exchange, parts) },
    { path: '/', answer: (exchange) => redirect(exchange, parts) },
  ]
}

function answerChallenge({ response, path }: Exchange, { challenge }: RedirectParts): void {
  const text = challenge(path.slice(CHALLENGES.length))
  response.writeHead(text === undefined ? 404 : 200, { ...LAST, 'Content-Type': 'application/octet-stream' })
  response.end(text)
}

/** Only to our own pages, whatever host is named; the method stays (RFC 9110 §15.4.9). */
function redirect({ request, response, peer }: Exchange, { hosts, publicUrl }: RedirectParts): void {
  const asked = URL.parse(`http://${peer.authority ?? ''}`)
  const host = domainToUnicode(asked?.hostname ?? '')
  const url = publicUrl(hosts.has(host) ? host : ([...hosts][0] ?? ''))
  const target = request.url ?? '/'
  const place = url === undefined || !target.startsWith('/') ? undefined : URL.parse(url + target)?.href
  response.writeHead(place === undefined ? 404 : 308, place === undefined ? LAST : { ...LAST, Location: place })
  response.end()
}
