// SPDX-License-Identifier: Apache-2.0
// Between a stream and a file, each way with one buffer that is used again and again: memory stays where it is. Not
// `pipeline`: that destroys the stream when the file cannot be written, and with it the connection on which its sender has to
// be told why.
import { read, write } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'

/** What is read or written at once: each call costs a turn in another thread. */
const BUFFER = 64 * 1024

/** The same of a large file that is given out. (Written, more at once costs more: it does not stay in the processor's cache.) */
const LARGE_BUFFER = 256 * 1024
const LARGE = 4 * 1024 * 1024

/** So much is given to the disk at a time: a sync at the end of a large file would take minutes. */
const SYNC_EVERY = 32 * 1024 * 1024

const readSome = promisify(read)

/** The other side went away, or did not keep to what it said. */
class BrokenOff extends Error {
  override readonly name = 'BrokenOff'
  readonly code = 'EBROKENOFF'
}

/** What a file is written by. */
export interface Target {
  readonly fd: number
  /** Asks the disk to keep what was written so far. */
  sync(): Promise<void>
}

/**
 * Writes so many bytes of a stream to a file, and reads no more than can be written. Rejects, and reads no further, when
 * the file cannot be written, or with `EBROKENOFF` when there comes more or less. Nothing is being written any more when it settles.
 * @param progress called with the number of bytes whenever some came
 */
export function pourIn(
  source: Readable,
  target: Target,
  size: number,
  progress: (bytes: number) => void,
): Promise<void> {
  return new Inflow(source, target, size, progress).over
}

class Inflow {
  readonly over: Promise<void>
  readonly #settle: { resolve(): void; reject(error: Error): void }
  readonly #source: Readable
  readonly #target: Target
  readonly #buffer: Buffer
  readonly #progress: (bytes: number) => void
  #filled = 0
  #left: number
  #writing = false
  #unsynced = 0
  #syncing: Promise<void> | undefined
  #ended = false
  #error: Error | undefined

  constructor(source: Readable, target: Target, size: number, progress: (bytes: number) => void) {
    const { promise, ...settle } = Promise.withResolvers<void>()
    this.over = promise
    this.#settle = settle
    this.#source = source
    this.#target = target
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(size, BUFFER))
    this.#left = size
    this.#progress = progress
    source.on('data', this.#take).on('end', this.#end).on('error', this.#fail).on('close', this.#broke)
    if (source.destroyed) this.#broke()
  }

  readonly #take = (chunk: Buffer): void => {
    this.#left -= chunk.length
    this.#progress(chunk.length)
    if (this.#left < 0) this.#fail(new BrokenOff('there came more than was announced'))
    else this.#put(chunk, 0)
  }

  readonly #end = (): void => {
    if (this.#left > 0) this.#error ??= new BrokenOff('there came less than was announced')
    this.#ended = true
    this.#go()
  }

  readonly #broke = (): void => {
    if (!this.#source.readableEnded) this.#fail(new BrokenOff('it broke off'))
  }

  readonly #fail = (error: Error): void => {
    this.#error ??= error instanceof BrokenOff ? error : new BrokenOff(error.message)
    this.#go()
  }

  /** Copied, so that what came need not be kept: it would outlive many others of its kind. */
  #put(chunk: Buffer, from: number): void {
    const copied = chunk.copy(this.#buffer, this.#filled, from)
    this.#filled += copied
    if (this.#filled < this.#buffer.length) return
    this.#source.pause()
    this.#flush(0, () => {
      if (from + copied < chunk.length) this.#put(chunk, from + copied)
      if (!this.#writing) this.#source.resume()
    })
  }

  /** What is left to do at the end, unless something is being written. */
  #go(): void {
    if (this.#writing || (this.#error === undefined && !this.#ended)) return
    if (this.#error === undefined && this.#filled > 0) {
      this.#flush(0, () => undefined)
      return
    }
    if (this.#syncing) return
    this.#source.off('data', this.#take).off('end', this.#end).off('error', this.#fail).off('close', this.#broke)
    this.#source.pause()
    if (this.#error) this.#settle.reject(this.#error)
    else this.#settle.resolve()
  }

  #flush(from: number, next: () => void): void {
    this.#writing = true
    write(this.#target.fd, this.#buffer, from, this.#filled - from, null, (error, written) => {
      this.#writing = false
      this.#error ??= error ?? undefined
      if (this.#error === undefined) {
        if (from + written < this.#filled) return this.#flush(from + written, next)
        this.#filled = 0
        this.#unsynced += written
        return this.#afterSync(next)
      }
      this.#go()
    })
  }

  /** The disk works while more comes; only when it falls behind does that wait. */
  #afterSync(next: () => void): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#unsynced >= SYNC_EVERY && !this.#syncing) {
      this.#unsynced = 0
      this.#syncing = promise
      const failed = (error: Error): void => {
        this.#error ??= error
      }
      this.#target
        .sync()
        .catch(failed)
        .finally(() => {
          this.#syncing = undefined
          resolve()
          this.#go()
        })
    }
    const goOn = (): void => {
      this.#writing = false
      if (this.#error === undefined) next()
      this.#go()
    }
    if (this.#syncing && this.#unsynced >= SYNC_EVERY) {
      this.#writing = true
      void this.#syncing.then(goOn)
    } else goOn()
  }
}

/**
 * Writes a part of a file to a stream, as fast as it takes it; does not end it. Rejects with `EBROKENOFF` when the stream breaks off.
 * @param end exclusive
 * @param progress called whenever the stream took some
 */
export async function pourOut(
  fd: number,
  start: number,
  end: number,
  sink: Writable,
  progress: () => void,
): Promise<void> {
  const size = end - start
  const buffer = Buffer.allocUnsafeSlow(size >= LARGE ? LARGE_BUFFER : Math.min(size, BUFFER))
  const flow = new Outflow(sink)
  try {
    for (let at = start; at < end; ) {
      const { bytesRead } = await readSome(fd, buffer, 0, Math.min(buffer.length, end - at), at)
      if (bytesRead === 0) throw new Error('the file is shorter than it was')
      at += bytesRead
      await flow.write(buffer.subarray(0, bytesRead))
      progress()
    }
  } finally {
    flow.stop()
  }
}

/** Writes to a stream that may be destroyed at any time, and then tells nobody what became of the last write. */
class Outflow {
  readonly #sink: Writable
  readonly #closed: () => void
  #broken: (error: Error) => void = () => undefined

  constructor(sink: Writable) {
    this.#sink = sink
    this.#closed = () => this.#broken(new BrokenOff('nobody reads'))
    sink.on('close', this.#closed)
  }

  /** Resolves when the bytes are needed no more. */
  write(bytes: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#broken = reject
      if (this.#sink.destroyed) this.#closed()
      else this.#sink.write(bytes, (error) => (error ? reject(new BrokenOff('nobody reads')) : resolve()))
    })
  }

  stop(): void {
    this.#sink.off('close', this.#closed)
  }
}
