// SPDX-License-Identifier: Apache-2.0
// A request with its answer, over HTTP/1.1 and HTTP/2 alike, and who asks: directly, or through a proxy that we believe.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** Who asks, and for what host. */
export interface Peer {
  /** The client's network address, for limits; never logged. */
  readonly address: string
  /** Whether it came through a proxy that we believe. */
  readonly proxied: boolean
  /** Whether nobody on the way could read along: by TLS, to us or to the proxy, by Tor, or because it never left this machine. */
  readonly safe: boolean
  /** `https` if the client used TLS. */
  readonly scheme: 'http' | 'https'
  /** The host that was asked for, with its port if it was named. */
  readonly authority: string | undefined
  /** Our end of the connection. */
  readonly localPort: number | undefined
}

/** A request with what belongs to it. */
export interface Exchange {
  /** Over HTTP/2, Node's object that is used like this one. */
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly peer: Peer
  /** Without its query. */
  readonly path: string
}

/** Answers by itself all that is asked for at a path and below: bodies that are streams, answers that wait. Hono is not even loaded for it. */
export interface RawRoute {
  /** As `/http-bind`, or `/upload/` for everything below it. */
  readonly path: string
  answer(exchange: Exchange): void
}

/** Takes over a connection that becomes something else (RFC 9110 §7.8). */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer, peer: Peer) => void

/** Whom to believe. */
export interface Trust {
  /** Whether an address is one of our reverse proxies. */
  readonly isProxy: (address: string) => boolean
  /** Whether an address is this machine, or a circuit of Tor to it: nobody on the way can read along. */
  readonly isLocal: (address: string) => boolean
}

/**
 * Who asks. A proxy says so by `X-Forwarded-For` (whom it saw itself comes last) and must say by `X-Forwarded-Proto`
 * that its client used TLS; a request from this machine without either has never been outside.
 */
export function peerOf(request: Pick<IncomingMessage, 'headers' | 'socket'>, { isProxy, isLocal }: Trust): Peer {
  const { headers, socket } = request
  const from = socket.remoteAddress ?? ''
  // A proxy that does not say who asks still says how: it is no request of this machine.
  const by = isProxy(from) && (headers['x-forwarded-for'] ?? headers['x-forwarded-proto']) !== undefined
  const forwarded = by ? (clientOf(headers['x-forwarded-for'], isProxy) ?? from) : undefined
  const secured = 'encrypted' in socket && socket.encrypted === true
  const scheme = forwarded === undefined ? (secured ? 'https' : 'http') : lastOf(headers['x-forwarded-proto'])
  return {
    address: forwarded ?? from,
    proxied: forwarded !== undefined,
    safe: scheme === 'https' || (forwarded === undefined && isLocal(from)),
    scheme: scheme === 'https' ? 'https' : 'http',
    authority: authorityOf(headers),
    localPort: socket.localPort,
  }
}

/** RFC 9113 §8.3.1: HTTP/2 has no `Host` but this. */
function authorityOf(headers: IncomingMessage['headers']): string | undefined {
  const pseudo = headers[':authority']
  return typeof pseudo === 'string' ? pseudo : headers.host
}

/** Proxies add at the end whom they got it from: the last one that is not a proxy of ours is the client. */
function clientOf(header: string | string[] | undefined, isProxy: Trust['isProxy']): string | undefined {
  const hops = header
    ?.toString()
    .split(',')
    .map((hop) => withoutPort(hop.trim()))
  return hops?.findLast((hop) => !isProxy(hop)) ?? hops?.[0]
}

/** Some proxies tell the port, too: then every connection would count as a network of its own. */
function withoutPort(hop: string): string {
  return /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop
}

function lastOf(header: string | string[] | undefined): string | undefined {
  return header?.toString().split(',').at(-1)?.trim()
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
}

/** Says no to a connection that wants to become something else. */
export function refuseUpgrade(socket: Duplex, status: number, why = ''): void {
  const head = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\nConnection: close\r\nContent-Type: text/plain\r\n`
  socket.end(`${head}Content-Length: ${why.length}\r\n\r\n${why}`, () => socket.destroy())
}
