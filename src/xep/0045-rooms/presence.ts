// SPDX-License-Identifier: Apache-2.0
// What those in a room get to see of each other (XEP-0045 §7.2.2 to §7.2.4). Each variant is written once, however many get it.
import type { Router } from '../../core/router.ts'
import { type Element, el, Element as XmlElement } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../../xmpp/stanza.ts'
import { isShown, seesAddresses } from './config.ts'
import { NS_HATS, NS_MUC, NS_OCCUPANT_ID, NS_USER, refusal } from './names.ts'
import type { Occupant, Room, Seat } from './room.ts'

/** What only a room says, or what was for the room alone (§17.3). */
const OWN = new Set([NS_MUC, NS_USER, NS_OCCUPANT_ID, NS_HATS])
/** UTF-16 units of what a client says of itself. */
const WORDS_MAX = 16_384
const NOTHING: readonly Element[] = Object.freeze([])

/** More about a presence than who it is of. */
export interface Notice {
  /** The occupant is gone, or has another nick now. */
  readonly gone?: boolean
  /** For all who get it. */
  readonly codes?: readonly number[]
  /** The new nick (§7.6). */
  readonly nick?: string
  /** Who did it, by nick, and why. */
  readonly actor?: string | undefined
  readonly reason?: string | undefined
  /** What the occupant said of itself, if that is not what its client last said. */
  readonly presence?: readonly Element[]
}

/** What a client says of itself in a presence, as others may see it. Throws if it says too much. */
export function ownWords({ element, lang, to }: Stanza): readonly Element[] {
  const words = element.elements.filter(({ ns }) => !OWN.has(ns))
  let size = 0
  for (const word of words) size += word.xml(NS_CLIENT).length
  if (size > WORDS_MAX) {
    const text = 'A presence in a room is no place for so much.'
    throw to ? refusal(to, 'modify', 'not-acceptable', text) : new StanzaError('modify', 'not-acceptable', text)
  }
  if (lang === undefined) return words
  return words.map((word) => (word.attrs['xml:lang'] === undefined ? word.withAttrs({ 'xml:lang': lang }) : word))
}

/** Presence of an occupant, without an addressee. @param seat whose real address stands in it, if any may */
export function presenceOf(
  room: Room,
  occupant: Occupant,
  {
    seat,
    self = NOTHING_MORE,
    gone = false,
    ...notice
  }: Notice & { seat?: Seat | undefined; self?: readonly number[] },
): Stanza {
  const affiliation = room.affiliation(occupant.user)
  const item = el(
    'item',
    NS_USER,
    {
      affiliation,
      role: gone && notice.nick === undefined ? 'none' : occupant.role,
      jid: seat?.jid.key,
      nick: notice.nick,
    },
    notice.actor !== undefined && el('actor', NS_USER, { nick: notice.actor }),
    notice.reason !== undefined && el('reason', NS_USER, null, notice.reason),
  )
  const codes = [...self, ...(notice.codes ?? [])].sort((one, other) => one - other)
  const user = el('x', NS_USER, null, item, ...codes.map((code) => el('status', NS_USER, { code: String(code) })))
  const said = notice.presence ?? (gone ? NOTHING : (occupant.main?.presence ?? NOTHING))
  const hats = hatsOf(room, occupant.user)
  const children = [...said, user, occupant.id, ...(hats ? [hats] : [])]
  return Stanza.of(whole('presence', gone ? { type: 'unavailable' } : {}, children), occupant.jid, undefined)
}

const NOTHING_MORE: readonly number[] = Object.freeze([])
const SELF: readonly number[] = Object.freeze([110])

/** An element whose content is written once. */
export function whole(name: string, attrs: Readonly<Record<string, string>>, children: readonly Element[]): Element {
  const text = children.map((child) => child.xml(NS_CLIENT)).join('')
  return new XmlElement(name, NS_CLIENT, attrs, children, { text, declarations: '' })
}

/** XEP-0317 §4.1. */
function hatsOf({ config }: Room, user: Jid): Element | undefined {
  const worn = config.wearers[user.key]
  if (!worn) return undefined
  const hats = config.hats.filter(({ uri }) => worn.includes(uri))
  return el('hats', NS_HATS, null, ...hats.map(({ uri, title, hue }) => el('hat', NS_HATS, { uri, title, hue })))
}

/** Whether a client in the room gets to know that an occupant is in it: it itself, moderators, and all if its role is shown. */
export function seesOccupant(room: Room, { occupant: viewer }: Seat, occupant: Occupant): boolean {
  return viewer === occupant || viewer.role === 'moderator' || isShown(room.config, occupant.role)
}

/** What others see of an occupant, with its real address or without; made when it is first needed. */
interface Seen {
  open?: Stanza
  hidden?: Stanza
}

/** As it was announced last: whatever changes about an occupant is announced. */
const seen = new WeakMap<Occupant, Seen>()

/** Presence of an occupant as somebody else sees it: many enter, and few of those who are there have changed since. */
function seenBy(viewer: Seat, occupant: Occupant, room: Room): Stanza {
  const known = seen.get(occupant) ?? {}
  seen.set(occupant, known)
  if (seesAddresses(room.config, viewer.occupant.role)) {
    known.open ??= presenceOf(room, occupant, { seat: occupant.main })
    return known.open
  }
  known.hidden ??= presenceOf(room, occupant, {})
  return known.hidden
}

/**
 * Tells everybody in the room about an occupant.
 * @param except clients that are told by other means
 */
export function announce(router: Router, room: Room, occupant: Occupant, notice: Notice, except?: Seat): void {
  const seat = occupant.main
  seen.delete(occupant)
  let open: Stanza | undefined
  let hidden: Stanza | undefined
  let own: Stanza | undefined
  for (const viewer of room.seats.values()) {
    if (viewer === except || !seesOccupant(room, viewer, occupant)) continue
    let stanza: Stanza
    if (viewer.occupant === occupant) stanza = own ??= presenceOf(room, occupant, { ...notice, seat, self: SELF })
    else if (seesAddresses(room.config, viewer.occupant.role)) {
      stanza = open ??= presenceOf(room, occupant, { ...notice, seat })
    } else stanza = hidden ??= presenceOf(room, occupant, notice)
    void router.route(stanza.with({ to: viewer.jid }))
  }
}

/** Tells one client about itself. @param codes beside 110 */
export function tellSelf(router: Router, room: Room, seat: Seat, notice: Notice, id?: string): void {
  const stanza = presenceOf(room, seat.occupant, {
    ...notice,
    seat,
    self: SELF,
    presence: notice.presence ?? (notice.gone ? NOTHING : seat.presence),
  })
  void router.route(stanza.with({ to: seat.jid, id }))
}

/** Tells a client who is in the room beside it (§7.2.2). */
export function tellOthers(router: Router, room: Room, seat: Seat): void {
  for (const occupant of room.occupants.values()) {
    if (occupant === seat.occupant || !seesOccupant(room, seat, occupant)) continue
    void router.route(seenBy(seat, occupant, room).with({ to: seat.jid }))
  }
}

/** Sends a message to all in the room. Its content is written once; nothing waits, and no promise is made for a copy. */
export function broadcast(router: Router, room: Room, message: Stanza): void {
  for (const { jid } of room.seats.values()) void router.route(message.with({ to: jid }))
}

/** Sends a message of the room itself to all in it (§10.2.1: status codes). */
export function proclaim(router: Router, room: Room, codes: readonly number[]): void {
  const user = el('x', NS_USER, null, ...codes.map((code) => el('status', NS_USER, { code: String(code) })))
  broadcast(router, room, Stanza.of(whole('message', { type: 'groupchat' }, [user]), room.jid, undefined))
}
