// SPDX-License-Identifier: Apache-2.0
// An installation is a list of steps.
import type { Machine } from './machine.ts'

/** One thing that an installation makes so. All are idempotent: what is so already is left alone. */
export interface Step {
  /** A short constant name. */
  readonly id: string
  /** What and why, one sentence. */
  readonly why: string
  /** Off unless somebody wants it. */
  readonly optional?: boolean
  /** Whether it is so already. Changes nothing. */
  check(machine: Machine): Promise<boolean>
  /** Makes it so. What was there before is kept in `machine.memory` before it goes. */
  apply(machine: Machine, say: (line: string) => void): Promise<void>
  /** Makes it as it was before the first `apply`, also after one that stopped half-way. */
  undo(machine: Machine): Promise<void>
}
