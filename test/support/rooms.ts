// SPDX-License-Identifier: Apache-2.0
// Rooms as tests need them, made by the protocol and not behind its back.
import assert from 'node:assert/strict'
import type { Element } from '../../src/xml/element.ts'
import type { Actor } from './cast.ts'
import { assertLike } from './match.ts'

/** The namespaces of XEP-0045, as attributes. */
export const MUC = `xmlns='http://jabber.org/protocol/muc'`
export const USER = `xmlns='http://jabber.org/protocol/muc#user'`
export const ADMIN = `xmlns='http://jabber.org/protocol/muc#admin'`
export const OWNER = `xmlns='http://jabber.org/protocol/muc#owner'`

let rooms = 0

/** The address of a room that nobody has used. */
export function newRoom(name = 'coven'): string {
  return `${name}-${++rooms}@rooms.localhost`
}

/** Settings that make a room open to everybody. */
export const OPEN = { membersonly: '0', publicroom: '1' }

/** A filled-in form of a room. */
export function configuration(settings: Readonly<Record<string, string | readonly string[]>>): string {
  const fields = Object.entries(settings).map(([name, value]) => {
    const values = (typeof value === 'string' ? [value] : value).map((one) => `<value>${one}</value>`)
    return `<field var='${name.includes('#') ? name : `muc#roomconfig_${name}`}'>${values.join('')}</field>`
  })
  const type = `<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>`
  return `<query ${OWNER}><x xmlns='jabber:x:data' type='submit'>${type}${fields.join('')}</x></query>`
}

/** Sets a room up. */
export async function configures(
  owner: Actor,
  room: string,
  settings: Readonly<Record<string, string | readonly string[]>>,
): Promise<void> {
  assertLike(await owner.sets(configuration(settings), room), `<iq type='result'/>`)
}

/** Asks to enter; nothing is awaited. */
export function asks(actor: Actor, room: string, nick: string, more = '', outside = ''): void {
  actor.sends(`<presence to='${room}/${nick}' id='join'><x ${MUC}>${more}</x>${outside}</presence>`)
}

/** Enters a room, and gives everything that came until the server was done. */
export async function enters(actor: Actor, room: string, nick: string, more = ''): Promise<readonly Element[]> {
  asks(actor, room, nick, more)
  const heard = await actor.hearsOut()
  const own = heard.find((one) => one.name === 'presence' && hasCode(one, '110'))
  assert.ok(own, `${nick} did not get in: ${heard.map((one) => one.xml('jabber:client')).join('')}`)
  return heard
}

/** Makes a room and is in it. */
export async function makes(
  owner: Actor,
  room: string,
  nick: string,
  settings: Readonly<Record<string, string | readonly string[]>> = {},
): Promise<void> {
  await enters(owner, room, nick)
  await configures(owner, room, settings)
  await owner.settles()
}

/** A room with people in it, all of whom know of each other; the first is its owner. Nicks are the names of the clients. */
export async function gathers(
  room: string,
  settings: Readonly<Record<string, string | readonly string[]>>,
  people: Readonly<Record<string, Actor>>,
): Promise<void> {
  const [[nick = '', owner] = [], ...others] = Object.entries(people)
  if (!owner) return
  await makes(owner, room, nick, settings)
  for (const [name, actor] of others) await enters(actor, room, name)
  for (const actor of Object.values(people)) await actor.settles()
}

/** Whether a stanza has a status code. */
export function hasCode(stanza: Element, code: string): boolean {
  return codesOf(stanza).includes(code)
}

/** The status codes of a stanza. */
export function codesOf(stanza: Element): readonly string[] {
  const user = stanza.child('x', 'http://jabber.org/protocol/muc#user')
  return (user?.childrenNamed('status') ?? []).map(({ attrs }) => attrs.code ?? '')
}

/** A presence in a room as tests expect it. @param item attributes of the item */
export function seen(from: string, item: string, codes: readonly number[] = [], attrs = ''): string {
  const statuses = codes.map((code) => `<status code='${code}'/>`).join('')
  return `<presence from='${from}' ${attrs}><x ${USER}><item ${item}/>${statuses}</x></presence>`
}

/** One line for each stanza: who, and what of them. */
export function lines(stanzas: readonly Element[]): readonly string[] {
  return stanzas.map((one) => {
    const nick = one.attrs.from?.split('/')[1] ?? ''
    const codes = codesOf(one)
    const what = one.childText('body') ?? one.childText('subject') ?? one.attrs.type ?? 'here'
    return [one.name, nick, what, ...codes].join(' ').trim()
  })
}

/** Sets a role or an affiliation. */
export function admin(actor: Actor, room: string, ...items: readonly string[]): Promise<Element> {
  return actor.sets(`<query ${ADMIN}>${items.join('')}</query>`, room)
}
