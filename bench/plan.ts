// SPDX-License-Identifier: Apache-2.0
// How much of everything: the sizes of a regular run and of the quick one.

import type { Job, Phase } from './load/job.ts'

/** The scenarios by name. */
export const SCENARIOS = ['login', 'idle', 'chat', 'mam', 'muc', 'upload', 's2s', 'start', 'crash'] as const

/** One of them. */
export type Scenario = (typeof SCENARIOS)[number]

/** One start of a server with a job to do there; without a job only the starting is measured. */
export interface Step {
  readonly users: number
  readonly archive: boolean
  readonly job: Job | undefined
  /** A second server, with which the first one talks: Prosody, or another of the same kind. */
  readonly peer?: 'prosody' | 'same'
  /** Messages that user 1 has in the archive already; servers whose store cannot be filled leave the step out. */
  readonly archived?: number
  /** How often it is started; 0: it is killed again and again instead. */
  readonly starts: number
  /** Seconds the load may take at most. */
  readonly limit: number
}

function phases(name: string, fast: boolean, quick: boolean): Phase[] {
  const scale = quick ? 0.02 : 1
  const size = (messages: number): number => Math.max(40, Math.round(messages * scale))
  const full = fast ? 200_000 : 20_000
  const single = fast ? 50_000 : 5_000
  const seconds = quick ? 2 : 30
  const perSecond = quick ? 100 : 1000
  return [
    { name: `${name}.full`, pace: { window: 50 }, messages: size(full), warmUp: size(full / 5) },
    { name: `${name}.single`, pace: { window: 1 }, messages: size(single), warmUp: size(single / 5) },
    { name: `${name}.fixed`, pace: { perSecond }, messages: seconds * perSecond, warmUp: perSecond },
  ]
}

function chat(archive: boolean, fast: boolean, quick: boolean): Step {
  const pairs = quick ? 20 : 200
  const name = archive ? 'archive' : 'plain'
  const job: Job = { scenario: 'chat', settle: quick ? 0.25 : 1, pairs, phases: phases(name, fast, quick) }
  return { users: 2 * pairs, archive, job, starts: 1, limit: quick ? 120 : 400 }
}

/** Two servers; whatever the first one is, against Prosody it sends no more than Prosody can take. */
function between(name: string, peer: 'prosody' | 'same', fast: boolean, quick: boolean): Step {
  const [pairs, messages] = quick ? [10, 400] : [100, peer === 'same' && fast ? 200_000 : 20_000]
  const phase: Phase = { name, pace: { window: 50 }, messages, warmUp: messages / 5 }
  const settle = quick ? 0.25 : 1
  const job: Job = { scenario: 'chat', settle, pairs, phases: [phase], reversed: name === 's2s.in' }
  return { users: 2 * pairs, archive: false, job, peer, starts: 1, limit: quick ? 120 : 400 }
}

/** What a scenario consists of. @param fast whether the server can take 100,000 messages and more */
export function stepsOf(scenario: Scenario, fast: boolean, quick: boolean): Step[] {
  const settle = quick ? 0.25 : 1
  const common = { archive: true, starts: 1, limit: quick ? 120 : 400 }
  switch (scenario) {
    case 'login': {
      const users = quick ? 40 : 1000
      return [{ ...common, users, job: { scenario, settle, users, atOnce: quick ? 10 : 50 } }]
    }
    case 'idle': {
      const users = quick ? 100 : 5000
      const job = { scenario, settle, users, atOnce: 50, quietSeconds: quick ? 1 : 10 }
      return [false, true].map((web) => ({ ...common, users, job: { ...job, web } }))
    }
    case 'chat':
      return [chat(true, fast, quick), chat(false, fast, quick)]
    case 'mam': {
      const [small, large, queries] = quick ? [200, 2000, 20] : [20_000, 1_000_000, 500]
      const limit = quick ? 120 : 400
      const step = { users: 2, archive: true, starts: 1, limit }
      return [
        { ...step, job: { scenario, settle, name: 'mam.small', send: small, queries } },
        { ...step, archived: large, job: { scenario, settle, name: 'mam.large', send: 0, queries } },
      ]
    }
    case 'upload': {
      const [mebibytes, many] = quick ? [16, 20] : [1024, 200]
      return [{ ...common, users: 2, job: { scenario, settle, mebibytes, many } }]
    }
    case 'muc': {
      const step = (name: string, users: number, messages: number): Step => ({
        ...common,
        users,
        job: { scenario, settle, name, users, messages, shown: name === 'muc.small' },
      })
      const small = step('muc.small', quick ? 20 : 200, quick ? 20 : 500)
      return fast && !quick ? [small, step('muc.large', 2000, 100)] : [small]
    }
    case 's2s':
      return [
        between('s2s.out', 'prosody', fast, quick),
        between('s2s.in', 'prosody', fast, quick),
        between('s2s.same', 'same', fast, quick),
      ]
    case 'crash':
      return [{ ...common, users: 2 * (quick ? 1 : 10), job: undefined, starts: 0 }]
    case 'start':
      return [{ ...common, users: quick ? 100 : 5000, job: undefined, starts: quick ? 1 : 5 }]
  }
}
