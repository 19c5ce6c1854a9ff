// SPDX-License-Identifier: Apache-2.0
// The only way from the steps of an installation to the system that they change. Tests hand in one that is made up, or one
// whose root is a directory.

/** What a program left behind. */
export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** How a program is run. */
export interface RunOptions {
  /** What it reads from its standard input. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** After this time, in ms, it is ended and counts as failed. Five minutes unless told. */
  readonly timeout?: number
  /** Whether a status other than 0 is an answer and no failure. */
  readonly mayFail?: boolean
  /** Gets each line of its output at once. */
  readonly onLine?: (line: string) => void
}

/** Who owns a file, and who may do what with it. */
export interface Rights {
  /** The permission bits. */
  readonly mode: number
  /** `user` or `user:group`, by name or number; root unless told. */
  readonly owner?: string
}

/** What lies at a path. */
export interface Entry {
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Where a link points to. */
  readonly target?: string
}

/** A value as JSON knows it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** What a step must know later to undo what it did. On disk when a promise resolves, and gone when the step is undone. */
export interface Memory {
  get(key: string): Json | undefined
  set(key: string, value: Json): Promise<void>
}

/** A system, as steps see it. Paths are absolute, and lie under the machine's root. */
export interface Machine {
  /** '' for the system that this program runs on. */
  readonly root: string
  /** Of the step that is at work. */
  readonly memory: Memory
  /** Runs a program, without a shell. Rejects with a `CommandError` if it ends with another status than 0. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Ran>
  /** The text of a file; undefined if there is none. */
  read(path: string): Promise<string | undefined>
  /** Writes a file whole or not at all; directories above it must be there. */
  write(path: string, text: string, rights: Rights): Promise<void>
  /** What lies there, without following links. */
  look(path: string): Promise<Entry | undefined>
  /** Names in a directory, sorted; none if there is no such directory. */
  list(path: string): Promise<readonly string[]>
  /** Makes a directory, and those above it. @returns those that were not there before, from the top */
  makeDirectory(path: string, rights: Rights): Promise<readonly string[]>
  /** Sets owner and mode of what is there. */
  own(path: string, rights: Rights): Promise<void>
  /** Makes a symbolic link, or points the one that is there to somewhere else, in one moment. */
  link(path: string, target: string): Promise<void>
  /** Copies a file or a whole directory. @param from on the system that this program runs on, whatever the root */
  copy(from: string, to: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file, or a directory with all that is in it; fine if there is nothing. */
  remove(path: string): Promise<void>
  /** Removes a directory if it is empty. @returns whether it is gone */
  removeEmpty(path: string): Promise<boolean>
}

/** A program ended with a status that is none of success. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly ran: Ran

  constructor(command: string, args: readonly string[], ran: Ran) {
    const last = (ran.stderr.trim() || ran.stdout.trim()).split('\n').slice(-5).join('\n')
    super(`"${[command, ...args].join(' ')}" ended with ${ran.status}${last === '' ? '' : `:\n${last}`}`)
    this.ran = ran
  }
}
