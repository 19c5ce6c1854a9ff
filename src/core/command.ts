// SPDX-License-Identifier: Apache-2.0
// What an ad-hoc command is (XEP-0050): one question after the other until it is done. Features announce theirs in `disco`;
// `xep/0050-commands.ts` carries them out.
import type { Element } from '../xml/element.ts'
import type { Answers, Form } from '../xmpp/0004-data-forms.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { MaybeAsync } from './feature.ts'
import type { Session } from './session.ts'

/** Who runs a command. */
export interface CommandRequest {
  /** Who asks: a full JID, mostly. */
  readonly from: Jid
  /** Which of our domains is asked. */
  readonly owner: Jid
  /** The client that asks, if it is one of ours. */
  readonly session: Session | undefined
}

/** Something for people, beside or instead of a result (XEP-0050 §4.3). */
interface Note {
  readonly type: 'info' | 'warn' | 'error'
  readonly text: string
}

/** A stage that waits for an answer (XEP-0050 §3.4). */
export interface Question {
  readonly form: Form
  /** Whether more stages follow, which makes the button say "next". */
  readonly more?: boolean
  /** The next stage. The answers fit the form. Throws a StanzaError to refuse them; they may be given anew then. */
  answered(answers: Answers, request: CommandRequest): MaybeAsync<Question | Done>
}

/** The end of a command: what came of it. */
export interface Done {
  readonly result?: Element
  readonly notes?: readonly Note[]
}

/** An ad-hoc command of our domains. */
export interface Command {
  readonly node: string
  /** For people. */
  readonly name: string
  /** Whether somebody may see it and run it; asked again at each stage. */
  allowed(from: Jid): boolean
  /** The first stage. */
  start(request: CommandRequest): MaybeAsync<Question | Done>
}
