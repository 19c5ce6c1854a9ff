// SPDX-License-Identifier: Apache-2.0
// What a peer is told when something it sent could not be dealt with.
import type { Log } from '../log.ts'
import { ReadError } from '../xml/errors.ts'
import { StreamError } from '../xmpp/errors.ts'

/** The error that ends a stream; what the peer must not read goes to the log. @param stream the id of its link */
export function streamErrorOf(error: unknown, log: Log, stream: string): StreamError {
  if (error instanceof StreamError) return error
  if (error instanceof ReadError) return new StreamError(error.condition, error.message)
  log.error('stream failed', { stream, error })
  return new StreamError('internal-server-error')
}
