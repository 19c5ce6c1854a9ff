// SPDX-License-Identifier: Apache-2.0
// XEP-0424: Message Retraction. What somebody takes back is replaced by a tombstone wherever we keep it. It is looked for
// beside everything else; who asks an archive meanwhile waits for it.
import type { LocalAccount } from '../core/directory.ts'
import type { Feature, FeatureContext } from '../core/feature.ts'
import type { MessageId } from '../store/store.ts'
import { type Element, el, escapeAttribute, Element as XmlElement } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import { originId } from '../xmpp/0359-stanza-ids.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, type Stanza } from '../xmpp/stanza.ts'

const NS = 'urn:xmpp:message-retract:1'
/** XEP-0308: a corrected message is retracted with its corrections. */
const NS_CORRECT = 'urn:xmpp:message-correct:0'
/** XEP-0045 §7.5: what tells a private message in a room. */
const NS_MUC_USER = 'http://jabber.org/protocol/muc#user'
/** Only among so many of the latest messages of a conversation what is retracted is looked for. */
const AMONG = 5000
/** So many messages one retraction may mean: ids should be unique, and corrections are few. */
const MEANT = 20
/** So many retractions of one account may wait; more are kept and delivered, but change nothing here. */
const WAITING = 20
/** Longer ids are not looked for. */
const LONGEST_ID = 512

/** What an account waits for. */
interface Digging {
  done: Promise<void>
  waiting: number
}

// Hangs on the account, so it is gone with it; the archive asks for it.
const digging = new WeakMap<LocalAccount, Digging>()

/** XEP-0424: Message Retraction. */
export const retraction: Feature = {
  name: 'retraction',
  implements: [
    { xep: 424, version: '0.4.2', name: 'Message Retraction', note: 'tombstones in the archives of accounts' },
  ],
  setup: () => ({ disco: { server: { features: [NS] }, account: { features: [NS, `${NS}#tombstone`] } } }),
}

/** Resolves when every retraction that the account has got or sent so far is carried out; undefined if none waits. */
export function buried(account: LocalAccount): Promise<void> | undefined {
  return digging.get(account)?.done
}

/**
 * Carries out a retraction that was just kept, if the message is one.
 * @param id under which it was kept: what comes later is not meant
 * @param owners in whose archives it was kept
 */
export function bury(message: Stanza, id: MessageId, owners: readonly Jid[], ctx: FeatureContext): void {
  const retract = message.element.child('retract', NS)
  const target = retract?.attrs.id
  const { from, to, id: own } = message
  if (!target || target.length > LONGEST_ID || own === undefined || !from || !to) return
  for (const owner of owners) {
    const account = ctx.directory.loaded(owner.key)
    const known = account && (digging.get(account) ?? { done: Promise.resolve(), waiting: 0 })
    if (!account || !known || known.waiting >= WAITING) continue
    const peer = owner.equals(from.bare) ? to.bare : from.bare
    const grave = el('retracted', NS, { id: own, stamp: new Date(ctx.clock.now()).toISOString() })
    known.waiting++
    const done = known.done
      .then(() => replace({ owner, peer, by: from, target, before: id, grave }, ctx))
      .catch((error: unknown) => ctx.log.error('message not retracted', { error }))
      .then(() => {
        known.waiting--
        if (known.done === done) digging.delete(account)
      })
    known.done = done
    digging.set(account, known)
  }
}

/** What is retracted, where and by whom. */
interface Retraction {
  readonly owner: Jid
  readonly peer: Jid
  readonly by: Jid
  readonly target: string
  readonly before: MessageId
  readonly grave: Element
}

async function replace(
  { owner, peer, by, target, before, grave }: Retraction,
  { store }: FeatureContext,
): Promise<void> {
  const text = escapeAttribute(target)
  const texts = [`id='${text}'`, `id="${text}"`] as const
  for (const { id, xml } of await store.messages.search(owner, {
    with: peer,
    texts,
    among: AMONG,
    before,
    limit: MEANT,
  })) {
    const message = parseElement(xml, NS_CLIENT)
    if (!isMeant(message, target, by)) continue
    // Nothing of the content stays: any of it may tell what it was (§5).
    await store.messages.rewrite(id, new XmlElement('message', NS_CLIENT, message.attrs, [grave]).xml(NS_CLIENT))
  }
}

/** §6: of the same sender; and neither a retraction, which has to stay, nor retracted already. */
function isMeant(message: Element, target: string, by: Jid): boolean {
  const from = Jid.tryParse(message.attrs.from)
  if (from?.bare.equals(by.bare) !== true) return false
  if (message.child('x', NS_MUC_USER) && !from.equals(by)) return false // occupants of a room share its bare address
  if (message.child('retract', NS) || message.child('retracted', NS)) return false
  const corrects = message.child('replace', NS_CORRECT)?.attrs.id
  return message.attrs.id === target || originId(message) === target || corrects === target
}
