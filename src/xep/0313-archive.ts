// SPDX-License-Identifier: Apache-2.0
// XEP-0313: Message Archive Management, so far only the keeping: every message with lasting content goes into the archives
// of its sender and of its addressee, as one row. This is the hot path: it makes no promise and waits for nothing.
import { z } from 'zod'
import type { LocalAccount } from '../core/directory.ts'
import { type Feature, type FeatureContext, PASS, type Verdict } from '../core/feature.ts'
import { recipients } from '../core/message.ts'
import type { Element } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'
import { type MessageType, NS_CLIENT, type Stanza } from '../xmpp/stanza.ts'

/** XEP-0334: Message Processing Hints. */
const NS_HINTS = 'urn:xmpp:hints'
/** XEP-0085. */
const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates'
/** At most one line of the log in so many ms tells of messages that could not be kept. */
const COMPLAINT = 1000

const NOBODY: readonly Jid[] = Object.freeze([])

/** Namespaces whose elements say something about the moment, or about another element, only. */
const FLEETING: ReadonlySet<string> = new Set([
  NS_CHAT_STATES,
  NS_HINTS,
  'jabber:x:event', // XEP-0022
  'jabber:x:delay', // XEP-0091
  'urn:xmpp:delay', // XEP-0203
  'urn:xmpp:sid:0', // XEP-0359
  'http://jabber.org/protocol/nick', // XEP-0172
])

/**
 * How long a message may be kept: in an archive; until it was delivered (XEP-0334 §4.1); not at all, because its sender
 * wishes so (§4.2); not at all, because nothing in it lasts.
 */
export type Keeping = 'archive' | 'queue' | 'deny' | 'nothing'

/**
 * XEP-0313 §6.1.1, XEP-0160 §3 and XEP-0334 §4: messages of type chat and normal are kept unless all they have is fleeting
 * (chat states above all). So receipts, markers and encrypted content are kept, and what future protocols may bring.
 */
export function keepingOf(message: Stanza): Keeping {
  if (message.type !== 'chat' && message.type !== 'normal') return 'nothing'
  let lasts = false
  let archive = true
  for (const child of message.element.children) {
    if (typeof child === 'string') continue
    if (child.ns === NS_HINTS) {
      if (child.name === 'no-store') return 'deny'
      if (child.name === 'no-permanent-store') archive = false
      if (child.name === 'store') lasts = true
    } else if (!lasts) {
      lasts = !isFleeting(child)
    }
  }
  if (!lasts) return 'nothing'
  return archive ? 'archive' : 'queue'
}

/** Whose archives a message belongs in: its sender's if that is one of our accounts, and its addressee's. */
export function archiveOwners(
  message: Stanza,
  owner: LocalAccount,
  { options, hosts }: Pick<FeatureContext, 'options' | 'hosts'>,
): readonly Jid[] {
  const { from } = message
  if (options.archive === 'off' || !from || keepingOf(message) !== 'archive') return NOBODY
  const sender = from.bare
  return sender.local !== undefined && hosts.has(sender.domain) && !sender.equals(owner.jid)
    ? [sender, owner.jid]
    : [owner.jid]
}

/** XEP-0313: Message Archive Management. */
export const archive: Feature = {
  name: 'archive',
  implements: [
    {
      xep: 313,
      version: '1.1.3',
      name: 'Message Archive Management',
      note: 'messages are kept; the queries come with the next release',
    },
    { xep: 334, version: '1.0.0', name: 'Message Processing Hints', note: 'no-store, no-permanent-store, store' },
  ],
  options: {
    archive: z
      .enum(['on', 'off'])
      .default('on')
      .meta({ description: 'Keep messages, so that all clients of an account can have them.', kind: 'on, off' }),
  },
  setup(ctx) {
    const complain = complaints(ctx)
    return {
      onReceive(stanza, owner): Verdict {
        if (stanza.kind !== 'message' || !stanza.from || !stanza.to) return PASS
        const archiveFor = archiveOwners(stanza, owner, ctx)
        if (archiveFor.length === 0) return PASS
        // A message for which nobody is there becomes one row in archives and queue, or is bounced and then in neither:
        // `0160-offline.ts` decides. From here to the router's own look at the clients nothing waits (a hook between them
        // that does must come before this one), so both see the same.
        const fate = recipients(stanza.type as MessageType, stanza.to.resource, owner.sessions.values())
        if (fate.kind !== 'deliver') return PASS
        const { from, to } = stanza
        // It is delivered whatever the disk says, so a failure is not the sender's to know.
        ctx.store.messages.append({ xml: stanza.xml(NS_CLIENT), from, to, archiveFor, offlineFor: undefined }, complain)
        return PASS
      },
    }
  },
}

function isFleeting({ name, ns }: Element): boolean {
  if (FLEETING.has(ns)) return true
  if (ns === NS_CLIENT) return name === 'thread'
  return (name === 'request' && ns === 'urn:xmpp:receipts') || (name === 'markable' && ns === 'urn:xmpp:chat-markers:0')
}

/** Counts failures and logs how many there were. */
function complaints({ clock, log }: FeatureContext): (error: Error) => void {
  let failed = 0
  return (error) => {
    if (failed++ > 0) return
    clock.after(COMPLAINT, () => {
      log.error('messages not archived', { count: failed, error })
      failed = 0
    })
  }
}
