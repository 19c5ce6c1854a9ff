// SPDX-License-Identifier: Apache-2.0
// How many answers one network may be waiting for at a time: over HTTP/2 each connection has a hundred, and behind each may
// be an open file and its buffer.
import type { RawRoute } from './exchange.ts'

/** Answers at a time for one network. */
const MOST = 200

/** A route that answers only so many at a time for one network, and asks the others to come again. @param networkOf what counts as one peer */
export function notCrowded(route: RawRoute, networkOf: (address: string) => string, most = MOST): RawRoute {
  const busy = new Map<string, number>()
  const left = (network: string): void => {
    const others = (busy.get(network) ?? 1) - 1
    if (others > 0) busy.set(network, others)
    else busy.delete(network)
  }
  return {
    path: route.path,
    answer(exchange) {
      const { response, peer } = exchange
      const network = networkOf(peer.address)
      const others = busy.get(network) ?? 0
      if (others >= most) {
        response.writeHead(503, { 'Retry-After': '5', 'Access-Control-Allow-Origin': '*' }).end()
        return
      }
      busy.set(network, others + 1)
      response.once('close', () => left(network))
      route.answer(exchange)
    },
  }
}
