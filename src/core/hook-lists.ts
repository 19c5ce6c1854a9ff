// SPDX-License-Identifier: Apache-2.0
// Runs the features' hooks in the order of the list, without waiting unless somebody returned a promise.
import type { Stanza } from '../xmpp/stanza.ts'
import type { LocalAccount } from './directory.ts'
import type { Hooks, MaybeAsync, StanzaRefusal, Verdict } from './feature.ts'
import type { Session } from './session.ts'

/** One feature's part in one hook. */
type Hook<A> = (stanza: Stanza, subject: A) => MaybeAsync<Verdict>

/** A stanza did not come through a hook. */
export interface Ended {
  readonly stopped: boolean
  readonly reason: string
  readonly error: StanzaRefusal | undefined
}

/** The stanza hooks of all features, in order. */
export interface HookLists {
  readonly onSend: readonly Hook<Session>[]
  readonly onReceive: readonly Hook<LocalAccount>[]
  readonly onAway: readonly Hook<LocalAccount>[]
  readonly onDeliver: readonly Hook<Session>[]
}

/** Collects the hooks. @param hooks of every feature, in the order of the feature list */
export function hookLists(hooks: readonly Hooks[]): HookLists {
  return {
    onSend: hooks.flatMap((hook) => (hook.onSend ? [hook.onSend.bind(hook)] : [])),
    onReceive: hooks.flatMap((hook) => (hook.onReceive ? [hook.onReceive.bind(hook)] : [])),
    onAway: hooks.flatMap((hook) => (hook.onAway ? [hook.onAway.bind(hook)] : [])),
    onDeliver: hooks.flatMap((hook) => (hook.onDeliver ? [hook.onDeliver.bind(hook)] : [])),
  }
}

/**
 * Asks one hook after the other.
 * @param first where in the list to begin
 * @returns the stanza that came through, perhaps changed, or why it did not
 */
export function runHooks<A>(
  hooks: readonly Hook<A>[],
  stanza: Stanza,
  subject: A,
  first = 0,
): MaybeAsync<Stanza | Ended> {
  let current = stanza
  for (let index = first; index < hooks.length; index++) {
    const verdict = hooks[index]?.(current, subject)
    if (verdict instanceof Promise) {
      const asked = current
      return verdict.then((late) => {
        const outcome = judge(late, asked)
        return 'stopped' in outcome ? outcome : runHooks(hooks, outcome, subject, index + 1)
      })
    }
    if (!verdict) continue
    const outcome = judge(verdict, current)
    if ('stopped' in outcome) return outcome
    current = outcome
  }
  return current
}

function judge(verdict: Verdict, stanza: Stanza): Stanza | Ended {
  if ('pass' in verdict) return verdict.pass ?? stanza
  if ('stop' in verdict) return { stopped: true, reason: verdict.stop, error: verdict.error }
  return { stopped: false, reason: verdict.keep, error: undefined }
}
