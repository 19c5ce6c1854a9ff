// SPDX-License-Identifier: Apache-2.0
// Scenario `crash`, the two halves of one run: numbered messages to somebody who is away, each with `<r/>`, until the server is
// killed; and, when it runs again, whether all that were acknowledged are there.

import { setTimeout as delay } from 'node:timers/promises'
import { userName } from '../accounts.ts'
import { open } from './client.ts'
import type { Job, Measured, Report } from './job.ts'
import { type Faults, mark, Scanner, Sequence } from './sequence.ts'

/** Ticks of the sender, in ms. */
const TICK = 5
/** So long without a message means that there are no more, in ms. */
const QUIET = 2000
/** Archived messages asked for at once. */
const PAGE = 250

/** Sends until it has killed the server. @returns how many messages were sent, and how many acknowledged */
export async function flood(target: Measured, job: Job & { scenario: 'flood' }): Promise<Report> {
  const { pair, perSecond, seconds } = job
  const client = await open(target, { user: userName(2 * pair), carbons: false }, '')
  const to = `${userName(2 * pair + 1)}@${target.domain}`
  const before = client.sent
  const began = performance.now()
  let sent = 0
  const sendDue = (): void => {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond)
    for (; sent < due; sent++) {
      const body = `${mark(pair, sent)}${'x'.repeat(46)}`
      client.write(
        `<message type='chat' id='c${sent}' to='${to}'><body>${body}</body></message><r xmlns='urn:xmpp:sm:3'/>`,
      )
    }
  }
  const timer = setInterval(sendDue, TICK)
  await delay(seconds * 1000)
  process.kill(target.pid, 'SIGKILL')
  while (!client.closed) await delay(TICK)
  clearInterval(timer)
  const acknowledged = client.acknowledged - before
  const failures = acknowledged > 0 ? [] : ['crash: nothing was acknowledged']
  return { figures: { sent, acknowledged }, failures, notes: [] }
}

/** Reads the archive of the sender from its beginning. */
async function readArchive(target: Measured, pair: number): Promise<Sequence> {
  const sequence = new Sequence(pair)
  const scanner = new Scanner()
  const client = await open(target, { user: userName(2 * pair), carbons: false }, '')
  let page = ''
  let answered: () => void = () => {}
  client.handOver((text) => {
    page += text
    const { messages, requests } = scanner.scan(text, (of, number) => sequence.note(of, number))
    client.handled += messages
    client.answer(requests)
    if (page.includes('</iq>')) answered()
  })
  for (let after = ''; ; ) {
    const { promise, resolve } = Promise.withResolvers<void>()
    answered = resolve
    page = ''
    const set = `<set xmlns='http://jabber.org/protocol/rsm'><max>${PAGE}</max>${after}</set>`
    client.write(`<iq type='set' id='q'><query xmlns='urn:xmpp:mam:2'>${set}</query></iq>`)
    await promise
    client.handled++
    const last = /<last>([^<]*)<\/last>/.exec(page)?.[1]
    if (last === undefined || /complete=['"]true/.test(page)) break
    after = `<after>${last}</after>`
  }
  await client.close()
  return sequence
}

/** Reads what waits. */
async function readOffline(target: Measured, pair: number): Promise<Sequence> {
  const sequence = new Sequence(pair)
  const scanner = new Scanner()
  let last = performance.now()
  const receive = (text: string): void => {
    const { messages } = scanner.scan(text, (of, number) => sequence.note(of, number))
    if (messages > 0) last = performance.now()
  }
  const client = await open(target, { user: userName(2 * pair + 1), carbons: false, receive }, '')
  while (performance.now() - last < QUIET) await delay(TICK)
  await client.close()
  return sequence
}

/** Looks for everything at both ends: in what waits for the receiver, and in the archive of the sender. */
export async function collect(target: Measured, job: Job & { scenario: 'collect' }): Promise<Report> {
  const { pair, acknowledged } = job
  const places = [
    { place: 'waiting', ...(await readOffline(target, pair)).faults(acknowledged) },
    { place: 'archived', ...(await readArchive(target, pair)).faults(acknowledged) },
  ]
  const worst = (count: (of: Faults) => number): number => Math.max(...places.map(count))
  const figures = {
    lost: worst(({ lost }) => lost),
    doubled: worst(({ doubled }) => doubled),
    disordered: worst(({ disordered }) => disordered),
  }
  const notes = places.flatMap(({ place, lost, doubled, disordered }) =>
    lost + doubled + disordered === 0 ? [] : [`${place}: ${lost} lost, ${doubled} doubled, ${disordered} disordered`],
  )
  return { figures, failures: [], notes }
}
