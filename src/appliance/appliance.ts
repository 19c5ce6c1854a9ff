// SPDX-License-Identifier: Apache-2.0
// A service that installs itself on a machine of its own, as a value: another service is another such value.
import type { Ward } from './examine.ts'
import type { Step } from './step.ts'

/** What a machine must have before anything is changed on it. */
export interface Needs {
  /** In bytes. */
  readonly memory: number
  /** Free where the program and its data go, in bytes. */
  readonly disk: number
  /** TCP ports that nobody else may listen on. */
  readonly ports: readonly number[]
}

/** A service and how it comes onto a machine. */
export interface Appliance {
  /** A short name of lower-case letters: of its user, unit, directories and firewall table. */
  readonly name: string
  readonly author: string
  /** Where its source can be had. */
  readonly source: string
  readonly needs: Needs
  /** Directories of data: kept by an undoing unless it is told otherwise. */
  readonly data: readonly string[]
  /** Where root keeps what was done, and the log. Nobody else may write there, since an undoing believes it. */
  readonly records: string
  /** In the order in which they are done; undone in reverse. */
  readonly steps: readonly Step[]
  /** What to look at afterwards, of what runs then. */
  readonly wards: () => Promise<readonly Ward[]>
}
