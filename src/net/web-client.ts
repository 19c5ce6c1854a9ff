// SPDX-License-Identifier: Apache-2.0
// The client's end of HTTP and WebSocket, each with a bound. For commands that look at a server from outside.

/** How long an answer may take, in ms. */
const PATIENCE = 4_000

/** Where web addresses of a server really are: a server that is looked at past the DNS is asked at its own port. */
export interface WebPlace {
  /** As `http://127.0.0.1:5280`; undefined to go where the address says. */
  readonly origin: string | undefined
  readonly signal: AbortSignal
}

/** Asks a web server. */
export function fetchFrom(place: WebPlace, url: string, request: RequestInit): Promise<Response> {
  const signal = AbortSignal.any([place.signal, AbortSignal.timeout(PATIENCE)])
  return fetch(placed(place, url), { ...request, signal, redirect: 'follow' })
}

/** Opens a WebSocket (RFC 7395), says one thing, and waits for one answer. */
export async function frameFrom(place: WebPlace, url: string, text: string): Promise<string> {
  const at = placed(place, url)
  at.protocol = at.protocol.replace('http', 'ws')
  const socket = new WebSocket(at, 'xmpp')
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const signal = AbortSignal.any([place.signal, AbortSignal.timeout(PATIENCE)])
  signal.addEventListener('abort', () => reject(new Error('the WebSocket did not answer')))
  socket.addEventListener('open', () => socket.send(text))
  socket.addEventListener('message', ({ data }) => resolve(String(data)))
  socket.addEventListener('error', () => reject(new Error('the WebSocket was refused')))
  socket.addEventListener('close', () => reject(new Error('the WebSocket was closed')))
  try {
    return await promise
  } finally {
    socket.close()
  }
}

function placed({ origin }: WebPlace, url: string): URL {
  const wanted = new URL(url)
  if (origin === undefined) return wanted
  return new URL(wanted.pathname + wanted.search, origin)
}
