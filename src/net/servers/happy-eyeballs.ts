// SPDX-License-Identifier: Apache-2.0
// Connects to the first of several addresses that answers (RFC 8305). Node.js has this too, but gives an address up as soon
// as it tries the next one: who is far away would never be reached.
import { connect, isIPv6, type Socket } from 'node:net'

/** After this long without an answer the next address is tried beside, in ms (RFC 8305 §5). */
const HEAD_START = 250
/** How many addresses are tried. */
const MOST_ADDRESSES = 8

/** Connects. Rejects with the first address's error if none answers. @param signal ends the attempt */
export async function connectFirst(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  const left = alternating(addresses).slice(0, MOST_ADDRESSES)
  const open = new Set<Socket>()
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  let failure: Error | undefined
  let timer: NodeJS.Timeout | undefined
  const next = (): void => {
    clearTimeout(timer)
    const host = left.shift()
    if (host === undefined) return
    const socket = connect({ host, port, noDelay: true })
    open.add(socket)
    socket.once('connect', () => resolve(socket))
    socket.on('error', (error) => {
      failure ??= error
      open.delete(socket)
      if (left.length > 0) next()
      else if (open.size === 0) reject(failure)
    })
    if (left.length > 0) timer = setTimeout(next, HEAD_START)
  }
  const aborted = (): void => reject(signal.reason)
  signal.addEventListener('abort', aborted)
  try {
    if (signal.aborted) throw signal.reason
    if (left.length === 0) throw new Error('no address')
    next()
    const connected = await promise
    open.delete(connected)
    connected.removeAllListeners('error').on('error', ignoreReset)
    return connected
  } finally {
    signal.removeEventListener('abort', aborted)
    clearTimeout(timer)
    left.length = 0
    for (const socket of open) socket.destroy()
  }
}

/** IPv6 first, then one of each in turn (RFC 8305 §4). */
function alternating(addresses: readonly string[]): string[] {
  const six = addresses.filter((one) => isIPv6(one))
  const four = addresses.filter((one) => !isIPv6(one))
  return Array.from({ length: Math.max(six.length, four.length) }, (_, at) => [six[at], four[at]])
    .flat()
    .filter((one) => one !== undefined)
}

/** Until its owner listens: what broke shows when it is used. */
function ignoreReset(): void {}
