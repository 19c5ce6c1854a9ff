// SPDX-License-Identifier: Apache-2.0
// Sessions that can be resumed (XEP-0198 §5) after the process ended.
import type { Migration } from './migration.ts'

/** Version 4. */
export const sessions: Migration = {
  version: 4,
  statements: ({ integer, text, clustered }) => [
    // id is a hash: who reads the database cannot resume a session. state is JSON.
    `create table session (
      id ${text} not null primary key,
      owner ${text} not null,
      handled ${integer} not null,
      acknowledged ${integer} not null,
      state ${text} not null
    ) ${clustered}`,
    'create index session_by_owner on session (owner)',
    `create table session_chunk (
      session ${text} not null,
      sent_before ${integer} not null,
      sent_up_to ${integer} not null,
      body ${text} not null,
      primary key (session, sent_before)
    ) ${clustered}`,
  ],
}
