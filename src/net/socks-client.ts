// SPDX-License-Identifier: Apache-2.0
// The client's end of SOCKS5 (RFC 1928): of a bytestreams proxy (XEP-0065 §6.3), for commands that look at a server from
// outside, and of a proxy that reaches places that have no address, such as onion services.
import { connect, type Socket } from 'node:net'

/** How long anything may take, in ms. */
const PATIENCE = 4_000

/** One side of a bytestream. */
export class SocksClient {
  readonly #socket: Socket
  readonly #patience: number
  #heard = Buffer.alloc(0)
  #changed: () => void = () => undefined

  private constructor(socket: Socket, patience = PATIENCE) {
    this.#socket = socket
    this.#patience = patience
    socket.on('data', (bytes: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, bytes])
      this.#changed()
    })
    socket.on('error', () => this.#changed())
    socket.on('close', () => this.#changed())
  }

  /**
   * Connects to a name through a proxy. Rejects if that fails, or if the signal ends the attempt.
   * @param patience how long each step may take, in ms
   */
  static async through(
    proxy: { readonly host: string; readonly port: number },
    to: { readonly host: string; readonly port: number },
    signal: AbortSignal,
    patience: number,
  ): Promise<Socket> {
    const client = new SocksClient(connect({ ...proxy, noDelay: true }), patience)
    const leaves = (): void => client.leaves()
    signal.addEventListener('abort', leaves)
    try {
      if (signal.aborted) throw signal.reason
      await client.#asks(to.host, to.port)
      return client.#handsOver()
    } catch (error) {
      client.leaves()
      throw error
    } finally {
      signal.removeEventListener('abort', leaves)
    }
  }

  /** Connects, and asks for a hash. Rejects if the proxy does not give it. */
  static async join(place: { readonly host: string; readonly port: number }, hash: string): Promise<SocksClient> {
    const client = new SocksClient(connect({ ...place, noDelay: true }))
    try {
      await client.#asks(hash, 0)
      return client
    } catch (error) {
      client.leaves()
      throw error
    }
  }

  /** Asks for a name (RFC 1928 §3-6). */
  async #asks(host: string, port: number): Promise<void> {
    const name = Buffer.from(host)
    const end = Buffer.alloc(2)
    end.writeUInt16BE(port)
    this.#socket.write(Buffer.of(5, 1, 0))
    const [version, method] = await this.hears(2)
    if (version !== 5 || method !== 0) throw new Error('the proxy does not speak SOCKS5')
    this.#socket.write(Buffer.concat([Buffer.of(5, 1, 0, 3, name.length), name, end]))
    const [, reply, , kind = 0, first = 0] = await this.hears(5)
    if (reply !== 0) throw new Error(`the proxy refused the connection (${reply})`)
    // What it is bound to does not matter, but it must be read: IPv4, a name behind its length, IPv6.
    await this.hears({ 1: 3, 3: first, 4: 15 }[kind] ?? 0)
    await this.hears(2)
  }

  /** The connection as it is from now on. */
  #handsOver(): Socket {
    const socket = this.#socket
    socket.removeAllListeners('data').removeAllListeners('close').removeAllListeners('error')
    socket.on('error', () => undefined) // until its owner listens: what broke shows when it is used
    socket.pause()
    if (this.#heard.length > 0) socket.unshift(this.#heard)
    return socket
  }

  write(text: string): void {
    this.#socket.write(text)
  }

  /** The next so many bytes. */
  async hears(count: number): Promise<Buffer> {
    const late = AbortSignal.timeout(this.#patience)
    late.addEventListener('abort', () => this.#changed())
    while (this.#heard.length < count) {
      if (this.#socket.destroyed) throw new Error('the proxy closed the connection')
      if (late.aborted) throw new Error('the proxy does not answer')
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
    const heard = this.#heard.subarray(0, count)
    this.#heard = this.#heard.subarray(count)
    return heard
  }

  leaves(): void {
    this.#socket.destroy()
  }
}
