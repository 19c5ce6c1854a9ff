// SPDX-License-Identifier: Apache-2.0
// Sessions that can be resumed cost one row per commit instead of two per session and commit.
import type { Migration } from './migration.ts'

/** Between two texts, as in what is written of a session. */
const SEPARATOR = '\u001e'

/** Version 6. */
export const sessionLog: Migration = {
  version: 6,
  statements: ({ integer, text, clustered }) => [
    // A row holds what is known up to the entry number `logged` of the log; body are the texts that follow on the first
    // sent_before stanzas.
    `create table session_base (
      id ${text} not null primary key,
      owner ${text} not null,
      logged ${integer} not null,
      handled ${integer} not null,
      acknowledged ${integer} not null,
      state ${text} not null,
      sent_before ${integer} not null,
      body ${text}
    ) ${clustered}`,
    'create index session_base_by_owner on session_base (owner)',
    `insert into session_base (id, owner, logged, handled, acknowledged, state, sent_before, body)
      select id, owner, 0, handled, acknowledged, state,
        coalesce((select min(sent_before) from session_chunk where session = id), acknowledged),
        (select string_agg(body, '${SEPARATOR}' order by sent_before) from session_chunk where session = id)
      from session`,
    'drop table session_chunk',
    'drop table session',
    // What changed since, of many sessions together: JSON.
    `create table session_log (number ${integer} not null primary key, body ${text} not null) ${clustered}`,
  ],
}
