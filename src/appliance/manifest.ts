// SPDX-License-Identifier: Apache-2.0
// What was done on a machine, on disk: which steps, in which order, and what each must know to be undone.
import { dirname } from 'node:path'
import * as v from 'valibot'
import type { Json, Machine, Memory } from './machine.ts'

/** Whatever: it comes out of a file of JSON. */
const json = v.custom<Json>((value) => value !== undefined)

const record = v.object({
  id: v.string(),
  /** `begun`: it may have stopped half-way. */
  state: v.picklist(['begun', 'done']),
  memory: v.record(v.string(), json),
})

const shape = v.object({
  /** Of this format. */
  version: v.literal(1),
  name: v.string(),
  /** The directories that were made for the records. */
  made: v.array(v.string()),
  steps: v.array(record),
})

/** What is known of one step. */
export type StepRecord = v.InferOutput<typeof record>

/** The list of what was done. Every change is on disk when its promise resolves. */
export class Manifest {
  readonly #machine: Machine
  readonly #directory: string
  #content: v.InferOutput<typeof shape>

  private constructor(machine: Machine, directory: string, content: v.InferOutput<typeof shape>) {
    this.#machine = machine
    this.#directory = directory
    this.#content = content
  }

  /** Reads what is there; changes nothing. @param directory of the records */
  static async open(machine: Machine, directory: string, name: string): Promise<Manifest> {
    const text = await machine.read(`${directory}/manifest.json`)
    const content =
      text === undefined ? { version: 1 as const, name, made: [], steps: [] } : v.parse(shape, JSON.parse(text))
    return new Manifest(machine, directory, content)
  }

  /** In the order in which they were begun. */
  get steps(): readonly StepRecord[] {
    return this.#content.steps
  }

  find(id: string): StepRecord | undefined {
    return this.#content.steps.find((one) => one.id === id)
  }

  /** Notes that a step changes something from now on. */
  async begin(id: string): Promise<void> {
    if (this.#content.made.length === 0) await this.#makeDirectory()
    const known = this.find(id)
    if (known) known.state = 'begun'
    else this.#content.steps.push({ id, state: 'begun', memory: {} })
    await this.#save()
  }

  async done(id: string): Promise<void> {
    const known = this.find(id)
    if (known) known.state = 'done'
    await this.#save()
  }

  /** Forgets a step that was undone. */
  async forget(id: string): Promise<void> {
    this.#content.steps = this.#content.steps.filter((one) => one.id !== id)
    await this.#save()
  }

  /** What a step remembers. Nothing can be remembered before it has begun. */
  memoryOf(id: string): Memory {
    return {
      get: (key) => this.find(id)?.memory[key],
      set: async (key: string, value: Json) => {
        const known = this.find(id)
        if (!known) throw new Error(`Step ${id} has not begun.`)
        known.memory[key] = value
        await this.#save()
      },
    }
  }

  /** Adds a line to the log beside the manifest. */
  async log(line: string): Promise<void> {
    const path = `${this.#directory}/log`
    const before = (await this.#machine.read(path)) ?? ''
    await this.#machine.write(path, `${before.slice(-LOG_MAX)}${line}\n`, { mode: 0o600 })
  }

  /** Removes the records, and the directories that were made for them. */
  async remove(): Promise<void> {
    for (const file of ['manifest.json', 'log']) await this.#machine.remove(`${this.#directory}/${file}`)
    for (const one of this.#content.made.toReversed()) if (!(await this.#machine.removeEmpty(one))) return
  }

  async #makeDirectory(): Promise<void> {
    const made: string[] = []
    for (let one = this.#directory; !(await this.#machine.look(one)); one = dirname(one)) made.unshift(one)
    await this.#machine.makeDirectory(this.#directory, { mode: 0o700 })
    this.#content.made = made
  }

  #save(): Promise<void> {
    return this.#machine.write(`${this.#directory}/manifest.json`, `${JSON.stringify(this.#content, null, 1)}\n`, {
      mode: 0o600,
    })
  }
}

/** Older lines of the log are dropped beyond this, in characters. */
const LOG_MAX = 512 * 1024
