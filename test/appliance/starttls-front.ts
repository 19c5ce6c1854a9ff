// SPDX-License-Identifier: Apache-2.0
// A program that says the words before TLS to another server (RFC 6120 §5.4) for whoever comes, and then passes everything on.
import { connect, createServer, type Socket } from 'node:net'

const [domain = '', port = '', own = ''] = process.argv.slice(2)
const OPENING = `<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' to='${domain}' version='1.0'>`
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

async function says(server: Socket, words: string, until: string): Promise<void> {
  server.write(words)
  let heard = ''
  for await (const piece of server.iterator({ destroyOnReturn: false })) {
    heard += String(piece)
    if (heard.includes(until)) return
  }
  throw new Error(`no ${until}`)
}

async function introduce(client: Socket): Promise<void> {
  const server = connect(Number(port), domain)
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const)
    one.on('error', () => other.destroy()).on('close', () => other.destroy())
  await says(server, OPENING, '</stream:features>')
  await says(server, STARTTLS, '<proceed')
  client.pipe(server).pipe(client)
}

createServer((client) => {
  introduce(client).catch(() => client.destroy())
}).listen(Number(own), '127.0.0.1', () => console.log('ready'))
