// SPDX-License-Identifier: Apache-2.0
// A program on a host of the test network that passes TCP connections on: of all comers to one place, or, as a SOCKS5 proxy
// (RFC 1928), of each to the place that a table has for the name it asks for. SIGUSR2: the next connection that carries more than
// 2 kB at once is reset in the middle of it, once.
import { connect, createServer, type Socket } from 'node:net'

const MIDDLE = 2000
const [port = '', where = ''] = process.argv.slice(2)
/** Names and addresses with ports; `*` is where all go that ask for nothing. */
const table: Readonly<Record<string, string>> = JSON.parse(where)
let resets = 0
process.on('SIGUSR2', () => {
  resets++
})

function pass(client: Socket, place: string, first?: Buffer): void {
  const [host = '', port = ''] = place.split(' ')
  const server = connect(Number(port), host)
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroy())
    if (from === server) from.pipe(to)
  }
  let left = Number.POSITIVE_INFINITY
  client.on('data', (piece: Buffer) => {
    if (left === Number.POSITIVE_INFINITY && resets > 0 && piece.length > MIDDLE) {
      resets--
      left = MIDDLE
    }
    if (left >= piece.length) {
      left -= piece.length
      server.write(piece)
      return
    }
    server.write(piece.subarray(0, left), () => {
      server.resetAndDestroy()
      client.resetAndDestroy()
    })
  })
  if (first) server.once('connect', () => client.write(first))
}

/** Greeting, request, and what is answered: no authentication, connected. */
function socks(client: Socket): void {
  client.once('data', () => {
    client.write(Buffer.from([5, 0]))
    client.once('data', (request: Buffer) => {
      const name = request.subarray(5, 5 + (request[4] ?? 0)).toString('latin1')
      const port = request.readUInt16BE(request.length - 2)
      const place = table[`${name} ${port}`]
      if (place === undefined) client.end(Buffer.from([5, 4, 0, 1, 0, 0, 0, 0, 0, 0]))
      else pass(client, place, Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
    })
  })
}

const everywhere = table['*']
createServer((client) => {
  client.on('error', () => client.destroy())
  if (everywhere === undefined) socks(client)
  else pass(client, everywhere)
}).listen(Number(port), '::', () => console.log('ready'))
