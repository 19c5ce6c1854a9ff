// SPDX-License-Identifier: Apache-2.0
// Every migration, in order. A new one is a file and a line here.
import { start } from './0001-start.ts'
import { clients } from './0002-clients.ts'
import { pushAndReports } from './0003-push-reports.ts'
import { sessions } from './0004-sessions.ts'
import { pubsub } from './0005-pubsub.ts'
import { sessionLog } from './0006-session-log.ts'
import { uploads } from './0007-uploads.ts'
import { rooms } from './0008-rooms.ts'
import { outbox } from './0009-outbox.ts'
import { freshRows } from './0010-fresh-rows.ts'
import { invitations } from './0011-invitations.ts'
import type { Migration } from './migration.ts'

/** Every migration; the version of each is its place. */
export const migrations: readonly Migration[] = [
  start,
  clients,
  pushAndReports,
  sessions,
  pubsub,
  sessionLog,
  uploads,
  rooms,
  outbox,
  freshRows,
  invitations,
]
