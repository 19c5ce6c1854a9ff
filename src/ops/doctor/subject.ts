// SPDX-License-Identifier: Apache-2.0
// What the doctor looks at, and through what: all of it is handed in, so that tests make a server ill as they like.
import type { Check, Finding, Level } from '../../appliance/check.ts'
import type { Machine } from '../../appliance/machine.ts'
import type { Config } from '../../config/config.ts'
import type { PostgresState } from '../../store/inspect-postgres.ts'
import { Unseen } from '../compliance/missing.ts'
import type { DnsRequest } from '../dns.ts'
import type { Status } from '../running-server.ts'

/** Free and whole space of a disk, in bytes. */
export interface Space {
  readonly free: number
  readonly whole: number
}

/** A server that runs, and the machine below it. */
export interface Subject {
  readonly config: Config
  readonly status: Status
  /** Asks the server, as the command line does. */
  ask(command: string, args?: unknown): Promise<unknown>
  /** How the DNS is asked; its addresses are those that others reach this machine at. */
  readonly request: DnsRequest
  /** The wall clock, and one that nobody sets; both in ms. */
  now(): number
  ticks(): number
  wait(ms: number): Promise<void>
  space(path: string): Promise<Space>
  /** Whether it was installed a moment ago: what others have to do yet is no mistake then. */
  readonly fresh: boolean
  /** The system, if this server was installed on it by `aenigma install`; undefined on anybody else's machine. */
  readonly machine: Machine | undefined
  /** Free and whole memory, in bytes. */
  memory(): Space
  /** Whether the database file is sound; '' if it is, else what is wrong. Undefined: there is none. */
  integrity(): Promise<string | undefined>
  /** How the PostgreSQL database is, if there is one. Rejects if it cannot be reached. */
  postgres(): Promise<PostgresState>
}

/** A finding that is good. */
export const ok = (found: string): Seen => ({ level: 'ok', found })
/** There is nothing to look at. */
export const na = (found: string): Seen => ({ level: 'na', found })

/** What a check saw, without its name. */
export type Seen = Omit<Finding, 'id'>

/** Something that is not as it should be. */
export function bad(level: Extract<Level, 'warn' | 'error'>, found: string, fix: string, wanted?: string): Seen {
  return { level, found, fix, ...(wanted === undefined ? {} : { wanted }) }
}

/** A text with a capital letter and a full stop. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`
}

/** A check from what it looks at. What goes wrong while looking is an error of what is looked at, but for an `Unseen`: why is told by another check. */
export function check(id: string, about: string, look: () => Promise<Seen>): Check {
  return {
    id,
    about,
    async run() {
      try {
        return { id, ...(await look()) }
      } catch (error) {
        if (error instanceof Unseen) return { id, ...na(sentence(error.message)) }
        throw error
      }
    },
  }
}
