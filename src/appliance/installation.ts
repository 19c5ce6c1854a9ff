// SPDX-License-Identifier: Apache-2.0
// Carries out an appliance's steps on a machine: shows what it would do, does it, goes on where it stopped, and undoes it.

import type { Clock } from '../clock.ts'
import type { Appliance } from './appliance.ts'
import type { Machine, Memory } from './machine.ts'
import { Manifest } from './manifest.ts'
import type { Step } from './step.ts'

/** A step, and whether anything is to be done for it. */
export interface Planned {
  readonly step: Step
  /** `done`: it is so; `wanted`: it will be made so; `left`: it is optional, and nobody wants it. */
  readonly state: 'done' | 'wanted' | 'left'
}

/** Who watches. */
export interface Observer {
  begins?(step: Step): void
  says?(step: Step, line: string): void
  /** @param ms how long it took */
  ends?(step: Step, ms: number): void
}

/** Which steps are done. */
export interface Wish {
  /** Ids of optional steps that are wanted; those that were done before are kept so. */
  readonly options?: readonly string[]
  /** Ids of steps that are not wanted on this machine. */
  readonly without?: readonly string[]
}

/** A step failed; those before it are done, those after it were not begun. */
export class StepError extends Error {
  override readonly name = 'StepError'
  readonly step: string
  /** Where all that was done is written. */
  readonly log: string

  constructor(step: Step, log: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.step = step.id
    this.log = log
  }
}

/** An appliance on a machine. */
export class Installation {
  readonly #appliance: Appliance
  readonly #machine: (memory: Memory) => Machine
  readonly #manifest: Manifest
  readonly #clock: Clock

  private constructor(parts: {
    readonly appliance: Appliance
    readonly machine: (memory: Memory) => Machine
    readonly manifest: Manifest
    readonly clock: Clock
  }) {
    this.#appliance = parts.appliance
    this.#machine = parts.machine
    this.#manifest = parts.manifest
    this.#clock = parts.clock
  }

  /** Looks at what was done before. @param machine gives out the machine with the memory of a step */
  static async open(appliance: Appliance, machine: (memory?: Memory) => Machine, clock: Clock): Promise<Installation> {
    const manifest = await Manifest.open(machine(), appliance.records, appliance.name)
    return new Installation({ appliance, machine, manifest, clock })
  }

  /** Whether anything of it was ever begun here. */
  get begun(): boolean {
    return this.#manifest.steps.length > 0
  }

  /** What would be done. Changes nothing. */
  async plan(wish: Wish = {}): Promise<readonly Planned[]> {
    const planned: Planned[] = []
    for (const step of this.#appliance.steps) planned.push({ step, state: await this.#stateOf(step, wish) })
    return planned
  }

  /** Does what is not done yet, and stops at the first failure with a `StepError`. @returns the ids of the steps that changed something */
  async apply(wish: Wish = {}, observer: Observer = {}): Promise<readonly string[]> {
    const changed: string[] = []
    for (const step of this.#appliance.steps) {
      if ((await this.#stateOf(step, wish)) !== 'wanted') continue // asked here: an earlier step may have seen to it
      await this.#apply(step, observer)
      changed.push(step.id)
    }
    return changed
  }

  /** Undoes everything in reverse. Data stays. @returns the ids of the steps that were undone */
  async undo(observer: Observer = {}): Promise<readonly string[]> {
    const undone: string[] = []
    for (const { id } of this.#manifest.steps.toReversed()) {
      const step = this.#appliance.steps.find((one) => one.id === id)
      if (!step) throw new Error(`This version does not know the step ${id}; use the one that installed it.`)
      await this.#watched(step, observer, 'undo', () => step.undo(this.#machine(this.#manifest.memoryOf(id))))
      await unlessFull(this.#manifest.forget(id)) // undone twice is undone
      undone.push(id)
    }
    await this.#manifest.remove()
    return undone
  }

  /** Removes the data, for good. */
  async purge(): Promise<void> {
    const machine = this.#machine(this.#manifest.memoryOf(''))
    for (const directory of this.#appliance.data) await machine.remove(directory)
  }

  async #stateOf(step: Step, { options = [], without = [] }: Wish): Promise<Planned['state']> {
    const known = this.#manifest.find(step.id)
    if (without.includes(step.id) || (step.optional && !known && !options.includes(step.id))) return 'left'
    if (known?.state === 'begun') return 'wanted'
    return (await step.check(this.#machine(this.#manifest.memoryOf(step.id)))) ? 'done' : 'wanted'
  }

  async #apply(step: Step, observer: Observer): Promise<void> {
    await this.#manifest.begin(step.id)
    const say = (line: string): void => observer.says?.(step, line)
    await this.#watched(step, observer, 'apply', () => step.apply(this.#machine(this.#manifest.memoryOf(step.id)), say))
    await this.#manifest.done(step.id)
  }

  async #watched(step: Step, observer: Observer, what: string, work: () => Promise<void>): Promise<void> {
    const began = this.#clock.now()
    observer.begins?.(step)
    const note = (text: string) =>
      unlessFull(this.#manifest.log(`${new Date(this.#clock.now()).toISOString()} ${what} ${step.id}: ${text}`))
    await note('begins')
    try {
      await work()
    } catch (error) {
      const failure = new StepError(step, `${this.#appliance.records}/log`, error)
      await note(`failed: ${failure.message}`)
      throw failure
    }
    await note('done')
    observer.ends?.(step, this.#clock.now() - began)
  }
}

/** A full disk keeps nobody from undoing what fills it. */
async function unlessFull(writing: Promise<void>): Promise<void> {
  await writing.catch((error: unknown) => {
    if (!(error instanceof Error) || !/ENOSPC|EDQUOT/.test(error.message)) throw error
  })
}
