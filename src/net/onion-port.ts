// SPDX-License-Identifier: Apache-2.0
// Where Tor hands over what comes to our onion service. All of it comes from this machine; what tells one peer from another is the
// circuit, which Tor writes before their first words as an address of its own (`HiddenServiceExportCircuitID haproxy`):
// PROXY TCP6 fc00:dead:beef:4dad::0:1f ::1 31 5222
import type { Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { type Told, tell } from './peer-address.ts'

/** How long Tor may take to say who comes, in ms. */
const PATIENCE = 10_000
/** The longest line that there may be (PROXY protocol 1, §2.1). */
const LINE_MAX = 107
/** Only what Tor makes itself is believed: nobody gets an address of somebody else by this. */
const LINE = /^PROXY TCP6 (fc00:dead:beef:4dad::[0-9a-f]{1,4}:[0-9a-f]{1,4}) \S+ \d{1,5} (\d{1,5})$/

/** Who takes a connection, by the port of the onion service that it came to. */
export type OnionWays = ReadonlyMap<number, (socket: Socket) => void>

/** Takes connections from Tor. */
export class OnionPort {
  readonly #ways: OnionWays
  readonly #clock: Clock
  readonly #log: Log
  /** Those of whom nothing is known yet. */
  readonly #waiting = new Set<Socket>()

  constructor(ways: OnionWays, clock: Clock, log: Log) {
    this.#ways = ways
    this.#clock = clock
    this.#log = log
  }

  /** Reads who comes, and hands the connection on with all that follows. */
  take(socket: Socket): void {
    this.#waiting.add(socket)
    socket.on('error', ignoreReset)
    let bytes: Buffer = Buffer.alloc(0)
    const cancel = this.#clock.after(PATIENCE, () => socket.destroy())
    socket.once('close', () => {
      cancel()
      this.#waiting.delete(socket)
    })
    const read = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const end = bytes.indexOf('\r\n')
      if (end < 0 && bytes.length < LINE_MAX) return
      cancel()
      socket.off('data', read)
      socket.pause()
      this.#waiting.delete(socket)
      const rest = bytes.subarray(end + 2)
      if (rest.length > 0) socket.unshift(rest)
      this.#handOn(socket, end < 0 ? undefined : toldIn(bytes.toString('latin1', 0, end)))
    }
    socket.on('data', read)
  }

  /** Cuts off those of whom nothing is known. */
  stop(): void {
    for (const socket of this.#waiting) socket.destroy()
  }

  #handOn(socket: Socket, told: Told | undefined): void {
    const way = told && this.#ways.get(told.port)
    if (!told || !way) {
      const reason = told ? 'nothing is at that port of the onion service' : 'Tor does not say which circuit it is'
      this.#log.warn('connection refused', { reason })
      socket.destroy()
      return
    }
    tell(socket, told)
    way(socket)
  }
}

function toldIn(line: string): Told | undefined {
  const [, address, port] = LINE.exec(line) ?? []
  return address === undefined ? undefined : { address, port: Number(port) }
}

/** A connection that breaks is noticed by whoever reads it. */
function ignoreReset(): void {}
