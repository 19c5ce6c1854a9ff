// SPDX-License-Identifier: Apache-2.0
// What is known of uploaded files, as deeds; part of `store.ts`. Times are in ms since 1970.
import type { Jid } from '../xmpp/jid.ts'

/** A place for a file that somebody is about to upload. */
export interface NewUpload {
  /** The hash of what the address of the file cannot be guessed by; unique. */
  readonly slot: string
  /** What the file is called on disk; unique, and made by us. */
  readonly file: string
  readonly owner: Jid
  /** What its owner calls it. */
  readonly name: string
  /** A media type without parameters, if its owner said one. */
  readonly type: string | undefined
  readonly size: number
  readonly created: number
  /** Until when the upload has to begin. */
  readonly expires: number
  /** How long the file is kept then. */
  readonly keepUntil: number
}

/** How much one account may have. */
export interface UploadLimits {
  readonly bytesPerAccount: number
  readonly bytesPerDay: number
  readonly filesPerAccount: number
}

/** No room: the account itself is gone if there is no time at which there may be some. */
export interface NoRoom {
  readonly what: 'account' | 'day' | 'gone'
  /** When there will be room. */
  readonly until: number | undefined
}

/** A file, or a place for one. */
export interface Upload {
  readonly id: number
  readonly file: string
  readonly owner: Jid
  readonly name: string
  readonly type: string | undefined
  readonly size: number
  /** Whether the file is there. */
  readonly stored: boolean
  readonly created: number
  readonly expires: number
}

/** What the files of one account take. */
export interface UploadUsage {
  readonly owner: Jid
  readonly files: number
  readonly bytes: number
  /** When the oldest and the newest were uploaded. */
  readonly oldest: number
  readonly newest: number
}

export interface UploadStore {
  /** Makes a place, unless that would be more than the account may have. @returns why not */
  reserve(upload: NewUpload, most: UploadLimits): Promise<NoRoom | undefined>
  /** A file or a place by its slot's hash; undefined when it has expired. */
  find(slot: string, now: number): Promise<Upload | undefined>
  /** Lets a place that is not used yet live on while the file arrives. @returns false if it is used, or gone */
  hold(slot: string, now: number, until: number): Promise<boolean>
  /** The file is on disk. @returns false if its place is gone or used: then the file has to go again */
  keep(slot: string): Promise<boolean>
  /** The largest first. */
  usage(limit: number): Promise<readonly UploadUsage[]>
  /** The files of one account, the newest first. */
  list(owner: Jid, limit: number): Promise<readonly Upload[]>
  /** @returns how many there were */
  remove(which: { readonly ids?: readonly number[]; readonly slots?: readonly string[] }): Promise<number>
  /** Lets go what has expired, as many as a small step takes. @returns how many */
  expire(now: number): Promise<number>
  /** Files that are to be removed from the disk, as many as a small step takes. */
  gone(): Promise<readonly string[]>
  /** Those are removed from the disk. */
  forget(files: readonly string[], now: number): Promise<void>
  /** Names of files on disk that there is a reason for, beginning with these two characters. */
  known(prefix: string): Promise<ReadonlySet<string>>
}
