// SPDX-License-Identifier: Apache-2.0
// Scenario `mam`: the newest 50 messages of an archive, over and over again, one question after the other.

import { DOMAIN, userName } from '../accounts.ts'
import { whenQuiet } from '../cpu.ts'
import { quantile } from './chat.ts'
import { type Client, open } from './client.ts'
import type { Job, Measured, Report } from './job.ts'

const PAGE = 50
/** Messages that are sent before their acknowledgement is awaited. */
const TOGETHER = 50

async function send(a: Client, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += TOGETHER) {
    let text = ''
    for (let i = sent; i < Math.min(count, sent + TOGETHER); i++) {
      const body = `${i} lorem ipsum dolor sit amet`.padEnd(60, '.')
      text += `<message type='chat' id='m${i}' to='${userName(1)}@${DOMAIN}'><body>${body}</body></message>`
      a.sent++
    }
    a.write(text)
    await a.flush()
  }
}

/** Asks, and gives the delay of each answer in ms; `undefined` for one that was not as it should be. */
async function ask(b: Client, queries: number): Promise<(number | undefined)[]> {
  const delays: (number | undefined)[] = []
  let text = ''
  let answered: () => void = () => {}
  b.handOver((more) => {
    text += more
    if (/<\/iq>/.test(more) || /<\/iq>/.test(text.slice(-200))) answered()
  })
  for (let query = 0; query < queries; query++) {
    const { promise, resolve } = Promise.withResolvers<void>()
    answered = resolve
    text = ''
    const began = performance.now()
    b.write(
      `<iq type='set' id='q${query}'><query xmlns='urn:xmpp:mam:2'>` +
        `<set xmlns='http://jabber.org/protocol/rsm'><max>${PAGE}</max><before/></set></query></iq>`,
    )
    await promise
    const took = performance.now() - began
    const results = text.match(/<result /g)?.length ?? 0
    delays.push(results === PAGE && text.includes('<last') ? took : undefined)
    b.handled += results + 1
    b.answer(text.match(/<r[ /]/g)?.length ?? 0)
  }
  return delays
}

/** Runs the scenario. */
export async function mam(target: Measured, job: Job & { scenario: 'mam' }): Promise<Report> {
  const b = await open(target, { user: userName(1), carbons: false }, 'B')
  if (job.send > 0) {
    const a = await open(target, { user: userName(0), carbons: false }, 'A')
    await send(a, job.send)
    await a.close()
  }
  await whenQuiet(target.pid, job.settle)
  await ask(b, job.queries) // warm: with fewer, a good part of what is measured is the compiler
  const before = await whenQuiet(target.pid, job.settle)
  const delays = await ask(b, job.queries)
  const after = await whenQuiet(target.pid, job.settle)
  await b.close()
  const good = Float64Array.from(delays.filter((delay) => delay !== undefined)).sort()
  return {
    figures: {
      [`${job.name}.p50`]: quantile(good, 0.5),
      [`${job.name}.p99`]: quantile(good, 0.99),
      [`${job.name}.cpu`]: (after - before) / 1000 / job.queries,
    },
    failures: good.length === delays.length ? [] : [`${delays.length - good.length} answers were not whole`],
    notes: [],
  }
}
