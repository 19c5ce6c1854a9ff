// SPDX-License-Identifier: Apache-2.0
// Group commit: collects deeds while a batch is under way and hands them over together. After a quiet time the first batch
// goes at the end of the turn of the event loop; then there is a least interval between two, and a longer one as long as
// nobody waits, because commits of a few deeds cost as much as commits of many.
import type { Answer, Deed } from './db.ts'
import type { StoreObserver } from './store.ts'

/** What became of a batch: an error or the rows of the deed at that place. A place in neither was simply done. */
export interface Outcome {
  readonly failures: ReadonlyMap<number, Error>
  readonly rows: ReadonlyMap<number, Answer>
}

/** Deeds that will be executed together, in the form in which the database takes them. */
export interface Parcel {
  add(deed: Pick<Deed, 'statements' | 'wantsRows'>): void
  /** How many there are. */
  readonly deeds: number
  /** UTF-16 units of all their texts. */
  readonly text: number
}

/** Who executes them. */
export interface Executor<P extends Parcel> {
  /** An empty one. */
  parcel(): P
  /** Executes the deeds in order; never rejects. */
  run(parcel: P): Promise<Outcome>
}

/** How a queue paces its commits. */
export interface QueueOptions {
  /** At least this many ms from the start of one commit to the start of the next. */
  readonly interval: number
  /** So many of the first ones are not held back: who starts asks one thing after the other. None unless told. */
  readonly eager?: number
  readonly observer: StoreObserver | undefined
}

/** So many intervals waits a batch that nobody waits for: what is in it was delivered, and its sender asks for no acknowledgement yet. */
const CALM = 5
/** How long what comes last waits, by itself, for something that it can go with, in ms. */
const PATIENCE = 100
/** The most that goes into one batch, so that both sides' memory stays bounded: deeds, and UTF-16 units of their texts. */
const BATCH = { deeds: 10_000, text: 8 * 1024 * 1024 }
/**
 * Nobody should add to more than this. Fewer deeds are not worth a pause: streams that wait for their turn go on with little
 * each, and what comes of it is written in small pieces (with a bound of 1,000 that was 6 of 33 µs per message).
 */
const CROWD = { deeds: 10_000, text: 4 * 1024 * 1024 }

interface Waiter {
  /** Resolves when that many deeds are settled. */
  readonly upTo: number
  error: Error | undefined
  readonly settled: Promise<void>
  readonly settle: () => void
  durable: Promise<void> | undefined
}

/** Who is told of some deeds: of one that `done` waits for, or of several that follow on each other. */
interface Listener {
  readonly first: number
  readonly done: Deed['done']
  readonly failed: Deed['failed']
}

/** A batch to be, and who is told of its deeds. */
interface Load<P> {
  readonly parcel: P
  readonly listeners: Listener[]
}

/** The deeds that are not committed yet. */
export class WriteQueue<P extends Parcel> {
  readonly #executor: Executor<P>
  readonly #options: QueueOptions
  /** Those that wait; only the last one is not full. */
  #waiting: Load<P>[] = []
  #last: (() => Deed)[] = []
  #running = 0
  /** UTF-16 units of all that is not settled. */
  #text = 0
  /** How many of these come last. */
  #lastTaken = 0
  /** What lets the next batch go, and how soon: in ms after the last one began. */
  #timer: NodeJS.Timeout | undefined
  #pace = Number.POSITIVE_INFINITY
  /** Whether somebody is told when what waits is done. */
  #awaited = false
  #hurry = false
  /** How many more go at once. */
  #eager: number
  #lastStart = Number.NEGATIVE_INFINITY
  #posted = 0
  /** Of those that are not settled, how many do not come last. */
  #pending = 0
  #failures = 0
  #settledCount = 0
  #waiters: Waiter[] = []

  constructor(executor: Executor<P>, options: QueueOptions) {
    this.#executor = executor
    this.#options = options
    this.#eager = options.eager ?? 0
  }

  /** How many deeds are not settled. */
  get size(): number {
    return this.#posted - this.#settledCount
  }

  /** Whether so much waits that nobody should add to it. */
  get crowded(): boolean {
    return this.size > CROWD.deeds || this.#text > CROWD.text
  }

  /** How many deeds have failed. */
  get failures(): number {
    return this.#failures
  }

  post(deed: Deed): void {
    this.#add(deed)
    this.#posted++
    this.#pending++
    if (deed.done) this.#awaited = true
    this.#goOn()
  }

  /**
   * As `post`, but the deed is made when the batch is put together and comes at its end: it can tell, in few statements, what
   * all that was done until then amounts to, and is never on disk before any of it. By itself it is in no hurry.
   */
  postLast(make: () => Deed): void {
    this.#last.push(make)
    this.#posted++
    this.#goOn()
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
    this.#goOn()
  }

  #waiter(): Waiter {
    const last = this.#waiters.at(-1)
    if (last?.upTo === this.#posted) return last
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter = { upTo: this.#posted, error: undefined, settled: promise, settle: resolve, durable: undefined }
    this.#waiters.push(waiter)
    this.#goOn()
    return waiter
  }

  /** Lets the next batch go, as soon as is right for what waits. */
  #goOn(): void {
    if (this.#running > 0 || !this.#somethingWaits) return
    const { interval } = this.#options
    if (this.#hurry || (this.#eager > 0 && this.#isAwaited)) this.#goWithin(0)
    else if (this.#isAwaited) this.#goWithin(interval)
    else if (this.#waiting.length > 0) this.#goWithin(CALM * interval)
    else this.#goWithin(PATIENCE, performance.now())
  }

  #goWithin(pace: number, from = this.#lastStart): void {
    if (pace >= this.#pace) return
    clearTimeout(this.#timer)
    const pause = from + pace - performance.now()
    this.#pace = pause > 0 ? pace : 0
    if (pause > 0) this.#timer = setTimeout(() => this.#flush(), pause)
    else setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#pace = Number.POSITIVE_INFINITY
    if (this.#running > 0 || !this.#somethingWaits) return
    const load = this.#take()
    this.#running = load.parcel.deeds
    this.#lastStart = performance.now()
    if (this.#eager > 0) this.#eager--
    void this.#executor.run(load.parcel).then((outcome) => this.#finish(load, outcome))
  }

  get #isAwaited(): boolean {
    return this.#awaited || this.#waiters.length > 0
  }

  get #somethingWaits(): boolean {
    return this.#waiting.length > 0 || this.#last.length > 0
  }

  /** Puts a deed where there is room for one more. */
  #add(deed: Deed): void {
    const last = this.#waiting.at(-1)
    if (last && last.parcel.deeds < BATCH.deeds && last.parcel.text <= BATCH.text) {
      this.#put(deed, last)
      return
    }
    const load = this.#load()
    this.#waiting.push(load)
    this.#put(deed, load)
  }

  #load(): Load<P> {
    return { parcel: this.#executor.parcel(), listeners: [] }
  }

  #put(deed: Deed, { parcel, listeners }: Load<P>): void {
    const { done, failed } = deed
    const before = listeners.at(-1)
    if (done || before?.done || failed !== before?.failed) listeners.push({ first: parcel.deeds, done, failed })
    const { text } = parcel
    parcel.add(deed)
    this.#text += parcel.text - text
  }

  /** What comes last comes after everything that was posted before it. */
  #take(): Load<P> {
    const load = this.#waiting.shift() ?? this.#load()
    if (this.#waiting.length > 0) return load
    this.#awaited = false
    this.#lastTaken = this.#last.length
    for (const make of this.#last.splice(0)) this.#put(make(), load)
    return load
  }

  #finish({ parcel, listeners }: Load<P>, { failures, rows }: Outcome): void {
    this.#running = 0
    this.#text -= parcel.text
    this.#settledCount += parcel.deeds
    this.#pending -= parcel.deeds - this.#lastTaken
    this.#lastTaken = 0
    this.#failures += failures.size
    const [firstError] = failures.values()
    if (firstError) for (const waiter of this.#waiters) waiter.error ??= firstError
    for (const [index, { first, done, failed }] of listeners.entries()) {
      if (done && !failures.has(first)) done(rows.get(first) ?? NO_ROWS)
      if (!failed || !firstError) continue
      const end = listeners[index + 1]?.first ?? parcel.deeds
      for (let place = first; place < end; place++) {
        const error = failures.get(place)
        if (error) failed(error)
      }
    }
    while (this.#waiters[0] && this.#waiters[0].upTo <= this.#settledCount) this.#waiters.shift()?.settle()
    this.#goOn()
    this.#tell(parcel.deeds - failures.size, firstError)
  }

  #tell(committed: number, error: Error | undefined): void {
    if (committed > 0) this.#options.observer?.committed(committed, performance.now() - this.#lastStart)
    if (error) this.#options.observer?.failed(error)
  }
}

const NOTHING_WAITS = Promise.resolve()
const NO_ROWS: Answer = []
