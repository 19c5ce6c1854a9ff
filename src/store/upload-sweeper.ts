// SPDX-License-Identifier: Apache-2.0
// Removes uploaded files whose time is over or whose owner is gone, in small steps.
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { UploadFiles } from './upload-files.ts'
import type { UploadStore } from './upload-store.ts'

/** After the start there is more urgent work for so long, in ms. */
const FIRST = 10_000
/** How often it looks, in ms. */
const EVERY = 60_000

/** What it works with. */
export interface SweeperParts {
  readonly uploads: UploadStore
  readonly files: UploadFiles
  readonly clock: Clock
  readonly log: Log
}

/** The job. What an error or a crash interrupts, the next round goes on with. */
export class UploadSweeper {
  readonly #parts: SweeperParts
  readonly #end = new AbortController()
  #cancel: () => void = () => undefined
  #round: Promise<void> | undefined
  #again = false
  #strays = true

  constructor(parts: SweeperParts) {
    this.#parts = parts
  }

  /** Begins, and looks first for files that a crash left behind. */
  start(): void {
    const { clock } = this.#parts
    const cancels = [clock.after(FIRST, () => void this.sweep()), clock.every(EVERY, () => void this.sweep())]
    this.#cancel = () => {
      for (const cancel of cancels) cancel()
    }
  }

  /** Looks now. Resolves when everything is removed that was to be. */
  sweep(): Promise<void> {
    if (this.#end.signal.aborted) return Promise.resolve()
    if (this.#round) {
      this.#again = true
      return this.#round
    }
    this.#round = this.#run().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  /** Ends after the step that is being done. */
  async stop(): Promise<void> {
    this.#cancel()
    this.#end.abort()
    await this.#round
  }

  async #run(): Promise<void> {
    do {
      this.#again = false
      try {
        await this.#steps()
      } catch (error) {
        this.#parts.log.warn('uploads could not be removed', { error })
      }
    } while (this.#again && !this.#end.signal.aborted)
  }

  async #steps(): Promise<void> {
    const { uploads, files, clock, log } = this.#parts
    const { signal } = this.#end
    while (!signal.aborted && (await uploads.expire(clock.now())) > 0);
    for (;;) {
      const gone = signal.aborted ? [] : await uploads.gone()
      if (gone.length === 0) break
      for (const file of gone) await files.remove(file)
      await uploads.forget(gone, clock.now())
    }
    if (!this.#strays || signal.aborted) return
    const strays = await files.removeStrays((prefix) => uploads.known(prefix), signal)
    this.#strays = signal.aborted
    if (strays > 0) log.info('uploads that nobody knows removed', { files: strays })
  }
}
