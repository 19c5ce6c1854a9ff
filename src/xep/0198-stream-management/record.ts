// SPDX-License-Identifier: Apache-2.0
// A session as texts, and back.

import type { LocalAccount } from '../../core/directory.ts'
import { Session } from '../../core/session.ts'
import type { StoredSession } from '../../store/store.ts'
import { parseElement } from '../../xml/reader.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import type { Managed, Restored, Resume } from './managed.ts'
import { type Sent, textOf } from './queue.ts'

/** Between two stanzas: no XML contains it. */
const SEPARATOR = '\u001e'

/** Of stanzas whose addressee is the client with its resource. */
const LETTERS: Readonly<Record<Sent['kind'], string>> = { message: 'm', presence: 'p', iq: 'i' }
const KINDS: Readonly<Record<string, Sent['kind']>> = { m: 'message', p: 'presence', i: 'iq' }

/** What is kept of a session beside its counters. */
interface State {
  readonly id: string
  readonly resource: string
  readonly login: Session['login']
  readonly timeout: number
  readonly presence: string | undefined
  readonly priority: number | undefined
  readonly interested: boolean
  readonly directed: readonly string[]
  readonly notes: Readonly<Record<string, unknown>>
  readonly availableSince: number | undefined
}

/** Everything about the session that its client need not say again when it comes back. */
export function stateText({ client, resume }: Managed, availableSince: number | undefined): string {
  const { id, resource, login, presence, priority, interested, directed, notes } = client
  const state: State = {
    id,
    resource,
    login,
    timeout: resume?.timeout ?? 0,
    presence: presence?.xml(NS_CLIENT),
    priority,
    interested,
    directed: [...directed.keys()],
    notes: Object.fromEntries(notes),
    availableSince,
  }
  return JSON.stringify(state)
}

/** Ends of texts that several stanzas have in common, each once. */
export class SharedTexts {
  readonly texts: string[] = []
  readonly #places = new Map<string, number>()
  #length = 0

  /** UTF-16 units of all. */
  get length(): number {
    return this.#length
  }

  place(text: string): number {
    const known = this.#places.get(text)
    if (known !== undefined) return known
    const place = this.texts.push(text) - 1
    this.#places.set(text, place)
    this.#length += text.length
    return place
  }
}

/**
 * What was sent to a client, as one text.
 * @param shared where ends go that others have, too: their places stand before the texts
 */
export function chunkText(items: readonly Sent[], client: Jid, shared?: SharedTexts): string {
  return items.map((item) => recordOf(item, client, shared)).join(SEPARATOR)
}

/** The copies of a room are many: of those, what stands before the shared end is one letter. */
function recordOf(item: Sent, client: Jid, shared: SharedTexts | undefined): string {
  if (!shared || item.shared === undefined) return `${item.moment} ${textOf(item) ?? ''}`
  const place = shared.place(item.shared)
  if (item.xml === client.addressee) return `${item.moment} ${place}${LETTERS[item.kind]}`
  return `${item.moment} ${place}<${item.kind}${item.xml}`
}

/** A session as an earlier process left it: without a connection, and not entered anywhere. */
export interface Revived {
  readonly client: Session
  readonly resume: Resume
  readonly before: Restored
  readonly availableSince: number | undefined
  /** The last moment that is known of it. */
  readonly moment: number
}

/** Reads a stored session. Throws if it is not as we write it. */
export function revive(stored: StoredSession, account: LocalAccount): Revived {
  const state = JSON.parse(stored.state) as State
  const { id, resource, login, timeout, availableSince } = state
  const client = new Session(id, account.jid.withResource(resource), resource, account, login, undefined)
  client.presence = state.presence === undefined ? undefined : Stanza.parse(parseElement(state.presence, NS_CLIENT))
  client.priority = state.priority
  client.interested = state.interested
  for (const text of state.directed) client.directed.set(text, Jid.parse(text))
  for (const [key, value] of Object.entries(state.notes)) client.notes.set(key, value)
  const queue = queueOf(stored, client.jid)
  const { key, handled, acknowledged } = stored
  const moment = queue.at(-1)?.moment ?? 0
  return { client, resume: { key, timeout }, before: { handled, acknowledged, queue }, availableSince, moment }
}

function queueOf({ chunks, acknowledged }: StoredSession, client: Jid): readonly Sent[] {
  return chunks.flatMap(({ from, text, shared }) =>
    text
      .split(SEPARATOR)
      .slice(Math.max(0, acknowledged - from))
      .map((record) => sentOf(record, client, shared)),
  )
}

function sentOf(record: string, client: Jid, shared: readonly string[] = []): Sent {
  const space = record.indexOf(' ')
  const moment = Number(record.slice(0, space))
  const kindOfCopy = KINDS[record.at(-1) ?? '']
  if (kindOfCopy) {
    const end = shared[Number(record.slice(space + 1, -1))] ?? ''
    return { kind: kindOfCopy, xml: `<${kindOfCopy}${client.addressee}${end}`, moment }
  }
  const start = Math.max(space + 1, record.indexOf('<', space))
  const place = record.slice(space + 1, start)
  const xml = record.slice(start) + (place === '' ? '' : (shared[Number(place)] ?? ''))
  const kind = xml.startsWith('<m') ? 'message' : xml.startsWith('<i') ? 'iq' : 'presence'
  return { kind, xml, moment }
}
