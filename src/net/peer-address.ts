// SPDX-License-Identifier: Apache-2.0
// The address of a peer that came through a program of this machine, which said who it is: from then on the connection tells that
// address, to whoever asks it.
import type { Socket } from 'node:net'

/** Whom somebody before us saw, and at which port they knocked. */
export interface Told {
  readonly address: string
  readonly port: number
}

/** Lets a connection tell this instead of what the system knows. */
export function tell(socket: Socket, { address, port }: Told): void {
  Object.defineProperties(socket, { remoteAddress: { value: address }, localPort: { value: port } })
}

/** A connection inside another one tells what that one was made to tell. */
export function retell(outer: Socket, inner: Socket): void {
  if (!Object.hasOwn(outer, 'remoteAddress')) return
  tell(inner, { address: outer.remoteAddress ?? '', port: outer.localPort ?? 0 })
}
