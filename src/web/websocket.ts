// SPDX-License-Identifier: Apache-2.0
// The way in for clients that speak WebSocket (RFC 7395, RFC 6455): at `/xmpp-websocket`, encrypted or on this machine only.
import { randomUUID } from 'node:crypto'
import { type ServerOptions, WebSocketServer } from 'ws'
import type { Doorman } from './doorman.ts'
import { refuseUpgrade, type Upgrade } from './exchange.ts'
import { WebSocketLink } from './websocket-link.ts'

const SUBPROTOCOL = 'xmpp'
/** How long a peer may take to close its side, in ms. */
const CLOSING_TIME = 3_000

/** Makes what takes over connections that become WebSockets. */
export function webSockets(doorman: Doorman): Upgrade {
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false, // it costs memory for each connection, and TLS with compression leaks (CRIME)
    closeTimeout: CLOSING_TIME,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  }
  const server = new WebSocketServer(options)
  return (request, socket, head, peer) => {
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((one) => one.trim())
    if (!offered?.includes(SUBPROTOCOL)) return refuseUpgrade(socket, 400, 'The subprotocol must be xmpp.')
    const refused = doorman.refuses(peer)
    if (refused) return refuseUpgrade(socket, refused.status, refused.why)
    const leave = doorman.enters(peer)
    if (!leave) return refuseUpgrade(socket, 429, 'Too many connections.')
    socket.once('close', leave)
    server.options.maxPayload = doorman.limits.stanzaBytes
    server.handleUpgrade(request, socket, head, (ws) => {
      doorman.accept(
        new WebSocketLink(ws, {
          id: randomUUID(),
          address: peer.address,
          limits: doorman.limits.reader,
          sendQueueBytes: doorman.limits.sendQueueBytes,
          bytesPerSecond: doorman.limits.bytesPerSecond,
          clock: doorman.clock,
          metrics: doorman.metrics,
          log: doorman.log,
          socket,
        }),
      )
    })
  }
}
