// SPDX-License-Identifier: Apache-2.0
// Rosters and subscriptions as tests need them, made by the protocol and not behind its back.
import type { Element } from '../../src/xml/element.ts'
import type { Actor } from './cast.ts'

const NS = 'jabber:iq:roster'

/** A roster set (RFC 6121 §2.1.5) of this item. */
export function rosterSet(item: string, id = 'set'): string {
  return `<iq type='set' id='${id}'><query xmlns='${NS}'>${item}</query></iq>`
}

/** A roster push (RFC 6121 §2.1.6) of this item, as tests expect it. */
export function push(item: string): string {
  return `<iq type='set' id='*'><query xmlns='${NS}' ver='*'>${item}</query></iq>`
}

/** A client's roster as one line per contact: `jid subscription [ask] [approved]`. */
export async function rosterOf(actor: Actor): Promise<readonly string[]> {
  const answer = await actor.gets(`<query xmlns='${NS}'/>`)
  return (answer.child('query', NS)?.elements ?? []).map(line)
}

function line({ attrs }: Element): string {
  const extra = `${attrs.ask ? ' ask' : ''}${attrs.approved ? ' approved' : ''}`
  return `${attrs.jid} ${attrs.subscription}${extra}`
}

/** The first follows the second from now on: subscription `to` here, `from` there. */
export async function follow(fan: Actor, star: Actor): Promise<void> {
  fan.sends(`<presence type='subscribe' to='${star.bare}'/>`)
  await fan.settles()
  star.sends(`<presence type='subscribed' to='${fan.bare}'/>`)
  await star.settles()
  await fan.settles()
}

/** Both follow each other from now on. */
export async function befriend(one: Actor, other: Actor): Promise<void> {
  await follow(one, other)
  await follow(other, one)
  await one.settles()
}
