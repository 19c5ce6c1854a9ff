// SPDX-License-Identifier: Apache-2.0
// The floor as a program: a TLS server without XMPP. A first line `A 7` or `B 7` pairs two connections, `P 7` just stays;
// each is answered by `ok`. What A sends then goes to B. Arguments: port, certificate file, key file.

import { readFileSync } from 'node:fs'
import { createServer, type TLSSocket } from 'node:tls'

const [, , port, cert = '', key = ''] = process.argv
const receivers = new Map<string, TLSSocket>()

function begin(socket: TLSSocket, line: string): void {
  const [role, name = ''] = line.trim().split(' ')
  if (role === 'B') receivers.set(name, socket)
  if (role === 'A') socket.on('data', (chunk) => receivers.get(name)?.write(chunk))
  else socket.on('data', () => {})
  socket.write('ok\n')
}

const server = createServer({ cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.3' }, (socket) => {
  socket.on('error', () => {})
  socket.once('data', (chunk: Buffer) => begin(socket, chunk.toString('latin1')))
})
server.on('tlsClientError', () => {})
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 511 })
process.on('SIGTERM', () => process.exit(0))
