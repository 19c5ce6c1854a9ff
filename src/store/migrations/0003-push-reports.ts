// SPDX-License-Identifier: Apache-2.0
// Where accounts want push notifications (XEP-0357), and what users reported (XEP-0377).
import type { Migration } from './migration.ts'

/** Version 3. */
export const pushAndReports: Migration = {
  version: 3,
  statements: ({ integer, text, serial, strict, clustered }) => [
    `create table push (
      owner ${text} not null,
      service ${text} not null,
      node ${text} not null,
      device ${text} not null,
      options ${text},
      enabled ${integer} not null,
      last_push ${integer},
      last_success ${integer},
      last_error ${integer},
      error ${text},
      errors ${integer} not null,
      disabled ${integer} not null,
      primary key (owner, service, node)
    ) ${clustered}`,
    // stanzas is a JSON array of objects with by and id.
    `create table report (
      id ${serial},
      time ${integer} not null,
      reporter ${text} not null,
      subject ${text} not null,
      reason ${text} not null,
      body ${text},
      stanzas ${text} not null
    ) ${strict}`,
    'create index report_by_reporter on report (reporter, id)',
  ],
}
