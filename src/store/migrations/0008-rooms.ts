// SPDX-License-Identifier: Apache-2.0
// Rooms (XEP-0045): what they are, who has to do with them, and who is in them.
import type { Migration } from './migration.ts'

/** Version 8. */
export const rooms: Migration = {
  version: 8,
  statements: ({ integer, text, strict, clustered }) => [
    // config and subject are JSON; name and the flags stand in config too, and are here for lists.
    `create table room (
      jid ${text} not null primary key,
      domain ${text} not null,
      name ${text} not null,
      creator ${text} not null,
      listed ${integer} not null,
      temporary ${integer} not null,
      config ${text} not null,
      subject ${text}
    ) ${strict}`,
    'create index room_by_list on room (domain, listed, jid)',
    'create index room_by_creator on room (creator)',
    `create table room_affiliation (
      room ${text} not null,
      jid ${text} not null,
      affiliation ${text} not null,
      nick ${text},
      reason ${text},
      primary key (room, jid)
    ) ${clustered}`,
    'create index room_affiliation_by_jid on room_affiliation (jid)',
    // jid: a full one, of a client that is in the room.
    `create table room_occupant (
      room ${text} not null,
      jid ${text} not null,
      nick ${text} not null,
      role ${text} not null,
      presence ${text} not null,
      primary key (room, jid)
    ) ${clustered}`,
  ],
}
