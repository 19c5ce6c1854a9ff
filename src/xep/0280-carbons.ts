// SPDX-License-Identifier: Apache-2.0
// XEP-0280: Message Carbons. A client that wishes so sees what its account's other clients send and get. While no other
// client of an account does, its messages cost one look-up and no allocation.
import type { LocalAccount } from '../core/directory.ts'
import { type Feature, type FeatureContext, nonzaKey, PASS, type Verdict } from '../core/feature.ts'
import { recipients } from '../core/message.ts'
import type { Session } from '../core/session.ts'
import { Element, el } from '../xml/element.ts'
import { detach } from '../xml/intern.ts'
import { forwarded } from '../xmpp/0297-forwarding.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { type MessageType, NS_CLIENT, Stanza } from '../xmpp/stanza.ts'

const NS = 'urn:xmpp:carbons:2'
/** The rules of §6.1 as they stand. */
const NS_RULES = 'urn:xmpp:carbons:rules:0'
const NS_MUC_USER = 'http://jabber.org/protocol/muc#user'
/** Of copied messages of an account, whose errors are copied, too, the last ones are known; none with longer ids. */
const REMEMBERED = 200
const LONGEST_ID = 200

/** Namespaces that make a message one of instant messaging (§6.1), whatever its type. */
const OF_CHATS: ReadonlySet<string> = new Set([
  'http://jabber.org/protocol/chatstates', // XEP-0085
  'urn:xmpp:receipts', // XEP-0184
  'urn:xmpp:chat-markers:0', // XEP-0333
  'urn:xmpp:eme:0', // XEP-0380: what is in it is not for us to know
  'jabber:x:conference', // XEP-0249
])

/** Clients that have carbons, and how many of them an account has. They hang on the session, and are gone with it. */
const enabled = new WeakSet<Session>()
const counts = new WeakMap<LocalAccount, number>()

/** A note of the session, so that it survives a restart. */
const NOTE = 'carbons'

/** Switches the copies of a client on or off; again is no mistake (§10.1). */
function setCarbons(client: Session, on: boolean): void {
  if (enabled.has(client) === on) return
  client.note(NOTE, on || undefined)
  const count = counts.get(client.account) ?? 0
  counts.set(client.account, on ? count + 1 : count - 1)
  if (on) enabled.add(client)
  else enabled.delete(client)
}

/** For a session that an earlier process left: it gets copies if it did then. */
export function restoreCarbons(client: Session): void {
  if (client.notes.get(NOTE) === true) setCarbons(client, true)
}

/**
 * Whether a message on its way to one of our clients is a copy that we made for it: the client alone is to have it, so it
 * is not stored, and if the client is gone, the others know already.
 */
export function isCarbon({ kind, from, to, element }: Stanza): boolean {
  if (kind !== 'message' || !from || !to || !from.isBare || !from.equals(to.bare)) return false
  return (element.child('received', NS) ?? element.child('sent', NS)) !== undefined
}

/** XEP-0280: Message Carbons, with XEP-0297: Stanza Forwarding. */
export const carbons: Feature = {
  name: 'carbons',
  implements: [
    { xep: 280, version: '1.0.1', name: 'Message Carbons' },
    { xep: 297, version: '1.0', name: 'Stanza Forwarding', note: 'within other protocols' },
  ],
  setup(ctx) {
    const copies = new Copies(ctx)
    const route = (name: string, on: boolean) => ({
      at: ['account'] as const,
      type: 'set' as const,
      ns: NS,
      name,
      answer: ({ session }: { session: Session | undefined }): undefined => {
        if (!session) throw new StanzaError('cancel', 'not-allowed') // §4.1
        setCarbons(session, on)
      },
    })
    return {
      iq: [route('enable', true), route('disable', false)],
      only: { onSend: ['message'], onReceive: ['message'] },
      onSend: (stanza, sender) => copies.ofSent(stanza, sender),
      onReceive: (stanza, owner) => copies.ofReceived(stanza, owner),
      onEnd: (client) => setCarbons(client, false),
      inline: {
        bind: [NS],
        onBind: {
          [nonzaKey(NS, 'enable')]: (_, client) => {
            setCarbons(client, true)
            return undefined
          },
        },
      },
      disco: { server: { features: [NS, NS_RULES] }, account: { features: [NS, NS_RULES] } },
    }
  },
}

/** Makes the copies, and knows whose errors are to be copied. */
class Copies {
  readonly #ctx: FeatureContext
  /** Of each account, ids of copied messages with the peer's bare JID (§6.1: errors in response to them). */
  readonly #remembered = new WeakMap<LocalAccount, Set<string>>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** §8: to the sender's other clients. What is for the account itself is copied once only, when it is received. */
  ofSent(stanza: Stanza, sender: Session): Verdict {
    const { account } = sender
    const count = counts.get(account)
    if (!count || stanza.kind !== 'message' || !stanza.to || (count === 1 && enabled.has(sender))) return PASS
    const { to } = stanza
    if (to.bare.equals(account.jid) || !this.#isEligible(stanza, account, to)) return PASS
    const privately = isWithOccupant(stanza, to)
    this.#remember(stanza, account, to)
    this.#copy('sent', stanza, account, (client) => {
      return client !== sender && (!privately || shareNick(sender, client, to.bare))
    })
    return PASS
  }

  /** §7: to those of the addressee's clients that do not get the message itself. */
  ofReceived(stanza: Stanza, owner: LocalAccount): Verdict {
    if (!counts.get(owner) || stanza.kind !== 'message' || !stanza.from || !stanza.to) return PASS
    const { from, to } = stanza
    const type = stanza.type as MessageType
    if (onlyClientGets(type, to, owner)) return PASS
    if (isWithOccupant(stanza, from) || !this.#isEligible(stanza, owner, from)) return PASS
    // Nothing waits between this and the router's own look at the clients, so both see the same.
    const fate = recipients(type, to.resource, owner.sessions.values())
    const own = from.bare.equals(owner.jid)
    this.#remember(stanza, owner, from)
    this.#copy(own ? 'sent' : 'received', stanza, owner, (client) => {
      if (fate.kind === 'deliver' && fate.clients.includes(client)) return false
      return !own || client.resource !== from.resource
    })
    return PASS
  }

  #copy(way: 'sent' | 'received', stanza: Stanza, account: LocalAccount, wants: (client: Session) => boolean): void {
    let wrapper: Element | undefined
    for (const client of account.sessions.values()) {
      if (!enabled.has(client) || !wants(client)) continue
      wrapper ??= wrap(way, stanza)
      void this.#ctx.router.toClient(Stanza.of(wrapper, account.jid, client.jid), client)
    }
  }

  /** §6.1, but for what depends on the way. @param peer who is at the other end */
  #isEligible({ type, id, element }: Stanza, account: LocalAccount, peer: Jid): boolean {
    if (type === 'groupchat') return false
    // An error need not say what it is about (§10.3).
    if (type === 'error') return this.#remembered.get(account)?.has(`${id} ${peer.bare.key}`) ?? false
    let eligible = type === 'chat'
    for (const child of element.children) {
      if (typeof child === 'string') continue
      if (child.is('private', NS) || child.is('no-copy', 'urn:xmpp:hints')) return false
      eligible ||= OF_CHATS.has(child.ns) || (type === 'normal' && child.is('body', NS_CLIENT)) || isInvitation(child)
    }
    return eligible
  }

  #remember({ type, id }: Stanza, account: LocalAccount, peer: Jid): void {
    if (id === undefined || id.length > LONGEST_ID || type === 'error') return
    let remembered = this.#remembered.get(account)
    if (!remembered) {
      remembered = new Set()
      this.#remembered.set(account, remembered)
    }
    remembered.add(detach(`${id} ${peer.bare.key}`))
    if (remembered.size <= REMEMBERED) return
    for (const oldest of remembered) {
      remembered.delete(oldest)
      return
    }
  }
}

/** The copy as all clients get it; its content is written once. An error keeps its reason (RFC 6120 §8.3.1 wants one). */
function wrap(way: 'sent' | 'received', stanza: Stanza): Element {
  const copy = el(way, NS, null, forwarded(stanza))
  const reason = stanza.type === 'error' ? stanza.element.child('error') : undefined
  const children = reason ? [copy, reason] : [copy]
  const text = children.map((child) => child.xml(NS_CLIENT)).join('')
  return new Element('message', NS_CLIENT, { type: stanza.type }, children, { text, declarations: '' })
}

/** Whether the account has one client only, and that gets the message itself: the common case, in which nothing is made. */
function onlyClientGets(type: MessageType, to: Jid, { sessions }: LocalAccount): boolean {
  if (sessions.size !== 1) return false
  for (const { resource, priority } of sessions.values()) {
    return resource === to.resource || ((type === 'chat' || type === 'normal') && (priority ?? -1) >= 0)
  }
  return false
}

/** A private message to or from somebody in a room. Those that come the room sends to all clients that have joined (§6.1). */
function isWithOccupant({ element }: Stanza, peer: Jid): boolean {
  const user = peer.isBare ? undefined : element.child('x', NS_MUC_USER)
  return user !== undefined && !isInvitation(user)
}

/** XEP-0045 §7.8.2. */
function isInvitation(child: Element): boolean {
  return child.is('x', NS_MUC_USER) && child.child('invite') !== undefined
}

/** Whether two clients are in a room under one nick (§6.1): they sent directed presence to the same occupant. */
function shareNick(one: Session, other: Session, room: Jid): boolean {
  for (const [key, jid] of one.directed) if (jid.bare.equals(room) && other.directed.has(key)) return true
  return false
}
