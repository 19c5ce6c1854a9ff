// SPDX-License-Identifier: Apache-2.0
// Runs the features' hooks in the order of the list, without waiting unless somebody returned a promise.
import type { Stanza } from '../xmpp/stanza.ts'
import type { LocalAccount } from './directory.ts'
import type { Hooks, MaybeAsync, Sort, StanzaRefusal, Verdict } from './feature.ts'
import type { Session } from './session.ts'

/** One feature's part in one hook. */
type Hook<A> = (stanza: Stanza, subject: A) => MaybeAsync<Verdict>

/** A stanza did not come through a hook. */
export interface Ended {
  readonly stopped: boolean
  readonly reason: string
  readonly error: StanzaRefusal | undefined
}

/** Who is asked about each sort of stanza. */
type BySort<A> = Readonly<Record<Sort, readonly Hook<A>[]>>

/** The stanza hooks of all features, in order. */
export interface HookLists {
  readonly onSend: BySort<Session>
  readonly onReceive: BySort<LocalAccount>
  readonly onAway: readonly Hook<LocalAccount>[]
  readonly onDeliver: BySort<Session>
}

/** Of which sort a stanza is. */
export function sortOf({ kind, type }: Stanza): Sort {
  return kind === 'message' && type === 'groupchat' ? type : kind
}

/** Collects the hooks. @param hooks of every feature, in the order of the feature list */
export function hookLists(hooks: readonly Hooks[]): HookLists {
  return {
    onSend: bySort(hooks, 'onSend', (hook) => hook.onSend?.bind(hook)),
    onReceive: bySort(hooks, 'onReceive', (hook) => hook.onReceive?.bind(hook)),
    onAway: hooks.flatMap((hook) => (hook.onAway ? [hook.onAway.bind(hook)] : [])),
    onDeliver: bySort(hooks, 'onDeliver', (hook) => hook.onDeliver?.bind(hook)),
  }
}

function bySort<A>(
  hooks: readonly Hooks[],
  name: keyof NonNullable<Hooks['only']>,
  pick: (hook: Hooks) => Hook<A> | undefined,
): BySort<A> {
  const about = (sort: Sort): Hook<A>[] =>
    hooks.flatMap((hook) => (hook.only?.[name]?.includes(sort) === false ? [] : (pick(hook) ?? [])))
  return { message: about('message'), groupchat: about('groupchat'), presence: about('presence'), iq: about('iq') }
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
    if (verdict instanceof Promise) return runLater(verdict, hooks, current, subject, index + 1)
    if (!verdict) continue
    const outcome = judge(verdict, current)
    if ('stopped' in outcome) return outcome
    current = outcome
  }
  return current
}

/** By itself, since a closure in the loop would be paid for by every hook of every stanza. */
async function runLater<A>(
  verdict: Promise<Verdict>,
  hooks: readonly Hook<A>[],
  asked: Stanza,
  subject: A,
  next: number,
): Promise<Stanza | Ended> {
  const outcome = judge(await verdict, asked)
  return 'stopped' in outcome ? outcome : runHooks(hooks, outcome, subject, next)
}

function judge(verdict: Verdict, stanza: Stanza): Stanza | Ended {
  if ('pass' in verdict) return verdict.pass ?? stanza
  if ('stop' in verdict) return { stopped: true, reason: verdict.stop, error: verdict.error }
  return { stopped: false, reason: verdict.keep, error: undefined }
}
