// SPDX-License-Identifier: Apache-2.0
// Invitations (XEP-0401): who may come, by the hash of what the link holds.
import type { Migration } from './migration.ts'

/** Version 11. */
export const invitations: Migration = {
  version: 11,
  statements: ({ integer, text, serial, strict }) => [
    // creator: '' if it was made on the machine itself. uses: null for as many as like. redeeming: the deed that used it last.
    `create table invitation (
      id ${serial},
      hash ${text} not null unique,
      domain ${text} not null,
      creator ${text} not null,
      contact ${text},
      name ${text},
      admin ${integer} not null,
      accounts ${integer} not null,
      note ${text},
      uses ${integer},
      used ${integer} not null,
      created ${integer} not null,
      expires ${integer} not null,
      redeeming ${text} not null
    ) ${strict}`,
    'create index invitation_by_creator on invitation (creator, created)',
    'create index invitation_by_contact on invitation (contact)',
    'create index invitation_by_name on invitation (domain, name)',
    'create index invitation_by_end on invitation (expires)',
  ],
}
