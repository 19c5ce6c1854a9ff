// SPDX-License-Identifier: Apache-2.0
// Messages that are on their way to other servers.
import type { Migration } from './migration.ts'

/** Version 9. */
export const outbox: Migration = {
  version: 9,
  statements: ({ integer, text, strict }) => [
    // way: our domain and theirs, with a space between. since: ms since 1970.
    `create table outbox (
      id ${integer} not null primary key,
      way ${text} not null,
      since ${integer} not null,
      xml ${text} not null
    ) ${strict}`,
    'create index outbox_by_way on outbox (way, id)',
  ],
}
