// SPDX-License-Identifier: Apache-2.0
// Where a server of this machine is reached from this machine.
import { randomInt } from 'node:crypto'
import type { Dial } from '../net/probes/client-socket.ts'
import type { Target } from './compliance/lab.ts'
import type { ListenInfo } from './running-server.ts'

/** Where one kind of connection goes; undefined if nothing listens for it. */
export function placeOf(
  kind: ListenInfo['kind'],
  listening: readonly ListenInfo[],
  common: Omit<Dial, 'host' | 'port'>,
): Dial | undefined {
  const found = listening.find((one) => one.kind === kind)
  return found && { ...common, host: reachable(found.host), port: found.port }
}

/** Where clients connect. */
export function placesOf(listening: readonly ListenInfo[], common: Omit<Dial, 'host' | 'port'>): Target['places'] {
  const starttls = placeOf('starttls', listening, common)
  const tls = placeOf('tls', listening, common) ?? placeOf('shared', listening, common)
  return { ...(starttls ? { starttls } : {}), ...(tls ? { tls } : {}) }
}

/** The origin of the web server without TLS. */
export function webOf(listening: readonly ListenInfo[]): string | undefined {
  const found = listening.find(({ kind }) => kind === 'http')
  if (!found) return undefined
  const host = reachable(found.host)
  return `http://${host.includes(':') ? `[${host}]` : host}:${found.port}`
}

/**
 * Where a connection to a listener of this machine comes from, so that a look does not use up what one address may do in a minute:
 * somewhere in 127.0.0.0/8, all of which is this machine on Linux.
 */
export function ownSource(host: string): { readonly localAddress?: string } {
  if (process.platform !== 'linux' || host !== '127.0.0.1') return {}
  const part = (): number => randomInt(1, 255)
  return { localAddress: `127.${part()}.${part()}.${part()}` }
}

/** What listens everywhere is reached by loopback, that of IPv4, too. */
export function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
}
