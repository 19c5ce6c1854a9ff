// SPDX-License-Identifier: Apache-2.0
// The log: event names and opaque ids. Addresses, JIDs and message texts never appear at the default level (DESIGN: privacy).
import { createRequire } from 'node:module'
import type { DestinationStream, Logger } from 'pino'

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

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']
/** Bytes that wait for a file that cannot be written at this moment; what comes on top is lost. */
const WAITING_MAX = 1024 * 1024
/** How many causes of an error are told. */
const CAUSES_MAX = 4

/** Pino is loaded with the first line: a start that has nothing to say does not wait for it. */
const require = createRequire(import.meta.url)
const loaded = (): typeof import('pino') => require('pino')

/** Where lines go. A log that cannot be written (its disk is full) is no reason to stop the server. @param dest a file, or its number */
export function logFile(dest: number | string): DestinationStream {
  const file = loaded().destination({ dest, sync: true, maxLength: WAITING_MAX })
  file.on('error', () => undefined)
  return file
}

/**
 * A log that writes JSON lines.
 * @param level what is less important than this is left out
 * @param out where the lines go; standard error unless told
 */
export function createLog(level: LogLevel, out?: DestinationStream): Log {
  let logger: Logger | undefined
  const open = (): Logger => loaded().pino({ level, base: null, serializers: { error: plain } }, out ?? logFile(2))
  const to = (of: keyof Log): Log[keyof Log] => {
    if (LEVELS.indexOf(of) < LEVELS.indexOf(level)) return () => undefined
    return (event, fields = {}) => {
      logger ??= open()
      logger[of](fields, event)
    }
  }
  return { debug: to('debug'), info: to('info'), warn: to('warn'), error: to('error') }
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
