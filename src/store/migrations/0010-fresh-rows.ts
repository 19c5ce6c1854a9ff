// SPDX-License-Identifier: Apache-2.0
// Where a new message belongs is one row, not one for each of its owners.
import type { Migration } from './migration.ts'

/** Version 10. */
export const freshRows: Migration = {
  version: 10,
  statements: ({ integer, text, strict }) => [
    'insert into owner (jid) select owner from fresh where true on conflict (jid) do nothing',
    'insert into peer (jid) select peer from fresh where peer is not null on conflict (jid) do nothing',
    `insert into archive (owner, id, peer, resource) select owner.id, fresh.id, peer.id, fresh.resource
      from fresh join owner on owner.jid = fresh.owner join peer on peer.jid = fresh.peer order by owner.id, fresh.id`,
    `insert into offline (owner, id) select owner.id, fresh.id
      from fresh join owner on owner.jid = fresh.owner where peer is null order by owner.id, fresh.id`,
    'drop table fresh',
    // ways: a sum of 1 (for the archive of mine, as exchanged with peer), 2 (the other way round), 4 (for the queue of mine),
    // 8 (for that of peer).
    `create table fresh (
      id ${integer} not null,
      ways ${integer} not null,
      mine ${text} not null,
      my_resource ${text},
      peer ${text} not null,
      peer_resource ${text}
    ) ${strict}`,
  ],
}
