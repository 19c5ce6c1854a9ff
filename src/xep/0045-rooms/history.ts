// SPDX-License-Identifier: Apache-2.0
// The last messages of a room, for those who enter (XEP-0045 §7.2.13 and §7.2.14). They are in memory, so that entering
// waits for nothing, and nothing comes between the past and the present.
import { type Element, el } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, type Stanza } from '../../xmpp/stanza.ts'
import { NS_DELAY, NS_MUC } from './names.ts'

/** As many messages as are kept, and the UTF-16 units of their texts. */
export const HISTORY_MOST = 100
const TEXT_MOST = 256 * 1024

/** A message that was said, without an addressee. */
export interface Said {
  /** The id that the room gave it; undefined if it has none. */
  readonly id: string | undefined
  /** ms since 1970. */
  readonly time: number
  readonly message: Stanza
}

/** What of it somebody wants to have. */
interface Wanted {
  readonly chars: number
  readonly stanzas: number
  /** ms since 1970. */
  readonly since: number
}

/** The last messages, oldest first. */
export class History {
  #said: Said[] = []
  #text = 0

  add(said: Said, most: number): void {
    this.#said.push(said)
    this.#text += said.message.xml(NS_CLIENT).length
    while (this.#said.length > Math.min(most, HISTORY_MOST) || this.#text > TEXT_MOST) {
      const gone = this.#said.shift()
      if (!gone) return
      this.#text -= gone.message.xml(NS_CLIENT).length
    }
  }

  /** Takes a message out: it was retracted. */
  remove(id: string): void {
    const found = this.#said.find((one) => one.id === id)
    if (!found) return
    this.#text -= found.message.xml(NS_CLIENT).length
    this.#said = this.#said.filter((one) => one !== found)
  }

  /** What is to be sent to somebody who enters: whole messages, as few as any of the bounds wants, the latest of them. */
  *pick({ chars, stanzas, since }: Wanted, room: Jid): Iterable<Stanza> {
    const picked: Stanza[] = []
    let size = 0
    for (let at = this.#said.length - 1; at >= 0 && picked.length < stanzas; at--) {
      const said = this.#said[at]
      if (!said || said.time < since) break
      const message = delayed(said, room)
      size += message.xml(NS_CLIENT).length
      if (size > chars) break
      picked.push(message)
    }
    yield* picked.reverse()
  }
}

/** Reads the `<history/>` of whoever enters. Throws `bad-request` for what is no number or time. */
export function wantedHistory(join: Element | undefined, most: number, now: number): Wanted {
  const attrs = join?.child('history', NS_MUC)?.attrs ?? {}
  const seconds = count(attrs.seconds)
  const since = attrs.since === undefined ? 0 : Date.parse(attrs.since)
  if (Number.isNaN(since))
    throw new StanzaError('modify', 'bad-request', 'since is a time such as 2026-01-31T12:00:00Z.')
  return {
    chars: count(attrs.maxchars) ?? TEXT_MOST,
    stanzas: Math.min(count(attrs.maxstanzas) ?? most, most),
    since: Math.max(since, seconds === undefined ? 0 : now - seconds * 1000),
  }
}

function count(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,12}$/.test(text)) throw new StanzaError('modify', 'bad-request', 'The bounds of history are numbers.')
  return Number(text)
}

/** §7.2.13: with the time; one that the sender gave (§7.9, from a chat that went before) stays alone. */
function delayed({ message, time }: Said, room: Jid): Stanza {
  if (message.element.child('delay', NS_DELAY)) return message
  return message.append(el('delay', NS_DELAY, { from: room.key, stamp: new Date(time).toISOString() }))
}
