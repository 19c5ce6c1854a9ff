// SPDX-License-Identifier: Apache-2.0
// Writes down where the sessions stand that can be resumed, so that this is possible after a restart and after a crash too.
// Whatever changes only marks its session; what became of all of them is told once per commit, at its end.
import type { FeatureContext } from '../../core/feature.ts'
import type { Session } from '../../core/session.ts'
import type { SessionChange, SessionChanges } from '../../store/store.ts'
import type { Managed } from './managed.ts'
import type { Moments } from './queue.ts'
import { chunkText, stateText } from './record.ts'

/** What is written of a session. */
interface Written {
  /** Nothing, or what a failed commit left behind. */
  anew: boolean
  /** Up to this count what was sent is written. */
  sent: number
  skipped: number
  state: string
  /** What the state was made of, if it can be compared without making it anew. */
  from: Pick<Session, 'presence' | 'priority' | 'interested' | 'noted'> | undefined
  /** Up to which count each chunk reaches that is there. */
  chunks: number[]
}

/** What changed since the last commit. */
export class Journal {
  readonly #ctx: FeatureContext
  readonly #moments: Moments
  readonly #written = new Map<Managed, Written>()
  #changed = new Set<Managed>()
  #ended: string[] = []
  #posted = false

  constructor(ctx: FeatureContext, moments: Moments) {
    this.#ctx = ctx
    this.#moments = moments
  }

  /** From now on the session is written down. @param restored whether it is there already */
  begin(managed: Managed, restored: boolean): void {
    if (!managed.resume) return
    const { sent, skipped } = managed.queue
    const chunks = restored && sent > managed.queue.acknowledged ? [sent] : []
    const written = { anew: !restored, sent: restored ? sent : 0, skipped, state: '', from: undefined, chunks }
    this.#written.set(managed, written)
    managed.onChange = () => this.#mark(managed)
    if (!restored) this.#mark(managed)
  }

  /** The session is over: what became of its stanzas is on disk before it is gone from there. */
  end(managed: Managed): void {
    if (!managed.resume || !this.#written.delete(managed)) return
    this.#changed.delete(managed)
    this.forget(managed.resume.key)
  }

  /** A stored session that cannot go on. */
  forget(key: string): void {
    this.#ended.push(key)
    this.#post()
  }

  #mark(managed: Managed): void {
    this.#changed.add(managed)
    if (!this.#posted) this.#post()
  }

  #post(): void {
    if (this.#posted) return
    this.#posted = true
    let told: readonly Managed[] = []
    this.#ctx.store.sessions.write(
      () => {
        told = [...this.#changed]
        return this.#take()
      },
      (error) => {
        this.#ctx.log.error('sessions not written', { error })
        for (const one of told) this.#writeAnew(one)
      },
    )
  }

  #take(): SessionChanges {
    const changed = [...this.#changed].flatMap((managed) => this.#change(managed) ?? [])
    const ended = this.#ended
    this.#changed = new Set()
    this.#ended = []
    this.#posted = false
    return { changed, ended }
  }

  #change(managed: Managed): SessionChange | undefined {
    const written = this.#written.get(managed)
    if (!(written && managed.resume)) return undefined
    const { queue, handled, client, resume } = managed
    const { acknowledged } = queue
    const anew = written.anew || written.skipped !== queue.skipped
    const from = anew ? acknowledged : Math.max(written.sent, acknowledged)
    const items = queue.after(from)
    const state = this.#newState(managed, written)
    const left = anew ? [] : written.chunks.filter((upTo) => upTo > acknowledged)
    const drops = left.length < written.chunks.length
    const sent = items.length === 0 ? undefined : { from, upTo: from + items.length, text: chunkText(items) }
    if (sent) left.push(sent.upTo)
    written.anew = false
    written.sent = queue.sent
    written.skipped = queue.skipped
    written.chunks = left
    const owner = client.account.jid
    return {
      key: resume.key,
      owner,
      anew,
      handled,
      acknowledged,
      drops,
      state: anew ? written.state : state,
      sent,
    }
  }

  /** The state if it is another one than what was written; most of the time it is not, and that is seen at once. */
  #newState(managed: Managed, written: Written): string | undefined {
    const { client } = managed
    const { presence, priority, interested, directed, noted } = client
    const { from } = written
    if (from && from.presence === presence && from.priority === priority && from.interested === interested) {
      if (directed.size === 0 && from.noted === noted) return undefined
    }
    const state = stateText(managed, this.#moments.availableSince(client))
    written.from = directed.size === 0 ? { presence, priority, interested, noted } : undefined
    if (state === written.state) return undefined
    written.state = state
    return state
  }

  /** The next commit takes all of it; who waited for this one has been told that it failed. */
  #writeAnew(managed: Managed): void {
    const written = this.#written.get(managed)
    if (written) written.anew = true
  }
}
