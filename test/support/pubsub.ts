// SPDX-License-Identifier: Apache-2.0
// What clients say to a publish-subscribe service (XEP-0060), and how they make known what they want to hear of (XEP-0163).
import { createHash } from 'node:crypto'
import { verificationText } from '../../src/xep/0115-caps/hash.ts'
import type { Element } from '../../src/xml/element.ts'
import { parseElement } from '../../src/xml/reader.ts'
import type { Actor } from './cast.ts'

const NS = 'http://jabber.org/protocol/pubsub'
const CAPS = 'http://jabber.org/protocol/caps'
const INFO = 'http://jabber.org/protocol/disco#info'

/** `<pubsub/>` around something. */
export function pubsub(content: string): string {
  return `<pubsub xmlns='${NS}'>${content}</pubsub>`
}

/** The same for owners. */
export function owner(content: string): string {
  return `<pubsub xmlns='${NS}#owner'>${content}</pubsub>`
}

/** A submitted form: `pubsub#` is put before the names. */
export function form(type: string, fields: Readonly<Record<string, string>>): string {
  const all = Object.entries(fields).map(
    ([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`,
  )
  return `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS}#${type}</value></field>${all.join('')}</x>`
}

/** A publication. @param options the publisher's preconditions */
export function publish(node: string, item: string, options?: Readonly<Record<string, string>>): string {
  const wanted = options ? `<publish-options>${form('publish-options', options)}</publish-options>` : ''
  return pubsub(`<publish node='${node}'>${item}</publish>${wanted}`)
}

/** A request for items. */
export function itemsOf(node: string, content = ''): string {
  return pubsub(`<items node='${node}'>${content}</items>`)
}

/** A notification. */
export function event(node: string, content: string, attrs = ''): string {
  return `<message type='headline' ${attrs}><event xmlns='${NS}#event'><items node='${node}'>${content}</items></event></message>`
}

/** An error with a condition of XEP-0060. */
export function refused(type: string, condition: string, detail?: string): string {
  const own = detail ? `<${detail} xmlns='${NS}#errors'/>` : ''
  return `<iq type='error'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>${own}</error></iq>`
}

/** The client becomes available with capabilities that ask for these nodes, and answers for them. What comes by then is thrown away. */
export async function listens(actor: Actor, ...nodes: readonly string[]): Promise<void> {
  await learns(actor, ...nodes)
  await actor.settles()
}

/** The same, but what comes after the answer is left to be received. */
export async function learns(actor: Actor, ...nodes: readonly string[]): Promise<void> {
  const answer = show(actor, nodes)
  for (;;) {
    const heard = await actor.hears()
    if (heard.name === 'presence' && heard.attrs.from === actor.full) return // a kind that is known is not asked
    reply(actor, heard, answer)
  }
}

/** The same, but it answers until this other server has asked too; gives everything else that came. */
export async function listensAt(
  server: string,
  actor: Actor,
  ...nodes: readonly string[]
): Promise<readonly Element[]> {
  const answer = show(actor, nodes)
  const others: Element[] = []
  for (const id of ['first', 'second']) {
    actor.sends(`<iq type='get' id='${id}' to='${server}'><ping xmlns='urn:xmpp:ping'/></iq>`)
    for (let heard = await actor.hears(); heard.attrs.id !== id; heard = await actor.hears())
      if (!reply(actor, heard, answer)) others.push(heard)
  }
  return others
}

/** What a client that asks for these nodes answers when it is asked what it has. */
export function listener(...nodes: readonly string[]): string {
  const features = nodes.map((node) => `<feature var='${node}+notify'/>`).join('')
  return `<query xmlns='${INFO}'><identity category='client' type='pc'/><feature var='${INFO}'/>${features}</query>`
}

/** Presence of such a client. */
export function capsPresence(...nodes: readonly string[]): string {
  const ver = createHash('sha1')
    .update(verificationText(parseElement(listener(...nodes))))
    .digest('base64')
  return `<presence><c xmlns='${CAPS}' hash='sha-1' node='urn:test' ver='${ver}'/></presence>`
}

/** @returns what the client answers */
function show(actor: Actor, nodes: readonly string[]): string {
  actor.sends(capsPresence(...nodes))
  return listener(...nodes)
}

function reply(actor: Actor, heard: Element, answer: string): boolean {
  if (heard.name !== 'iq' || !heard.child('query', INFO)) return false
  actor.sends(`<iq type='result' id='${heard.attrs.id}' to='${heard.attrs.from}'>${answer}</iq>`)
  return true
}
