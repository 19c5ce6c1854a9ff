// SPDX-License-Identifier: Apache-2.0
// A whole server in memory, with a clock of its own: an hour passes in seconds, and each byte to the phone is counted.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAccounts } from '../../src/accounts/accounts.ts'
import type { Clock } from '../../src/clock.ts'
import { silentLog } from '../../src/log.ts'
import { Metrics } from '../../src/metrics.ts'
import { startXmpp } from '../../src/server.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { features } from '../../src/xep/index.ts'
import type { Writable } from '../../src/xml/element.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { type Actor, LIMITS, Stranger } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { MemoryLink } from '../../test/support/memory-link.ts'
import { arrival, CONTACTS, HOUR, hour } from './hour.ts'

/** How often a phone makes sure of its connection, in ms. */
const KEEPALIVE = 300_000

/** What reached the phone in the hour. */
export interface Tally {
  readonly stanzas: number
  readonly bytes: number
  /** Writes after more than 10 s of silence: a radio (LTE) has gone to sleep by then. */
  readonly radio: number
  /** Writes after more than 1 s of silence: so has a processor. */
  readonly processor: number
  /** Stanzas and bytes that came when the user looked, after the hour. */
  readonly stanzasAfter: number
  readonly bytesAfter: number
}

/** A link that writes down what the server sends, and when. */
class CountedLink extends MemoryLink {
  readonly #clock: Clock
  #began = 0
  #times: number[] = []
  bytes = 0

  constructor(clock: Clock) {
    super()
    this.#clock = clock
  }

  override send(item: Writable): void {
    this.bytes += Buffer.byteLength(item.xml('jabber:client'))
    this.#times.push(this.#clock.now())
    super.send(item)
  }

  begin(): void {
    this.bytes = 0
    this.#times = []
    this.#began = this.#clock.now()
  }

  /** Writes after more than so many ms of silence. */
  wakeUps(silence: number): number {
    return this.#times.filter((time, index) => time - (this.#times[index - 1] ?? this.#began) > silence).length
  }
}

/** Starts a server that lets people in. */
async function open(dir: string, clock: Clock) {
  const hosts = new Set(['localhost'])
  const metrics = new Metrics()
  const store = await openSqlite({ file: join(dir, 'store.db'), clock, commitInterval: 1 })
  const accounts = createAccounts({ store, hosts, iterations: 4096, mechanisms: ['SCRAM-SHA-256'], clock })
  const server = await startXmpp({
    hosts,
    store,
    accounts,
    features,
    options: {},
    moved: new Map(),
    admins: new Set(),
    limits: { ...LIMITS, rosterItems: CONTACTS, idleTimeout: 2 * HOUR },
    sasl: {
      hashes: ['SCRAM-SHA-256'],
      plain: true,
      iterations: 4096,
      fakeSecret: Buffer.alloc(32, 7),
      tokenLifetime: HOUR,
    },
    software: { name: 'aenigma', version: '0.0.0-bench' },
    clock,
    log: silentLog,
    metrics,
  })
  return {
    server,
    async enter(name: string, link: MemoryLink): Promise<Actor> {
      const jid = Jid.of(name, 'localhost')
      await accounts.add(jid, 'secret')
      server.accept(link)
      return new Stranger(link).logsIn(jid, 'secret', 'client')
    },
    async close(): Promise<void> {
      await server.stop()
      await store.close()
      metrics.stop()
    },
  }
}

/** All are friends, and there. */
async function meet(phone: Actor, contacts: readonly Actor[]): Promise<void> {
  phone.sends(`<enable xmlns='urn:xmpp:sm:3'/>`)
  await phone.sets(`<enable xmlns='urn:xmpp:carbons:2'/>`)
  await phone.appears()
  for (const [index, contact] of contacts.entries()) {
    await contact.appears(arrival(index))
    for (const [one, other] of [
      [contact, phone],
      [phone, contact],
    ] as const) {
      one.sends(`<presence type='subscribe' to='${other.bare}'/>`)
      await one.settles()
      other.sends(`<presence type='subscribed' to='${one.bare}'/>`)
      await other.settles()
    }
  }
}

/** The hour passes. */
async function pass(phone: Actor, contacts: readonly Actor[], clock: FakeClock): Promise<void> {
  const began = clock.now()
  let asked = 0
  const until = async (at: number): Promise<void> => {
    for (; asked + KEEPALIVE <= at; asked += KEEPALIVE) {
      clock.advance(began + asked + KEEPALIVE - clock.now())
      phone.sends(`<r xmlns='urn:xmpp:sm:3'/>`)
      await contacts[0]?.settles() // the answer is of this moment
    }
    clock.advance(began + at - clock.now())
  }
  for (const { at, contact, xml } of hour(phone.bare)) {
    await until(at)
    contacts[contact]?.sends(xml)
    await contacts[contact]?.settles()
  }
  await until(HOUR)
}

/** Lets the hour pass. @param inactive whether the phone has said that nobody looks at it */
export async function measure(inactive: boolean): Promise<Tally> {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-bench-'))
  const clock = new FakeClock()
  const { server, enter, close } = await open(dir, clock)
  try {
    const link = new CountedLink(clock)
    const phone = await enter('juliet', link)
    const [session] = [...server.sessions()]
    const sent = (): number => session?.sent ?? 0
    const contacts: Actor[] = []
    for (let index = 0; index < CONTACTS; index++) contacts.push(await enter(`contact${index}`, new MemoryLink()))
    await meet(phone, contacts)
    if (inactive) phone.sends(`<inactive xmlns='urn:xmpp:csi:0'/>`)
    await phone.settles()
    clock.advance(60_000)
    link.begin()
    const before = sent()
    await pass(phone, contacts, clock)
    const [stanzas, bytes, radio, processor] = [sent() - before, link.bytes, link.wakeUps(10_000), link.wakeUps(1000)]
    phone.sends(`<active xmlns='urn:xmpp:csi:0'/>`)
    await contacts[0]?.settles()
    const [stanzasAfter, bytesAfter] = [sent() - before - stanzas, link.bytes - bytes]
    return { stanzas, bytes, radio, processor, stanzasAfter, bytesAfter }
  } finally {
    await close()
    rmSync(dir, { recursive: true })
  }
}
