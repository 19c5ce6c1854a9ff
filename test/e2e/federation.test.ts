// SPDX-License-Identifier: Apache-2.0
// Servers of ours that talk to each other as to anybody: real processes, sockets, TLS, a name server; and what becomes of messages
// when one of them is away, restarts, is killed, or is not what it should be.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { after, test } from 'node:test'
import { el } from '../../src/xml/element.ts'
import { chat, getsBack, hears, Network } from '../support/federated.ts'
import { bench } from '../support/process.ts'

const SM = 'urn:xmpp:sm:3'

const place = bench({ after })
const network = await Network.begin(place)
const capulet = await network.start('capulet.example', ['juliet'])
const montague = await network.start('montague.example', ['romeo'])
const juliet = await capulet.enter('juliet')
let romeo = await montague.enter('romeo')

/** A domain of others on this port, without a server of ours. */
function announce(domain: string, port: number): void {
  network.dns.srv(`_xmpp-server._tcp.${domain}`, [0, 0, port, `xmpp.${domain}`]).host(`xmpp.${domain}`, '127.0.0.1')
}

/** Somebody who listens, and does what a test wants with whoever comes. */
async function somebody(domain: string, comes: (socket: Socket) => void): Promise<void> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    comes(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  announce(domain, typeof address === 'object' && address ? address.port : 0)
  place.defer(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
}

const HEADER = (from: string): string =>
  `<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='${from}' id='x' version='1.0'>`

test('people on two servers chat, in order', async () => {
  for (let line = 1; line <= 50; line++) {
    juliet.sends(chat(romeo.jid, `there ${line} 🌹 <&>`))
    romeo.sends(chat(juliet.bare, `back ${line} 🌹 <&>`))
  }
  for (let line = 1; line <= 50; line++) {
    await hears(romeo, `there ${line} 🌹 <&>`)
    await hears(juliet, `back ${line} 🌹 <&>`)
  }
})

test('direct TLS does as well', async () => {
  const paris = await network.start('paris.example', ['paris'])
  network.dns
    .srv('_xmpp-server._tcp.paris.example')
    .srv('_xmpps-server._tcp.paris.example', [0, 0, paris.ports.direct, 'xmpp.paris.example'])
  const guest = await paris.enter('paris')
  juliet.sends(chat(guest.bare, 'by direct TLS'))
  await hears(guest, 'by direct TLS')
  guest.sends(chat(juliet.bare, 'and back'))
  await hears(juliet, 'and back')
})

test('while the other server restarts nothing is lost, and the order stays', async () => {
  const lines = Array.from({ length: 300 }, (_, index) => `line ${index}`)
  juliet.sends(chat(romeo.bare, 'before'))
  await hears(romeo, 'before')
  await montague.stop()
  for (const line of lines.slice(0, 150)) juliet.sends(chat('romeo@montague.example', line))
  await juliet.settles()
  await montague.start()
  for (const line of lines.slice(150)) juliet.sends(chat('romeo@montague.example', line))
  await juliet.settles()
  romeo = await montague.enter('romeo')
  await hears(romeo, ...lines)
})

test('what our server had not sent when it was killed it sends when it runs again', async () => {
  juliet.sends(el('enable', SM))
  await juliet.hears('stream management', (one) => one.is('enabled', SM))
  await montague.stop()
  const lines = Array.from({ length: 50 }, (_, index) => `survivor ${index}`)
  for (const line of lines) juliet.sends(chat('romeo@montague.example', line))
  juliet.sends(el('r', SM))
  await juliet.hears('that they are on disk', (one) => one.is('a', SM))
  await capulet.crash()
  await montague.start()
  romeo = await montague.enter('romeo')
  await capulet.start()
  await hears(romeo, ...lines)
})

test('whoever is not what he says gets nothing, and the sender is told why', async () => {
  const next = await capulet.enter('juliet', 'next')
  await network.start('tybalt.example', [], { certifiedFor: 'mercutio.example' })
  await somebody('plain.example', (socket) => {
    socket.once('data', () => socket.write(`${HEADER('plain.example')}<stream:features/>`))
  })
  network.dns.srv('_xmpp-server._tcp.silent.example', [0, 0, 0, '.'])
  const sent: [string, string, RegExp][] = [
    ['tybalt.example', 'remote-server-timeout', /could not prove/],
    ['plain.example', 'remote-server-timeout', /no encryption/],
    ['silent.example', 'remote-server-not-found', /no server for chat/],
    ['nowhere.example', 'remote-server-not-found', /no server with this name/],
  ]
  for (const [domain, condition, text] of sent) {
    next.sends(chat(`x@${domain}`, `to ${domain}`))
    const error = await getsBack(next, `to ${domain}`)
    assert.equal(error.condition, condition, domain)
    assert.match(error.text, text)
  }
})

test('a server that never reads holds up nobody else', async () => {
  const next = await capulet.enter('juliet', 'busy')
  await somebody('stalled.example', (socket) => socket.pause())
  for (let line = 0; line < 20; line++) next.sends(chat('x@stalled.example', `lost ${line}`))
  next.sends(chat('romeo@montague.example', 'but this arrives'))
  await hears(romeo, 'but this arrives')
})
