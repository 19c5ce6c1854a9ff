// SPDX-License-Identifier: Apache-2.0
// Two users of a chat: A sends, B receives. A's stanzas are made beforehand and only their numbers are changed; a slot
// of the ring is used again when what stood in it has arrived.

import { userName } from '../accounts.ts'
import { type Client, inTurns, open } from './client.ts'
import { type Faults, mark, Scanner, SEQUENCE_AT, Sequence } from './sequence.ts'
import type { Target } from './target.ts'

/** Called for every delivery: pair, number. */
export type Delivered = (pair: number, sequence: number) => void

/** The most stanzas in one write: about what a client under load merges. */
const BATCH = 15
const BODY = 60
const NOTHING = Buffer.alloc(0)

function stanza(pair: number, to: string): string {
  const first = mark(pair, 0)
  return (
    `<message type='chat' id='${first.slice(2)}' to='${to}'><body>${first.padEnd(BODY, ' lorem ipsum dolor sit amet')}` +
    "</body><request xmlns='urn:xmpp:receipts'/></message>"
  )
}

/** One pair. */
export class Pair {
  /** How many A has sent and B has received. */
  sent = 0
  received = 0
  readonly index: number
  readonly #a: Client
  readonly #b: Client
  readonly #sequence: Sequence
  readonly #scanner = new Scanner()
  readonly #numbers: readonly number[]
  readonly #template: Buffer
  #ring: Buffer = NOTHING
  #slots = 0
  #delivered: Delivered = () => {}
  #arrived: (count: number) => void = () => {}

  /** @param domain where B is */
  constructor(index: number, a: Client, b: Client, domain: string) {
    this.index = index
    this.#a = a
    this.#b = b
    this.#sequence = new Sequence(index)
    this.#template = Buffer.from(stanza(index, `${userName(2 * index + 1)}@${domain}`), 'latin1')
    const body = this.#template.indexOf(mark(index, 0))
    const id = this.#template.indexOf(mark(index, 0).slice(2))
    this.#numbers = [body + SEQUENCE_AT.offset, id + SEQUENCE_AT.offset - 2]
    const note: Delivered = (pair, sequence) => {
      this.#sequence.note(pair, sequence)
      this.#delivered(pair, sequence)
    }
    b.handOver((text) => this.#receive(text, note))
  }

  /** Makes room for `slots` stanzas on their way. Only when none is. */
  prepare(slots: number, delivered: Delivered, arrived: (count: number) => void): void {
    this.#slots = slots
    this.#ring = Buffer.concat(Array.from({ length: slots }, () => this.#template))
    this.#delivered = delivered
    this.#arrived = arrived
  }

  /** How many more may be sent now. */
  get room(): number {
    return this.#slots - (this.sent - this.received)
  }

  /** Sends the next `count` messages. */
  send(count: number): void {
    for (let left = count; left > 0; left -= BATCH) this.#sendBatch(Math.min(left, BATCH))
  }

  #sendBatch(count: number): void {
    const size = this.#template.length
    const first = this.sent % this.#slots
    for (let index = 0; index < count; index++) this.#number((first + index) % this.#slots, this.sent + index)
    this.sent += count
    this.#a.sent += count
    const end = first + count
    if (end <= this.#slots) this.#a.write(this.#ring.subarray(first * size, end * size))
    else this.#a.writeBoth(this.#ring.subarray(first * size), this.#ring.subarray(0, (end - this.#slots) * size))
  }

  /** What went wrong so far, provided that everything has had its time to arrive. */
  faults(): Faults {
    return this.#sequence.faults(this.sent)
  }

  /** Messages that A got, which must be errors, and connections that broke. */
  get broken(): number {
    return this.#a.messages + Number(this.#a.closed) + Number(this.#b.closed)
  }

  /** Waits until the server has acknowledged all that A sent. */
  async acknowledged(): Promise<void> {
    await this.#a.flush()
  }

  async close(): Promise<void> {
    await Promise.all([this.#a.close(), this.#b.close()])
  }

  #number(slot: number, sequence: number): void {
    const start = slot * this.#template.length
    for (const at of this.#numbers) {
      let rest = sequence
      for (let index = start + at + SEQUENCE_AT.digits - 1; index >= start + at; index--) {
        this.#ring[index] = 48 + (rest % 10)
        rest = Math.trunc(rest / 10)
      }
    }
  }

  #receive(text: string, note: Delivered): void {
    const found = this.#scanner.scan(text, note)
    this.#b.handled += found.messages
    this.received += found.messages
    if (found.requests > 0) this.#b.answer(found.requests)
    if (found.messages > 0) this.#arrived(found.messages)
  }
}

/** Logs in the users of `count` pairs. @param other where those who receive are */
export async function openPairs(target: Target, count: number, other: Target = target): Promise<Pair[]> {
  const clients: Client[] = []
  await inTurns(2 * count, 20, async (user) => {
    const line = `${user % 2 === 0 ? 'A' : 'B'} ${Math.trunc(user / 2)}`
    clients[user] = await open(user % 2 === 0 ? target : other, { user: userName(user), carbons: true }, line)
  })
  return Array.from({ length: count }, (_, index) => {
    const [a, b] = clients.slice(2 * index)
    if (a === undefined || b === undefined) throw new Error('a client is missing')
    return new Pair(index, a, b, other.domain)
  })
}
