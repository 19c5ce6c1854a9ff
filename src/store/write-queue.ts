// SPDX-License-Identifier: Apache-2.0
// Group commit: collects deeds while a batch is under way and hands them over together. After a quiet time the first batch
// goes at the end of the turn of the event loop; then there is a least interval between two, because commits of a few
// deeds cost as much as commits of many.
import type { Answer, Deed } from './db.ts'
import type { StoreObserver } from './store.ts'

/** What became of a batch: an error or the rows of the deed at that place. A place in neither was simply done. */
export interface Outcome {
  readonly failures: ReadonlyMap<number, Error>
  readonly rows: ReadonlyMap<number, Answer>
}

/** Executes a batch in order; never rejects. */
export type RunBatch = (batch: readonly Deed[]) => Promise<Outcome>

/** How a queue paces its commits. */
export interface QueueOptions {
  /** At least this many ms from the start of one commit to the start of the next. */
  readonly interval: number
  readonly observer: StoreObserver | undefined
}

/** How long what comes last waits, by itself, for something that it can go with, in ms. */
const PATIENCE = 100
/** The most that goes into one batch, so that both sides' memory stays bounded. */
const MAX_DEEDS = 10_000

interface Waiter {
  /** Resolves when that many deeds are settled. */
  readonly upTo: number
  error: Error | undefined
  readonly settled: Promise<void>
  readonly settle: () => void
  durable: Promise<void> | undefined
}

/** The deeds that are not committed yet. */
export class WriteQueue {
  readonly #run: RunBatch
  readonly #options: QueueOptions
  #waiting: Deed[] = []
  #last: (() => Deed)[] = []
  #running = 0
  /** How many of these come last. */
  #lastTaken = 0
  #scheduled = false
  /** Set while only what comes last waits, and nobody for it. */
  #patience: NodeJS.Timeout | undefined
  #hurry = false
  #lastStart = Number.NEGATIVE_INFINITY
  #posted = 0
  /** Of those that are not settled, how many do not come last. */
  #pending = 0
  #failures = 0
  #settledCount = 0
  #waiters: Waiter[] = []

  constructor(run: RunBatch, options: QueueOptions) {
    this.#run = run
    this.#options = options
  }

  /** How many deeds are not settled. */
  get size(): number {
    return this.#posted - this.#settledCount
  }

  /** How many deeds have failed. */
  get failures(): number {
    return this.#failures
  }

  post(deed: Deed): void {
    this.#waiting.push(deed)
    this.#posted++
    this.#pending++
    if (!this.#scheduled && this.#running === 0) this.#schedule()
  }

  /**
   * As `post`, but the deed is made when the batch is put together and comes at its end: it can tell, in few statements, what
   * all that was done until then amounts to, and is never on disk before any of it. By itself it is in no hurry.
   */
  postLast(make: () => Deed): void {
    this.#last.push(make)
    this.#posted++
    if (!this.#scheduled && this.#running === 0) this.#scheduleSoon()
  }

  /** Resolves when everything posted so far is committed or has failed; undefined if nothing waits but what comes last. */
  settled(): Promise<void> | undefined {
    return this.#pending === 0 ? undefined : this.#waiter().settled
  }

  /** As `settled`, for what comes last too. */
  drained(): Promise<void> | undefined {
    return this.size === 0 ? undefined : this.#waiter().settled
  }

  /** Resolves when everything posted so far is committed; rejects if some of it failed. */
  durable(): Promise<void> {
    if (this.size === 0) return NOTHING_WAITS
    const waiter = this.#waiter()
    waiter.durable ??= waiter.settled.then(() => {
      if (waiter.error) throw waiter.error
    })
    return waiter.durable
  }

  /** From now on nothing waits for company. */
  hurry(): void {
    this.#hurry = true
    if (this.#running === 0 && this.#somethingWaits) this.#flush()
  }

  #waiter(): Waiter {
    if (this.#patience) this.#schedule()
    const last = this.#waiters.at(-1)
    if (last?.upTo === this.#posted) return last
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter = { upTo: this.#posted, error: undefined, settled: promise, settle: resolve, durable: undefined }
    this.#waiters.push(waiter)
    return waiter
  }

  /** Soon enough for what waits: what comes last has time unless somebody waits for it. */
  #scheduleSoon(): void {
    if (this.#waiting.length > 0 || this.#waiters.length > 0 || this.#hurry) this.#schedule()
    else this.#patience ??= setTimeout(() => this.#flush(), PATIENCE)
  }

  #schedule(): void {
    this.#scheduled = true
    this.#beQuick()
    const pause = this.#hurry ? 0 : this.#lastStart + this.#options.interval - performance.now()
    if (pause <= 0) setImmediate(() => this.#flush())
    else setTimeout(() => this.#flush(), pause)
  }

  #beQuick(): void {
    clearTimeout(this.#patience)
    this.#patience = undefined
  }

  #flush(): void {
    this.#scheduled = false
    this.#beQuick()
    if (this.#running > 0 || !this.#somethingWaits) return
    const batch = this.#take()
    this.#running = batch.length
    this.#lastStart = performance.now()
    void this.#run(batch).then((outcome) => this.#finish(batch, outcome))
  }

  get #somethingWaits(): boolean {
    return this.#waiting.length > 0 || this.#last.length > 0
  }

  /** What comes last comes after everything that was posted before it, so then nothing stays behind. */
  #take(): readonly Deed[] {
    const waiting = this.#waiting
    if (this.#last.length === 0 && waiting.length > MAX_DEEDS) {
      this.#waiting = waiting.slice(MAX_DEEDS)
      return waiting.slice(0, MAX_DEEDS)
    }
    this.#waiting = []
    this.#lastTaken = this.#last.length
    for (const make of this.#last.splice(0)) waiting.push(make())
    return waiting
  }

  #finish(batch: readonly Deed[], { failures, rows }: Outcome): void {
    this.#running = 0
    this.#settledCount += batch.length
    this.#pending -= batch.length - this.#lastTaken
    this.#lastTaken = 0
    this.#failures += failures.size
    const [firstError] = failures.values()
    if (firstError) for (const waiter of this.#waiters) waiter.error ??= firstError
    for (const [place, deed] of batch.entries()) {
      const error = failures.get(place)
      if (error) deed.failed?.(error)
      else deed.done?.(rows.get(place) ?? NO_ROWS)
    }
    while (this.#waiters[0] && this.#waiters[0].upTo <= this.#settledCount) this.#waiters.shift()?.settle()
    if (this.#somethingWaits && !this.#scheduled) this.#scheduleSoon()
    this.#tell(batch.length - failures.size, firstError)
  }

  #tell(committed: number, error: Error | undefined): void {
    if (committed > 0) this.#options.observer?.committed(committed, performance.now() - this.#lastStart)
    if (error) this.#options.observer?.failed(error)
  }
}

const NOTHING_WAITS = Promise.resolve()
const NO_ROWS: Answer = []
