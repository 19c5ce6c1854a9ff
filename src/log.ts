// SPDX-License-Identifier: Apache-2.0
// The log: event names and opaque ids. Addresses, JIDs and message texts never appear at the default level (DESIGN: privacy).
import { openSync, writeSync } from 'node:fs'

/** What an event may carry. Never a JID, an IP address, a secret or a body, except at `debug`. */
export type Fields = Readonly<Record<string, unknown>>

/** Where events go. `event` is a short constant text such as `listening`; what varies goes into `fields`. */
export interface Log {
  debug(event: string, fields?: Fields): void
  info(event: string, fields?: Fields): void
  warn(event: string, fields?: Fields): void
  error(event: string, fields?: Fields): void
}

/** The levels that can be configured, from the most talkative to silence. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** How levels are written, as most JSON logs do. */
const LEVELS: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50, silent: 60 }
/** Bytes that wait for a file that cannot be written at this moment; what comes on top is lost. */
const WAITING_MAX = 1024 * 1024
/** When it is tried again, in ms. */
const AGAIN = 100
/** How many causes of an error are told. */
const CAUSES_MAX = 4

/** Takes whole lines. */
export type Lines = (line: string) => void

/** Where lines go. A log that cannot be written (its disk is full) is no reason to stop the server. @param dest a file, or its number */
export function logFile(dest: number | string): Lines {
  const file = typeof dest === 'number' ? dest : openSync(dest, 'a')
  let waiting = Buffer.alloc(0)
  let timer: NodeJS.Timeout | undefined
  const write = (): void => {
    timer = undefined
    try {
      while (waiting.length > 0) waiting = waiting.subarray(writeSync(file, waiting))
    } catch {
      timer = setTimeout(write, AGAIN).unref() // whoever reads the log sees that there is nothing in it
    }
  }
  return (line) => {
    const bytes = Buffer.from(line)
    if (waiting.length + bytes.length > WAITING_MAX) return
    waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes])
    if (timer === undefined) write()
  }
}

/**
 * A log that writes JSON lines.
 * @param level what is less important than this is left out
 * @param out where the lines go; standard error unless told
 */
export function createLog(level: LogLevel, out: Lines = logFile(2)): Log {
  const to = (of: LogLevel): ((event: string, fields?: Fields) => void) => {
    if (LEVELS[of] < LEVELS[level]) return () => undefined
    return (event, fields = {}) => out(`${lineOf(LEVELS[of], event, fields)}\n`)
  }
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') }
}

function lineOf(level: number, event: string, fields: Fields): string {
  const told = 'error' in fields ? { ...fields, error: plain(fields.error) } : fields
  const time = Date.now()
  try {
    return JSON.stringify({ level, time, ...told, msg: event })
  } catch {
    return JSON.stringify({ level, time, msg: event }) // that it happened matters most
  }
}

/** An error with what JSON would leave out: not with objects that hang on it, which may be anything. */
function plain(error: unknown, causes = CAUSES_MAX): unknown {
  if (!(error instanceof Error)) return error
  const { name: type, message, stack, cause } = error
  const more = Object.entries(error).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
  const why = cause === undefined || causes === 0 ? {} : { cause: plain(cause, causes - 1) }
  return { ...Object.fromEntries(more), type, message, stack, ...why }
}

/** A log for tests and for parts that must stay quiet. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
