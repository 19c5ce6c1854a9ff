// SPDX-License-Identifier: Apache-2.0
// A name server for the servers under test: every domain is on this machine, at the port that was given for it.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, RECURSION_AVAILABLE, RECURSION_DESIRED } from 'dns-packet'

/** A name server. */
export interface Names {
  /** Its port of 127.0.0.1. */
  readonly port: number
  stop(): void
}

/** Starts it. @param domains where each takes connections of servers */
export async function serveNames(domains: ReadonlyMap<string, number>): Promise<Names> {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, { port, address }) => {
    const { id = 0, questions = [] } = decode(bytes)
    const answers = questions.flatMap(({ type, name }) => answer(type, name.toLowerCase(), domains))
    const flags = AUTHORITATIVE_ANSWER | RECURSION_DESIRED | RECURSION_AVAILABLE
    socket.send(encode({ type: 'response', id, flags, questions, answers }), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, stop: () => void socket.close() }
}

function answer(type: string, name: string, domains: ReadonlyMap<string, number>): Answer[] {
  const common = { name, ttl: 3600 }
  if (type === 'A' && domains.has(name)) return [{ ...common, type: 'A', data: '127.0.0.1' }]
  const domain = /^_xmpp-server\._tcp\.(.*)$/.exec(name)?.[1] ?? ''
  const port = domains.get(domain)
  if (type !== 'SRV' || port === undefined) return []
  return [{ ...common, type: 'SRV', data: { priority: 0, weight: 0, port, target: domain } }]
}
