// SPDX-License-Identifier: Apache-2.0
// An hour of what fifty contacts do while a phone lies in a pocket: the same one each time, made from a seed. Rates are
// those of a roster in which half of the people have a chat open at work and the others a phone.

/** How many contacts there are. */
export const CONTACTS = 50
/** Its length in ms. */
export const HOUR = 3_600_000

const MINUTE = 60_000
const NS_EVENT = 'http://jabber.org/protocol/pubsub#event'

/** Something that a contact's client sends. */
export interface Happening {
  /** In ms from the beginning. */
  readonly at: number
  /** Which contact. */
  readonly contact: number
  readonly xml: string
}

/** Numbers from 0 to 1 that look random (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Moments of the hour that are `mean` ms apart on the average. */
function* moments(random: () => number, mean: number): Iterable<number> {
  for (let at = 0; ; ) {
    at += Math.round(-Math.log(1 - random()) * mean)
    if (at >= HOUR) return
    yield at
  }
}

function hex(random: () => number, length: number): string {
  return Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')
}

/** What clients put into their presence: capabilities (XEP-0115) and the hash of an avatar (XEP-0153). */
function presence(contact: number, show: string): string {
  const ver = Buffer.from(hex(numbers(contact), 20)).toString('base64')
  const caps = `<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://example.org/client' ver='${ver}'/>`
  const photo = `<x xmlns='vcard-temp:x:update'><photo>${hex(numbers(contact), 40)}</photo></x>`
  return `<presence>${show === '' ? '' : `<show>${show}</show>`}${caps}${photo}</presence>`
}

function event(to: string, node: string, id: string, payload: string): string {
  return `<message to='${to}' type='headline'><event xmlns='${NS_EVENT}'><items node='${node}'><item id='${id}'>${payload}</item></items></event></message>`
}

function avatar(to: string, random: () => number): string {
  const [id, ns] = [hex(random, 40), 'urn:xmpp:avatar:metadata']
  const info = `<info id='${id}' type='image/png' bytes='12345' width='64' height='64'/>`
  return event(to, ns, id, `<metadata xmlns='${ns}'>${info}</metadata>`)
}

function mood(to: string): string {
  const ns = 'http://jabber.org/protocol/mood'
  return event(to, ns, 'current', `<mood xmlns='${ns}'><happy/><text>Yay, the weekend!</text></mood>`)
}

function devices(to: string, random: () => number): string {
  const ns = 'eu.siacs.conversations.axolotl'
  const list = Array.from({ length: 3 }, () => `<device id='${Math.floor(random() * 2 ** 31)}'/>`).join('')
  return event(to, `${ns}.devicelist`, 'current', `<list xmlns='${ns}'>${list}</list>`)
}

function tune(to: string, random: () => number): string {
  const ns = 'http://jabber.org/protocol/tune'
  const text = `<artist>Yes</artist><length>686</length><title>Heart of the Sunrise ${hex(random, 4)}</title>`
  return event(to, ns, 'current', `<tune xmlns='${ns}'>${text}</tune>`)
}

function chatState(to: string, name: string): string {
  const hint = `<no-store xmlns='urn:xmpp:hints'/>`
  return `<message to='${to}' type='chat'><${name} xmlns='http://jabber.org/protocol/chatstates'/>${hint}</message>`
}

/** An encrypted message of about a line (XEP-0384). */
function message(to: string, random: () => number): string {
  const id = hex(random, 32)
  const key = (rid: number): string => `<key rid='${rid}'>${Buffer.from(hex(random, 120)).toString('base64')}</key>`
  const header = `<header sid='27183'>${key(31415)}${key(92653)}<iv>${hex(random, 16)}</iv></header>`
  const payload = `<payload>${Buffer.from(hex(random, 60)).toString('base64')}</payload>`
  const encrypted = `<encrypted xmlns='eu.siacs.conversations.axolotl'>${header}${payload}</encrypted>`
  const rest = `<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/><store xmlns='urn:xmpp:hints'/>`
  return `<message to='${to}' type='chat' id='${id}'>${encrypted}${rest}<body>I sent you an OMEMO encrypted message.</body></message>`
}

/** Who writes a few lines, and stops and starts while doing so. */
function* conversation(random: () => number, to: string, contact: number, begin: number): Iterable<Happening> {
  let at = begin
  for (let line = 1 + Math.floor(random() * 4); line > 0; line--) {
    for (let pauses = Math.floor(random() * 3); pauses >= 0; pauses--) {
      yield { at, contact, xml: chatState(to, 'composing') }
      at += 4000 + Math.round(random() * 12_000)
      if (pauses > 0) yield { at, contact, xml: chatState(to, 'paused') }
      at += 1000 + Math.round(random() * 3000)
    }
    yield { at, contact, xml: message(to, random) }
    at += 3000 + Math.round(random() * 40_000)
  }
  yield { at, contact, xml: chatState(to, 'inactive') }
}

/** What one contact does beside writing: away and back again, now and then news of himself. */
function* quietLife(random: () => number, to: string, contact: number): Iterable<Happening> {
  let away = false
  for (const at of moments(random, 15 * MINUTE)) {
    away = !away
    yield { at, contact, xml: presence(contact, away ? 'away' : '') }
  }
  for (const at of moments(random, 120 * MINUTE)) yield { at, contact, xml: devices(to, random) }
  for (const at of moments(random, 240 * MINUTE)) yield { at, contact, xml: avatar(to, random) }
  for (const at of moments(random, 240 * MINUTE)) yield { at, contact, xml: mood(to) }
  // One in twenty shows what plays.
  if (contact % 20 !== 0) return
  for (const at of moments(random, 4 * MINUTE)) yield { at, contact, xml: tune(to, random) }
}

/** The hour. @param to the bare JID of whose phone it is */
export function hour(to: string, seed = 352): readonly Happening[] {
  const random = numbers(seed)
  const all: Happening[] = []
  for (let contact = 0; contact < CONTACTS; contact++) all.push(...quietLife(random, to, contact))
  for (const at of moments(random, 8 * MINUTE)) {
    all.push(...conversation(random, to, Math.floor(random() * CONTACTS), at))
  }
  return all.filter(({ at }) => at < HOUR).toSorted((one, other) => one.at - other.at)
}

/** What the contacts say when they come. */
export function arrival(contact: number): string {
  return presence(contact, '')
}
