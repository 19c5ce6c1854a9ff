// SPDX-License-Identifier: Apache-2.0
// One question to one name server: by UDP from a port and with an id that nobody can guess (RFC 5452), by TCP if the answer
// is too long for that (RFC 7766 §5).
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { type Question, questionBytes, type Reply, readReply } from './message.ts'

/** Where a name server is. */
export interface NameServer {
  readonly host: string
  readonly port: number
}

/** No answer came in time. */
export class NoAnswer extends Error {}

/** How many datagrams that are no answer are looked at: more of them are an attempt to guess our id. */
const STRANGERS = 20

/** Asks one name server once. Rejects with `NoAnswer` if it takes too long. @param ms for UDP, and again for TCP */
export async function exchange(server: NameServer, question: Question, ms: number): Promise<Reply> {
  const id = randomInt(0x10000)
  const bytes = await questionBytes(id, question)
  const read = (answer: Buffer): Promise<Reply | undefined> => readReply(answer, id, question)
  const reply = await byUdp(server, bytes, read, ms)
  return reply.truncated ? byTcp(server, bytes, read, ms) : reply
}

type Read = (answer: Buffer) => Promise<Reply | undefined>

/** As if truncated if somebody seems to guess: nobody from outside answers inside a TCP connection. */
const GUESSED: Reply = { code: 0, truncated: true, authentic: false, answers: [], referral: [], emptyFor: undefined }

async function byUdp(server: NameServer, bytes: Buffer, read: Read, ms: number): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4')
  const timer = setTimeout(() => reject(new NoAnswer('no answer in time')), ms)
  let strangers = 0
  socket.on('error', reject)
  socket.on('message', (message) => {
    read(message).then((reply) => {
      if (reply) resolve(reply)
      else if (++strangers >= STRANGERS) resolve(GUESSED)
    }, reject)
  })
  // Connected: the system drops what comes from elsewhere. It may know no way there at all, which is an `error`.
  socket.once('connect', () => socket.send(bytes, (error) => error && reject(error)))
  socket.connect(server.port, server.host)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.removeAllListeners('connect').close()
  }
}

async function byTcp(server: NameServer, bytes: Buffer, read: Read, ms: number): Promise<Reply> {
  const reply = await read(await exchangeBytes(server, bytes, ms))
  if (!reply) throw new Error('the name server answered something else')
  return reply
}

/** Sends one message by TCP, whatever is in it. Rejects with `NoAnswer` if none comes in time. @returns the one that comes back */
export async function exchangeBytes(server: NameServer, bytes: Buffer, ms: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const socket = connect({ ...server, noDelay: true })
  const timer = setTimeout(() => reject(new NoAnswer('no answer in time')), ms)
  let heard = Buffer.alloc(0)
  socket.on('error', reject)
  socket.on('close', () => reject(new Error('the name server closed the connection')))
  socket.on('data', (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk])
    const length = heard.length < 2 ? undefined : heard.readUInt16BE(0)
    if (length === undefined || heard.length < length + 2) return
    socket.pause() // one answer is all there is to come, and all that is kept
    resolve(heard.subarray(2, length + 2))
  })
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  socket.write(Buffer.concat([length, bytes]))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}
