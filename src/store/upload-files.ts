// SPDX-License-Identifier: Apache-2.0
// Uploaded files on disk. Each has a name of ours, never one that somebody sent; it appears under that name whole and
// synced, or not at all. What arrives goes to `arriving/` first, which nothing in it outlives.
import * as fs from 'node:fs'
import { mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'
import { pourIn, pourOut } from './pour.ts'

const openFile = promisify(fs.open)
const closeFile = promisify(fs.close)
const syncData = promisify(fs.fdatasync)

const ARRIVING = 'arriving'
/** How many files are synced at the same time: each keeps one of the four threads busy that all of Node shares. */
const SYNCS = 2
/** What an upload leaves free for everything else, at most: a twentieth of the disk if that is less. */
const RESERVE = 256 * 1024 * 1024
const NAME = /^[0-9a-f]{2,64}$/

/** A file that can be read. */
export interface OpenFile {
  /** Writes a part of it to a stream, as fast as that takes it. @param end exclusive */
  pourInto(sink: Writable, start: number, end: number, progress: () => void): Promise<void>
  close(): Promise<void>
}

/** The folder of all uploaded files. */
export class UploadFiles {
  readonly #folder: string
  readonly #syncing = new Turns(SYNCS)
  /** Bytes that are still to come. */
  #expected = 0

  /** @param folder is made when it is needed */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** Removes what was half there when the process ended. To be called before the first file arrives. */
  async clean(): Promise<void> {
    await rm(join(this.#folder, ARRIVING), { recursive: true, force: true })
  }

  /** Whether the disk has room for so many bytes more, beside what is arriving and some for everything else. */
  async hasRoom(size: number): Promise<boolean> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    const { bavail, blocks, bsize } = await statfs(this.#folder)
    return bavail * bsize - this.#expected - Math.min(RESERVE, (blocks * bsize) / 20) >= size
  }

  /**
   * Writes a file as it comes, holding back who sends it while the disk is busy. Resolves when it is on disk under its name.
   * @param source so many bytes; it is not read further when that fails
   * @param progress called with how many are still to come, whenever some came
   */
  async receive(
    file: string,
    size: number,
    source: Readable,
    progress: (left: number) => void = nothing,
  ): Promise<void> {
    const temporary = join(this.#folder, ARRIVING, nameOf(file))
    await mkdir(join(this.#folder, ARRIVING), { recursive: true, mode: 0o700 })
    this.#expected += size
    let left = size
    try {
      const fd = await openFile(temporary, 'wx', 0o600)
      try {
        const sync = (): Promise<void> => this.#syncing.take(() => syncData(fd))
        await pourIn(source, { fd, sync }, size, (bytes) => {
          left -= bytes
          this.#expected -= bytes
          progress(left)
        })
        await sync()
      } finally {
        await closeFile(fd)
      }
      await this.#publish(temporary, file)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    } finally {
      this.#expected -= left
    }
  }

  /** Opens a file to be read. Rejects with `ENOENT` if it is not there. */
  async open(file: string): Promise<OpenFile> {
    const fd = await openFile(this.#path(file), 'r')
    return {
      pourInto: (sink, start, end, progress) => pourOut(fd, start, end, sink, progress),
      close: () => closeFile(fd),
    }
  }

  /** Removes a file, if it is there. */
  async remove(file: string): Promise<void> {
    await rm(this.#path(file), { force: true })
  }

  /** Removes files that nobody knows of. @param known the names with a prefix that somebody does @returns how many */
  async removeStrays(known: (prefix: string) => Promise<ReadonlySet<string>>, signal: AbortSignal): Promise<number> {
    let strays = 0
    for (const prefix of await namesIn(this.#folder)) {
      if (signal.aborted) break
      if (!/^[0-9a-f]{2}$/.test(prefix)) continue
      const there = await namesIn(join(this.#folder, prefix)) // before the question: what comes after it is known
      const wanted = await known(prefix)
      for (const file of there) {
        if (wanted.has(file) || !NAME.test(file)) continue
        await this.remove(file)
        strays++
      }
    }
    return strays
  }

  async #publish(temporary: string, file: string): Promise<void> {
    const folder = join(this.#folder, nameOf(file).slice(0, 2))
    const made = await mkdir(folder, { recursive: true, mode: 0o700 })
    await rename(temporary, this.#path(file))
    await this.#syncing.take(() => syncFolder(folder))
    if (made !== undefined) await this.#syncing.take(() => syncFolder(this.#folder))
  }

  #path(file: string): string {
    return join(this.#folder, nameOf(file).slice(0, 2), file)
  }
}

/** Doubt means no: whatever else is wrong, nothing outside the folder is touched. */
function nameOf(file: string): string {
  if (!NAME.test(file)) throw new TypeError('not the name of an uploaded file')
  return file
}

function nothing(): void {}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Lets a few do something at the same time; the others wait. */
class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(most: number) {
    this.#free = most
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free++
    }
  }
}
