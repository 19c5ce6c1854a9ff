// SPDX-License-Identifier: Apache-2.0
// The log: event names and opaque ids. Addresses, JIDs and message texts never appear at the default level (DESIGN: privacy).
import { type DestinationStream, pino } from 'pino'

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

/** Bytes that wait for a file that cannot be written at this moment; what comes on top is lost. */
const WAITING_MAX = 1024 * 1024

/** Where lines go. A log that cannot be written (its disk is full) is no reason to stop the server. @param dest a file, or its number */
export function logFile(dest: number | string): DestinationStream {
  const file = pino.destination({ dest, sync: true, maxLength: WAITING_MAX })
  file.on('error', () => undefined)
  return file
}

/**
 * A log that writes JSON lines.
 * @param level what is less important than this is left out
 * @param out where the lines go; standard error unless told
 */
export function createLog(level: LogLevel, out: DestinationStream = logFile(2)): Log {
  const logger = pino({ level, base: null, serializers: { error: pino.stdSerializers.err } }, out)
  return {
    debug: (event, fields = {}) => logger.debug(fields, event),
    info: (event, fields = {}) => logger.info(fields, event),
    warn: (event, fields = {}) => logger.warn(fields, event),
    error: (event, fields = {}) => logger.error(fields, event),
  }
}

/** A log for tests and for parts that must stay quiet. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }
