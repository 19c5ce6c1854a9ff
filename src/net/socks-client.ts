// SPDX-License-Identifier: Apache-2.0
// The client's end of a SOCKS5 bytestreams proxy (XEP-0065 §6.3). For commands that look at a server from outside.
import { connect, type Socket } from 'node:net'

/** How long anything may take, in ms. */
const PATIENCE = 4_000

/** One side of a bytestream. */
export class SocksClient {
  readonly #socket: Socket
  #heard = Buffer.alloc(0)
  #changed: () => void = () => undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (bytes: Buffer) => {
      this.#heard = Buffer.concat([this.#heard, bytes])
      this.#changed()
    })
    socket.on('error', () => this.#changed())
    socket.on('close', () => this.#changed())
  }

  /** Connects, and asks for a hash. Rejects if the proxy does not give it. */
  static async join(place: { readonly host: string; readonly port: number }, hash: string): Promise<SocksClient> {
    const client = new SocksClient(connect({ ...place, noDelay: true }))
    try {
      client.#socket.write(Buffer.of(5, 1, 0))
      const [version, method] = await client.hears(2)
      if (version !== 5 || method !== 0) throw new Error('the proxy does not speak SOCKS5')
      client.#socket.write(Buffer.concat([Buffer.of(5, 1, 0, 3, hash.length), Buffer.from(hash), Buffer.of(0, 0)]))
      const [, reply] = await client.hears(5 + hash.length + 2)
      if (reply !== 0) throw new Error(`the proxy refused the connection (${reply})`)
      return client
    } catch (error) {
      client.leaves()
      throw error
    }
  }

  write(text: string): void {
    this.#socket.write(text)
  }

  /** The next so many bytes. */
  async hears(count: number): Promise<Buffer> {
    const late = AbortSignal.timeout(PATIENCE)
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
