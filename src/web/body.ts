// SPDX-License-Identifier: Apache-2.0
// Reading the body of a request, with bounds on its size and on the time that it may take.
import type { IncomingMessage } from 'node:http'

/** How long a body may take to arrive, in ms. */
const BODY_TIME = 10_000

/** A body is longer than allowed, or did not come as a whole. */
export class BodyError extends Error {
  override readonly name = 'BodyError'
  readonly status: 400 | 408 | 413

  constructor(status: 400 | 408 | 413) {
    super(`body refused with ${status}`)
    this.status = status
  }
}

/**
 * The whole body. Rejects with a `BodyError`.
 * @param limit how many bytes it may have, by its beginning
 */
export function readBody(request: IncomingMessage, limit: (beginning: Buffer) => number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const pieces: Buffer[] = []
  let length = 0
  let most: number | undefined
  const fail = (status: BodyError['status']): void => {
    pieces.length = 0
    reject(new BodyError(status))
  }
  const timer = setTimeout(() => fail(408), BODY_TIME).unref()
  request.on('data', (piece: Buffer) => {
    most ??= limit(piece)
    length += piece.length
    if (length > most) fail(413)
    else pieces.push(piece)
  })
  request.on('end', () => resolve(Buffer.concat(pieces)))
  request.on('close', () => reject(new BodyError(400)))
  return promise.finally(() => clearTimeout(timer))
}
