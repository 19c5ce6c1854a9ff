// SPDX-License-Identifier: Apache-2.0
// Files that users upload (XEP-0363). The files themselves are not in the database.
import type { Migration } from './migration.ts'

/** Version 7. */
export const uploads: Migration = {
  version: 7,
  statements: ({ integer, text, serial, strict }) => [
    // slot is a hash: who reads the database cannot fetch what is not there. file: the name on disk. state: open (may be
    // uploaded), stored, gone (the file is to be removed), spent (it is; the row counts for the day). expires, keep_until:
    // ms since 1970; the first is that of the slot as long as it is open.
    `create table upload (
      id ${serial},
      slot ${text} not null unique,
      file ${text} not null unique,
      owner ${text} not null,
      name ${text} not null,
      type ${text},
      size ${integer} not null,
      state ${text} not null,
      created ${integer} not null,
      expires ${integer} not null,
      keep_until ${integer} not null
    ) ${strict}`,
    'create index upload_by_owner on upload (owner, created)',
    'create index upload_by_state on upload (state, expires)',
  ],
}
