// SPDX-License-Identifier: Apache-2.0
// What administrators may look into through the admin socket: push notifications, reports of abuse, uploaded files.

import * as v from 'valibot'
import { IN_WORDS } from '../config/explain.ts'
import { AdminError } from '../net/admin-socket.ts'
import type { RoomSummary } from '../store/rooms-store.ts'
import type { PushRegistration, Report } from '../store/store.ts'
import type { Upload, UploadUsage } from '../store/upload-store.ts'
import { Jid } from '../xmpp/jid.ts'
import { slotIn, slotKey } from '../xmpp/upload-path.ts'
import type { RunningServer } from './running-server.ts'

/** Where an account wants push notifications, and what became of them; times in ms since 1970, null for never. */
export interface PushInfo {
  readonly jid: string
  /** The resource of the client. */
  readonly device: string
  /** The app server. */
  readonly service: string
  readonly state: 'active' | 'disabled'
  readonly enabled: number
  readonly lastPush: number | null
  readonly lastSuccess: number | null
  readonly lastError: number | null
  /** The condition of the last error. */
  readonly error: string | null
  /** How many there were since the last success. */
  readonly errors: number
}

/** A report of spam or abuse. */
export interface ReportInfo {
  readonly id: number
  /** ms since 1970. */
  readonly time: number
  readonly subject: string
  readonly reason: string
  readonly reporter: string
  readonly text: string | null
  readonly stanzas: Report['stanzas']
}

/** What the files of an account take; times in ms since 1970. */
export interface UsageInfo {
  readonly jid: string
  readonly files: number
  readonly bytes: number
  readonly oldest: number
  readonly newest: number
}

/** An uploaded file. */
export interface UploadInfo {
  readonly id: number
  readonly jid: string
  readonly name: string
  readonly type: string | null
  readonly size: number
  /** ms since 1970. */
  readonly created: number
  readonly expires: number
}

/** A room. */
export type RoomInfo = RoomSummary

/** How many of each are shown. */
const SHOWN = 1000

/** The commands, as in `admin.ts`. */
export function insightCommands({
  pushes,
  reports,
  uploads,
  rooms,
}: Pick<RunningServer, 'pushes' | 'reports' | 'uploads' | 'rooms'>) {
  return {
    async push(args: unknown): Promise<readonly PushInfo[]> {
      const { jid } = v.parse(v.object({ jid: v.optional(v.string()) }), args, IN_WORDS)
      return (await pushes.list(jid === undefined ? undefined : accountOf(jid), SHOWN)).map(pushInfo)
    },
    reports: async (): Promise<readonly ReportInfo[]> => (await reports.list(SHOWN)).map(reportInfo),
    async 'reports.rm'(args: unknown): Promise<{ readonly removed: number }> {
      const { ids } = v.parse(
        v.object({ ids: v.optional(v.pipe(v.array(v.pipe(v.number(), v.safeInteger())), v.maxLength(SHOWN))) }),
        args,
        IN_WORDS,
      )
      return { removed: await reports.remove(ids) }
    },
    uploads: async (): Promise<readonly UsageInfo[]> => (await uploads.usage(SHOWN)).map(usageInfo),
    async 'uploads.list'(args: unknown): Promise<readonly UploadInfo[]> {
      return (await uploads.list(accountOf(v.parse(v.object({ jid: v.string() }), args, IN_WORDS).jid), SHOWN)).map(
        uploadInfo,
      )
    },
    async 'uploads.rm'(args: unknown): Promise<{ readonly removed: number }> {
      const which = {
        ids: v.optional(v.pipe(v.array(v.pipe(v.number(), v.safeInteger())), v.maxLength(SHOWN)), []),
        urls: v.optional(v.pipe(v.array(v.string()), v.maxLength(SHOWN)), []),
      }
      const { ids, urls } = v.parse(v.object(which), args, IN_WORDS)
      return { removed: await uploads.remove({ ids, slots: urls.map(slotOf) }) }
    },
    rooms: (): Promise<readonly RoomInfo[]> => rooms.all(SHOWN),
    async 'rooms.rm'(args: unknown): Promise<{ readonly removed: number }> {
      const { jids } = v.parse(v.object({ jids: v.pipe(v.array(v.string()), v.maxLength(SHOWN)) }), args, IN_WORDS)
      let removed = 0
      for (const jid of jids.map(roomOf)) if (await rooms.remove(jid)) removed++
      return { removed }
    },
  }
}

function accountOf(text: string): Jid {
  const jid = Jid.tryParse(text)
  if (jid?.local !== undefined) return jid.bare
  throw new AdminError('bad-address', `"${text}" is not the address of an account; one looks like romeo@example.org`)
}

function roomOf(text: string): Jid {
  const jid = Jid.tryParse(text)
  if (jid?.local !== undefined) return jid.bare
  throw new AdminError('bad-address', `"${text}" is not the address of a room; one looks like coven@rooms.example.org`)
}

/** Without the node and the form, which are secrets between the device and its app server. */
function pushInfo(registration: PushRegistration): PushInfo {
  const { owner, device, service, disabled, enabled, lastPush, lastSuccess, lastError, error, errors } = registration
  return {
    jid: owner.toString(),
    device,
    service: service.toString(),
    state: disabled ? 'disabled' : 'active',
    enabled,
    lastPush: lastPush ?? null,
    lastSuccess: lastSuccess ?? null,
    lastError: lastError ?? null,
    error: error ?? null,
    errors,
  }
}

function slotOf(url: string): string {
  const slot = slotIn(url)
  if (slot !== undefined) return slotKey(slot)
  throw new AdminError('bad-address', `"${url}" is not the address of an uploaded file.`)
}

function usageInfo({ owner, files, bytes, oldest, newest }: UploadUsage): UsageInfo {
  return { jid: owner.toString(), files, bytes, oldest, newest }
}

function uploadInfo({ id, owner, name, type, size, created, expires }: Upload): UploadInfo {
  return { id, jid: owner.toString(), name, type: type ?? null, size, created, expires }
}

function reportInfo({ id, time, subject, reason, reporter, text, stanzas }: Report): ReportInfo {
  return { id, time, subject: subject.toString(), reason, reporter: reporter.toString(), text: text ?? null, stanzas }
}
