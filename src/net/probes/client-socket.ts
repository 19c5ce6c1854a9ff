// SPDX-License-Identifier: Apache-2.0
// The client's end of a connection: dialled, with TLS from the start or later. For commands that speak to a server as a
// client does; the server itself never uses it.
import { resolveSrv } from 'node:dns/promises'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, TLSSocket } from 'node:tls'
import { type BindingType, clientBinding } from '../tls-bindings.ts'

/** How long connecting or a handshake may take, in ms. */
const PATIENCE = 5_000
/** As in `listen.ts` (XEP-0368 §3). */
const ALPN_CLIENT = 'xmpp-client'

/** Where to connect, and what to expect there. */
export interface Dial {
  readonly host: string
  readonly port: number
  /** The domain that the certificate must be for. */
  readonly domain: string
  /** PEM; the system's authorities without it. */
  readonly authority?: string
  /** Go on although the certificate is not trusted; `distrust` tells why it is not. */
  readonly lenient?: boolean
  /** The address of ours that the connection comes from. */
  readonly localAddress?: string
}

/** What TLS came to. */
export interface TlsFacts {
  readonly protocol: string
  readonly alpn: string | undefined
  /** Why the certificate is not trusted; undefined if it is. */
  readonly distrust: string | undefined
}

/** What a client speaks through. */
export interface ClientPipe {
  /** What TLS came to; undefined without TLS, or where it is somebody else's matter. */
  readonly tls: TlsFacts | undefined
  /** What ties a login to this connection (RFC 9266, RFC 5929); undefined if there is no such thing here. */
  binding?(type: BindingType): Buffer | undefined
  /** The default namespace of what is written; '' if each piece stands for itself. */
  readonly namespace: string
  /** Who gets what comes, and is told once when nothing more will. */
  listen(onData: (bytes: Uint8Array) => void, onEnd: (why: string) => void): void
  /** Opens the stream, or opens it anew. */
  opens(domain: string): void
  write(text: string): void
  /** Closes the stream, and the connection after what was written. */
  end(): void
  /** Cuts the connection as a network that is gone does: nothing is said. */
  cut(): void
}

/** A connection of a client over TCP. */
export class ClientSocket implements ClientPipe {
  readonly namespace = 'jabber:client'
  readonly #dial: Dial
  #socket: Socket
  #tls: TlsFacts | undefined
  #onData: (bytes: Uint8Array) => void = () => undefined
  #onEnd: (why: string) => void = () => undefined
  #why: string | undefined

  private constructor(dial: Dial, socket: Socket) {
    this.#dial = dial
    this.#socket = socket
    this.#watch(socket)
  }

  /** Connects without TLS. */
  static async plain(dial: Dial): Promise<ClientSocket> {
    const { host, port } = dial
    const socket = connect({ host, port, noDelay: true, ...sourceOf(dial) })
    await settled(socket, 'connect')
    return new ClientSocket(dial, socket)
  }

  /** Connects with TLS from the start (XEP-0368). */
  static async direct(dial: Dial): Promise<ClientSocket> {
    const { host, port } = dial
    const options = { ALPNProtocols: [ALPN_CLIENT], ...optionsOf(dial), ...sourceOf(dial) }
    const socket = connectTls({ host, port, ...options })
    await settled(socket, 'secureConnect')
    const made = new ClientSocket(dial, socket)
    made.#tls = factsOf(socket)
    return made
  }

  get tls(): TlsFacts | undefined {
    return this.#tls
  }

  binding(type: BindingType): Buffer | undefined {
    return this.#socket instanceof TLSSocket ? clientBinding(this.#socket, type) : undefined
  }

  listen(onData: (bytes: Uint8Array) => void, onEnd: (why: string) => void): void {
    this.#onData = onData
    this.#onEnd = onEnd
    if (this.#why !== undefined) onEnd(this.#why)
  }

  opens(domain: string): void {
    this.write(
      `<?xml version='1.0'?><stream:stream to='${domain}' version='1.0' xml:lang='en' xmlns='jabber:client' ` +
        `xmlns:stream='http://etherx.jabber.org/streams'>`,
    )
  }

  write(text: string): void {
    this.#socket.write(text)
  }

  /** Negotiates TLS here and now (RFC 6120 §5.4.3.3). */
  async startTls(): Promise<void> {
    const plain = this.#socket
    plain.removeAllListeners('data')
    const secured = connectTls({ socket: plain, ...optionsOf(this.#dial) })
    await settled(secured, 'secureConnect')
    this.#socket = secured
    this.#tls = factsOf(secured)
    this.#watch(secured)
  }

  end(): void {
    if (this.#why === undefined) this.#socket.end('</stream:stream>')
    this.#socket.destroySoon()
  }

  cut(): void {
    this.#socket.destroy()
  }

  #watch(socket: Socket): void {
    socket.on('data', (bytes: Uint8Array) => this.#onData(bytes))
    socket.on('error', (error) => this.#ended(error.message))
    socket.on('close', () => this.#ended('the server closed the connection'))
  }

  #ended(why: string): void {
    if (this.#why !== undefined) return
    this.#why = why
    this.#onEnd(why)
  }
}

function sourceOf({ localAddress }: Dial): Pick<Dial, 'localAddress'> {
  return localAddress === undefined ? {} : { localAddress }
}

function optionsOf({ domain, authority, lenient }: Dial): ConnectionOptions {
  return { servername: domain, rejectUnauthorized: !lenient, ...(authority === undefined ? {} : { ca: authority }) }
}

function factsOf(socket: TLSSocket): TlsFacts {
  const alpn = socket.alpnProtocol || undefined
  // The type says Error; where the certificate is for another name it is one, where nobody vouches for it, it is a text.
  const distrust = socket.authorized ? undefined : String(socket.authorizationError ?? 'not trusted')
  return { protocol: socket.getProtocol() ?? 'unknown', alpn, distrust }
}

async function settled(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const late = setTimeout(() => socket.destroy(new Error('connecting took too long')), PATIENCE)
  const closed = (): void => reject(new Error('the server closed the connection during the handshake'))
  socket.once(event, resolve)
  socket.once('error', reject)
  socket.once('close', closed)
  try {
    await promise
  } finally {
    clearTimeout(late)
    socket.off('error', reject)
    socket.off('close', closed)
  }
}

/** Where the DNS says that clients of a domain are served (RFC 6120 §3.2.1, XEP-0368 §3), most wanted first. */
export async function clientPlaces(
  domain: string,
  kind: 'starttls' | 'tls',
): Promise<readonly Pick<Dial, 'host' | 'port'>[]> {
  try {
    const found = await resolveSrv(`_xmpp${kind === 'tls' ? 's' : ''}-client._tcp.${domain}`)
    const wanted = found.filter(({ name }) => name !== '' && name !== '.')
    return wanted.sort((a, b) => a.priority - b.priority).map(({ name, port }) => ({ host: name, port }))
  } catch {
    return [] // no such name, or nobody to ask: both mean that nothing is announced
  }
}
