// SPDX-License-Identifier: Apache-2.0
// Connects to the servers of other domains: where they are, one place after the other, each step for a limited time.
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../clock.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import { DialError, type Dialed, type Dialer, type Place, type Proof } from '../../stream/link.ts'
import type { ReaderLimits } from '../../xml/reader.ts'
import { asciiDomain } from '../certificates/server-names.ts'
import { DnsError, type Resolver } from '../dns/resolver.ts'
import { SocksClient } from '../socks-client.ts'
import { TcpLink } from '../tcp-link.ts'
import { connectFirst } from './happy-eyeballs.ts'
import { ipOf, type Places, placesOf } from './places.ts'

/** The namespace of what servers send each other (RFC 6120 §4.8.2). */
const NS_SERVER = 'jabber:server'
/** How long connecting to one place may take, in ms. */
const CONNECT_TIME = 10_000
/** The same for an onion service, whose way has to be built first. */
const ONION_TIME = 60_000
/** After this long without traffic the system asks whether the peer is still there, in ms. */
const KEEPALIVE = 60_000

/** Bounds on links that we dial; read anew for each. */
export interface DialLimits {
  readonly bytesPerSecond: number
  readonly sendQueueBytes: number
  /** For streams that proved nothing yet. */
  readonly reader: Partial<ReaderLimits>
}

/** TLS as the client of other servers. */
export interface DialerTls {
  /** Rejects if the handshake fails. @param to undefined for an IP address */
  connect(socket: Socket, from: string, to: string | undefined, direct: boolean): Promise<TLSSocket>
  /** @param place where the domain was dialled; undefined for another domain than that */
  proves(socket: TLSSocket, domain: string, place: Place | undefined): Promise<Proof>
}

/** What dialling needs. */
export interface DialerParts {
  readonly resolver: Resolver
  readonly tls: DialerTls
  readonly limits: DialLimits
  /** A SOCKS5 proxy that reaches onion services. */
  readonly onionProxy: () => { readonly host: string; readonly port: number } | undefined
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/** Who connects whom. */
interface Call {
  readonly from: string
  readonly to: string
  readonly signal: AbortSignal
}

/** Connects to other servers. */
export class ServerDialer implements Dialer {
  readonly #parts: DialerParts

  constructor(parts: DialerParts) {
    this.#parts = parts
  }

  async dial(from: string, to: string, signal: AbortSignal): Promise<Dialed> {
    const call: Call = { from, to, signal }
    const places = await before(signal, this.#places(to))
    let failure: DialError | undefined
    for (const place of places) {
      if (signal.aborted) break
      try {
        const link = await this.#connect(place, call)
        if (!signal.aborted) return { link, place }
        link.close()
      } catch (error) {
        failure = moreTelling(failure, errorAt(place, to, error))
      }
    }
    if (signal.aborted) throw new DialError('unreachable', `connecting to ${to} took too long`)
    throw failure ?? new DialError('unreachable', `${to} says in the DNS that it has a server, but not where`)
  }

  async #places(to: string): Promise<readonly Place[]> {
    if (isOnion(to)) return [{ host: to, port: 5269, direct: false, secure: false }]
    let found: Places
    try {
      found = await placesOf(to, this.#parts.resolver)
    } catch (error) {
      throw dnsFailure(to, error)
    }
    if (found.refused) throw new DialError('refused', `${to} says in the DNS that it has no XMPP server (SRV ".")`)
    return found.places
  }

  async #connect(place: Place, { from, to, signal }: Call): Promise<TcpLink> {
    const socket = await this.#socket(place, to, signal)
    socket.setKeepAlive(true, KEEPALIVE)
    const leave = (): void => void socket.destroy()
    signal.addEventListener('abort', leave)
    try {
      if (!place.direct) return this.#link(socket, false, place, from, to)
      const secured = await this.#secured(socket, from, to, true)
      return this.#link(secured, true, place, from, to)
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  async #socket({ host, port }: Place, to: string, signal: AbortSignal): Promise<Socket> {
    if (isOnion(host)) return this.#throughProxy({ host, port }, signal)
    const { records } = ipOf(host) ? { records: [host] } : await before(signal, this.#parts.resolver.addresses(host))
    if (records.length === 0) throw noAddress(host, to)
    const late = AbortSignal.timeout(CONNECT_TIME)
    return connectFirst(records, port, AbortSignal.any([signal, late]))
  }

  #throughProxy(to: { host: string; port: number }, signal: AbortSignal): Promise<Socket> {
    const proxy = this.#parts.onionProxy()
    if (proxy) return SocksClient.through(proxy, to, signal, ONION_TIME)
    throw new DialError('unreachable', `${to.host} is an onion service, and no proxy for these is configured`)
  }

  async #secured(socket: Socket, from: string, to: string, direct: boolean): Promise<TLSSocket> {
    try {
      return await this.#parts.tls.connect(socket, from, ipOf(to) ? undefined : asciiDomain(to), direct)
    } catch (error) {
      throw new DialError('tls', `TLS with the server of ${to} failed: ${reasonOf(error)}`)
    }
  }

  #link(socket: Socket | TLSSocket, encrypted: boolean, place: Place, from: string, to: string): TcpLink {
    const { limits, clock, metrics, log, tls } = this.#parts
    return new TcpLink(socket, encrypted, {
      id: randomUUID(),
      content: NS_SERVER,
      limits: limits.reader,
      bytesPerSecond: limits.bytesPerSecond,
      sendQueueBytes: limits.sendQueueBytes,
      clock,
      metrics,
      log,
      secure: (plain, domain) => this.#secured(plain, from, domain ?? to, false),
      // What DNSSEC says of this place it says for this domain.
      proves: (secured, domain) => tls.proves(secured, domain, domain === to ? place : undefined),
    })
  }
}

/** The same, unless the attempt ends first. */
function before<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new DialError('unreachable', 'the attempt took too long'))
    if (signal.aborted) ended()
    signal.addEventListener('abort', ended)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', ended))
  })
}

function isOnion(host: string): boolean {
  return /\.onion\.?$/i.test(host)
}

/** The domain has no server if there is nothing at all in the DNS; a server that the DNS names may be back one day. */
function noAddress(host: string, to: string): DialError {
  if (host === to)
    return new DialError('no-such-domain', `the DNS knows no server of ${to}, and no address of ${to} either`)
  return new DialError('unreachable', `the DNS knows no address of ${host}, which ${to} names as its server`)
}

/** What is told in the end: that something was reached counts more than that nothing was. */
function moreTelling(one: DialError | undefined, other: DialError): DialError {
  return !one || (one.kind !== 'tls' && other.kind === 'tls') ? other : one
}

function errorAt({ host, port }: Place, to: string, error: unknown): DialError {
  if (error instanceof DialError) return error
  if (error instanceof DnsError) return dnsFailure(host, error)
  return new DialError('unreachable', `the server of ${to} at ${host} port ${port} ${connectReason(error)}`)
}

function dnsFailure(name: string, error: unknown): DialError {
  const reason = error instanceof DnsError ? error.message : reasonOf(error)
  return new DialError('dns', `looking for ${name} failed: ${reason}`)
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections',
  ECONNRESET: 'closed the connection',
  EHOSTUNREACH: 'cannot be reached: there is no way to it',
  ENETUNREACH: 'cannot be reached: there is no way to it',
  ETIMEDOUT: 'does not answer',
}

/** Why a connection did not come about, as the end of a sentence. */
export function connectReason(error: unknown): string {
  if (error instanceof DOMException) return 'does not answer'
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return REASONS[code] ?? `cannot be reached: ${reasonOf(error)}`
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
