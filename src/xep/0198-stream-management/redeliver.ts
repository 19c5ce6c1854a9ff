// SPDX-License-Identifier: Apache-2.0
// What becomes of the stanzas that a client had not acknowledged when it went for good (XEP-0198 §5).
import type { LocalAccount } from '../../core/directory.ts'
import type { FeatureContext } from '../../core/feature.ts'
import type { Session } from '../../core/session.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { NS_CLIENT, type Stanza } from '../../xmpp/stanza.ts'
import { isCarbon } from '../0280-carbons.ts'
import { keepingOf } from '../0313-archive.ts'

/**
 * A message goes to the other clients that can take it, unless they got it when it came; to the next one if there is none.
 * A question is answered for the client, so that nobody waits for it.
 * @param wasThere whether a client got what was for all of them then
 */
export function redeliver(
  stanza: Stanza,
  account: LocalAccount,
  wasThere: (client: Session) => boolean,
  ctx: FeatureContext,
): void {
  const { kind, type, from, to } = stanza
  if (!from || !to || type === 'error') return
  if (kind === 'message') redeliverMessage(stanza, account, wasThere, ctx)
  if (kind === 'iq' && type !== 'result') {
    void ctx.router.refuse(stanza, new StanzaError('cancel', 'service-unavailable'))
  }
}

function redeliverMessage(
  message: Stanza,
  account: LocalAccount,
  wasThere: (client: Session) => boolean,
  { router, store, log }: FeatureContext,
): void {
  const { from, to } = message
  // What a room sent was for that client alone; the others got theirs, and the room's archive has it.
  if (!from || !to || message.type === 'groupchat' || isCarbon(message)) return
  let somebody = false
  for (const client of account.sessions.values()) {
    if ((client.priority ?? -1) < 0) continue
    somebody = true
    const hasIt = to.isBare && wasThere(client)
    if (!hasIt) void router.toClient(message, client)
  }
  const keeping = keepingOf(message)
  if (somebody || keeping === 'nothing') return
  const lost = (error: StanzaError): void => void router.refuse(message, error)
  if (keeping === 'deny') {
    // As for one that finds nobody: see `0160-offline.ts`.
    if (message.element.child('body')) lost(new StanzaError('cancel', 'service-unavailable'))
    return
  }
  store.messages.append({ xml: message.xml(NS_CLIENT), from, to, archiveFor: [], offlineFor: account.jid }, (error) => {
    log.error('unacknowledged message not kept', { error })
    lost(new StanzaError('wait', 'internal-server-error', 'The message could not be kept.'))
  })
}
