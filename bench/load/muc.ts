// SPDX-License-Identifier: Apache-2.0
// Scenario `muc`: many enter one room, then one of them says something again and again, and all get it.

import { setTimeout as delay } from 'node:timers/promises'
import { DOMAIN, userName } from '../accounts.ts'
import { whenQuiet } from '../cpu.ts'
import { type Client, inTurns, open } from './client.ts'
import type { Job, Measured, Report } from './job.ts'

/** Messages on their way at a time. */
const WINDOW = 20
/** How long everything may take to arrive, in ms. */
const PATIENCE = 300_000
const MUC = 'http://jabber.org/protocol/muc'

/** Where the rooms are: servers call their service differently. */
async function serviceOf(client: Client): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  let text = ''
  client.handOver((more) => {
    text += more
    const found = /jid=['"]((?:rooms|conference)\.[^'"]*)/.exec(text)?.[1]
    if (found !== undefined) resolve(found)
  })
  client.write(`<iq type='get' id='d' to='${DOMAIN}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`)
  return promise
}

function join(client: Client, room: string, index: number): void {
  client.write(`<presence to='${room}/${userName(index)}'><x xmlns='${MUC}'/></presence>`)
  client.sent++
}

/** Makes the room: open, lasting, with the archive that the server gives it. */
async function make(owner: Client, room: string, shown: boolean): Promise<void> {
  join(owner, room, 0)
  await until(() => owner.messages > 0 || owner.handled > 1)
  const field = (name: string, value: string): string => `<field var='${name}'><value>${value}</value></field>`
  const form =
    field('FORM_TYPE', `${MUC}#roomconfig`) +
    field('muc#roomconfig_membersonly', '0') +
    field('muc#roomconfig_persistentroom', '1') +
    (shown ? '' : field('muc#roomconfig_presencebroadcast', 'moderator'))
  owner.write(
    `<iq type='set' id='c' to='${room}'><query xmlns='${MUC}#owner'><x xmlns='jabber:x:data' type='submit'>${form}</x></query></iq>`,
  )
  owner.sent++
  await owner.flush()
  await delay(250)
}

async function until(reached: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE
  while (!reached()) {
    if (performance.now() > end) throw new Error('not everything has arrived')
    await delay(5)
  }
}

/** Says `count` things. @returns how long it took until all had them, in ms */
async function talk(speaker: Client, all: readonly Client[], room: string, count: number): Promise<number> {
  const before = all.map(({ messages }) => messages)
  const base = speaker.messages
  const began = performance.now()
  for (let sent = 0; sent < count; ) {
    const free = WINDOW - (sent - (speaker.messages - base))
    let text = ''
    for (let i = 0; i < free && sent < count; i++, sent++) {
      const body = `${sent} lorem ipsum dolor sit amet`.padEnd(60, '.')
      text += `<message type='groupchat' id='m${sent}' to='${room}'><body>${body}</body></message>`
    }
    if (text === '') await new Promise(setImmediate)
    else speaker.write(text)
  }
  await until(() => all.every(({ messages }, index) => messages >= (before[index] ?? 0) + count))
  return performance.now() - began
}

/** Runs the scenario. */
export async function muc(target: Measured, job: Job & { scenario: 'muc' }): Promise<Report> {
  const { users, messages, name, settle, shown } = job
  const scout = await open(target, { user: userName(0), carbons: false }, 'A')
  const room = `bench@${await serviceOf(scout)}`
  await scout.close()
  const all: Client[] = []
  await inTurns(users, 20, async (user) => {
    all[user] = await open(target, { user: userName(user), carbons: false }, 'A')
  })
  const [owner] = all
  if (!owner) throw new Error('nobody is there')
  await make(owner, room, shown)
  const quiet = await whenQuiet(target.pid, settle)
  for (const [index, client] of all.entries()) if (index > 0) join(client, room, index)
  // Everybody gets the presence of everybody, and the subject.
  await until(() => all.every((client) => client.messages > 0 && (!shown || client.handled > users)))
  const joined = await whenQuiet(target.pid, settle)
  await talk(owner, all, room, Math.ceil(messages / 5)) // warm
  const before = await whenQuiet(target.pid, settle)
  const took = await talk(owner, all, room, messages)
  const after = await whenQuiet(target.pid, settle)
  const broken = all.filter(({ closed }) => closed).length
  await Promise.all(all.map((client) => client.close()))
  return {
    figures: {
      ...(shown && { [`${name}.join`]: (joined - quiet) / (users * users) }),
      [`${name}.cpu`]: (after - before) / (users * messages),
      [`${name}.rate`]: (users * messages) / (took / 1000),
    },
    failures: broken === 0 ? [] : [`${broken} connections broke`],
    notes: [],
  }
}
