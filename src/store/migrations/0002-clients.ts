// SPDX-License-Identifier: Apache-2.0
// Clients that may log in by a token (XEP-0484), and what their tokens are made from.
import type { Migration } from './migration.ts'

/** Version 2. */
export const clients: Migration = {
  version: 2,
  statements: ({ integer, text, blob, clustered }) => [
    `create table client (
      owner ${text} not null,
      id ${text} not null,
      software ${text},
      device ${text},
      created ${integer} not null,
      last_used ${integer} not null,
      primary key (owner, id)
    ) ${clustered}`,
    // fresh: 1 for one that was given out and has not been used yet; beside it the one that it will replace may stand.
    `create table token (
      owner ${text} not null,
      client ${text} not null,
      fresh ${integer} not null,
      mechanism ${text} not null,
      seed ${blob} not null,
      issued ${integer} not null,
      expires ${integer} not null,
      uses ${integer} not null,
      primary key (owner, client, fresh)
    ) ${clustered}`,
  ],
}
