// SPDX-License-Identifier: Apache-2.0
// What the runner asks of the load process, and what it gets back.

import type { Target } from './target.ts'

/** A server with its process, whose CPU time and memory are read. */
export interface Measured extends Target {
  readonly pid: number
  readonly metrics?: string
  /** The other server, if there are two: one user of each pair is there. */
  readonly peer?: Measured
}

/** One part of a chat. */
export interface Phase {
  /** Goes into the figures' names. */
  readonly name: string
  /** Outstanding messages per pair, or a rate for all pairs together. */
  readonly pace: { readonly window: number } | { readonly perSecond: number }
  readonly messages: number
  /** Messages sent beforehand that count for nothing but their order. */
  readonly warmUp: number
}

/** What to do. `settle` is how many seconds without work count as quiet. */
export type Job = { readonly settle: number } & (
  | { readonly scenario: 'login'; readonly users: number; readonly atOnce: number }
  | {
      readonly scenario: 'idle'
      readonly users: number
      readonly atOnce: number
      readonly quietSeconds: number
      readonly web: boolean
    }
  | {
      readonly scenario: 'mam'
      /** Goes into the figures' names. */
      readonly name: string
      /** Messages that user 0 sends to user 1 first. */
      readonly send: number
      readonly queries: number
    }
  | { readonly scenario: 'upload'; readonly mebibytes: number; readonly many: number }
  | {
      readonly scenario: 'muc'
      /** Goes into the figures' names. */
      readonly name: string
      readonly users: number
      readonly messages: number
      /** Whether all get to know who enters. */
      readonly shown: boolean
    }
  | {
      readonly scenario: 'chat'
      readonly pairs: number
      readonly phases: readonly Phase[]
      /** Whether those at the other server write, and not those here. */
      readonly reversed?: boolean
    }
  | { readonly scenario: 'flood'; readonly pair: number; readonly perSecond: number; readonly seconds: number }
  | { readonly scenario: 'collect'; readonly pair: number; readonly acknowledged: number }
)

/** What came of it. */
export interface Report {
  /** Numbers by name, see the rows of the table. */
  readonly figures: Readonly<Record<string, number>>
  /** What must not happen. Empty when the run was good. */
  readonly failures: readonly string[]
  /** What a reader of the table should know. */
  readonly notes: readonly string[]
}
