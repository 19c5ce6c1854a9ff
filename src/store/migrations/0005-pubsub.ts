// SPDX-License-Identifier: Apache-2.0
// What accounts publish (XEP-0060, XEP-0163): nodes, their items, and who has to do with them.
import type { Migration } from './migration.ts'

/** Version 5. */
export const pubsub: Migration = {
  version: 5,
  statements: ({ integer, text, strict, clustered }) => [
    // config is JSON.
    `create table pubsub_node (
      owner ${text} not null,
      name ${text} not null,
      config ${text} not null,
      primary key (owner, name)
    ) ${clustered}`,
    // time: ms since 1970, and never twice in one node: it is the order of the items.
    `create table pubsub_item (
      owner ${text} not null,
      node ${text} not null,
      id ${text} not null,
      time ${integer} not null,
      publisher ${text} not null,
      xml ${text} not null,
      primary key (owner, node, id)
    ) ${strict}`,
    'create index pubsub_item_by_time on pubsub_item (owner, node, time)',
    `create table pubsub_affiliation (
      owner ${text} not null,
      node ${text} not null,
      jid ${text} not null,
      affiliation ${text} not null,
      primary key (owner, node, jid)
    ) ${clustered}`,
    `create table pubsub_subscription (
      owner ${text} not null,
      node ${text} not null,
      jid ${text} not null,
      state ${text} not null,
      primary key (owner, node, jid)
    ) ${clustered}`,
  ],
}
