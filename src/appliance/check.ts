// SPDX-License-Identifier: Apache-2.0
// A check looks at one thing of a running installation and says how it is.

/** How good it is. `na`: there is nothing to look at here, which is no mistake. */
export type Level = 'ok' | 'info' | 'warn' | 'error' | 'na'

/** What a check saw. */
export interface Finding {
  readonly id: string
  readonly level: Level
  readonly found: string
  readonly wanted?: string
  /** What to do about it. */
  readonly fix?: string
}

/** Looks at one thing. */
export interface Check {
  readonly id: string
  /** What it looks at, in a few words. */
  readonly about: string
  /** Resolves in any case. */
  run(): Promise<Finding>
}
