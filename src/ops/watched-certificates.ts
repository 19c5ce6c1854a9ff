// SPDX-License-Identifier: Apache-2.0
// Files that somebody else renews: looked at every some seconds, and put in force when they are whole.
import { stat } from 'node:fs/promises'
import type { Cancel, Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { CertificateFiles, Certificates } from '../net/tls.ts'

/** How often they are looked at, in ms: `stat` sees what `watch` misses, such as another target of a link or a network's disk. */
const LOOK_EVERY = 10_000

/** What it takes. */
export interface WatchParts {
  readonly certificates: Pick<Certificates, 'renew'>
  readonly clock: Clock
  readonly log: Log
}

/** The files of a domain. */
interface Watched {
  readonly files: CertificateFiles
  /** How they were when they were put in force, or found wanting. */
  known: string
  /** How they were at the last look, if otherwise. */
  changed: string | undefined
}

/** Watches. */
export class WatchedCertificates {
  readonly #parts: WatchParts
  #watched = new Map<string, Watched>()
  #cancel: Cancel | undefined
  #looking: Promise<void> = Promise.resolve()

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  /** Watches these from now on, as they are in force. @param files by domain; none: nothing is looked at */
  use(files: ReadonlyMap<string, CertificateFiles>): void {
    this.stop()
    const watched = new Map([...files].map(([host, one]) => [host, { files: one, known: '', changed: undefined }]))
    this.#watched = watched
    if (watched.size === 0) return
    this.#looking = this.#begin([...watched.values()])
    this.#cancel = this.#parts.clock.every(LOOK_EVERY, () => void this.look())
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#watched.clear()
  }

  /** Looks. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      for (const [host, one] of this.#watched) await this.#lookAt(host, one)
    })
    return this.#looking
  }

  async #begin(all: readonly Watched[]): Promise<void> {
    for (const one of all) one.known = await signOf(one.files)
  }

  /** What changes is left alone until two looks have found it alike: whoever writes may not be done. */
  async #lookAt(host: string, one: Watched): Promise<void> {
    const sign = await signOf(one.files)
    if (sign === one.known) {
      one.changed = undefined
    } else if (sign !== one.changed) {
      one.changed = sign
    } else {
      await this.#renew(host, one, sign)
    }
  }

  async #renew(host: string, one: Watched, sign: string): Promise<void> {
    const { certificates, log } = this.#parts
    one.known = sign
    one.changed = undefined
    try {
      await certificates.renew(host, one.files)
      log.info('certificate files changed and are in force')
    } catch (error) {
      if (isOfTheMoment(error)) one.known = '' // the files may be good: they are read again
      const reason = error instanceof Error ? error.message : String(error)
      log.error('certificate files changed and cannot be used; what was there stays in force', { reason })
    }
  }
}

/** Changes when the content of a file may have. */
async function signOf({ cert, key }: CertificateFiles): Promise<string> {
  const signs = await Promise.all(
    [cert, key].map(async (file) => {
      const found = await stat(file, { bigint: true }).catch(() => undefined)
      return found ? `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}` : 'missing'
    }),
  )
  return signs.join(' ')
}

/** Whether the system, and not a file, was in no state for this. */
function isOfTheMoment(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO'].includes(code)
}
