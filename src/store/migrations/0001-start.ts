// SPDX-License-Identifier: Apache-2.0
// The first schema: accounts, rosters, messages with their indexes, documents, sets, secrets.
import type { Migration, Words } from './migration.ts'

const accounts = ({ integer, text, blob, clustered }: Words): readonly string[] => [
  `create table account (
    jid ${text} not null primary key,
    domain ${text} not null,
    admin ${integer} not null,
    disabled ${integer} not null,
    created ${integer} not null,
    last_seen ${integer},
    last_status ${text}
  ) ${clustered}`,
  'create index account_by_domain on account (domain, jid)',
  `create table verifier (
    jid ${text} not null,
    mechanism ${text} not null,
    salt ${blob} not null,
    iterations ${integer} not null,
    stored_key ${blob} not null,
    server_key ${blob} not null,
    primary key (jid, mechanism)
  ) ${clustered}`,
]

const rosters = ({ integer, text, clustered }: Words): readonly string[] => [
  `create table roster (owner ${text} not null primary key, version ${integer} not null) ${clustered}`,
  // group_names is a JSON array of texts.
  `create table contact (
    owner ${text} not null,
    jid ${text} not null,
    name ${text},
    group_names ${text} not null,
    subscription ${text} not null,
    ask ${integer} not null,
    approved ${integer} not null,
    request ${text},
    listed ${integer} not null,
    primary key (owner, jid)
  ) ${clustered}`,
]

// Archives are indexed by numbers, not by addresses: the rows are a third of the size, and removing an account takes its
// number away, after which whatever still has it belongs to nobody ("doomed") and is removed in small steps.
// A message's index rows wait in `fresh`, in the order they came, until there are thousands to sort in together: a commit
// would otherwise touch one page of the index for each owner, which costs more than all the rest.
const messages = ({ integer, text, serial, strict, clustered }: Words): readonly string[] => [
  `create table owner (id ${serial}, jid ${text} not null unique) ${strict}`,
  `create table doomed (owner ${integer} not null primary key) ${clustered}`,
  // The other side of a conversation: a bare JID.
  `create table peer (id ${serial}, jid ${text} not null unique) ${strict}`,
  // uses: how many rows of fresh, archive and offline have it.
  `create table message (id ${integer} not null primary key, uses ${integer} not null, xml ${text} not null) ${strict}`,
  `create table archive (
    owner ${integer} not null,
    id ${integer} not null,
    peer ${integer} not null,
    resource ${text},
    primary key (owner, id)
  ) ${clustered}`,
  // No peer: a row of offline, otherwise one of archive.
  `create table fresh (owner ${text} not null, id ${integer} not null, peer ${text}, resource ${text}) ${strict}`,
  `create table offline (owner ${integer} not null, id ${integer} not null, primary key (owner, id)) ${clustered}`,
]

const rest = ({ integer, text, blob, strict, clustered }: Words): readonly string[] => [
  `create table document (owner ${text} not null, name ${text} not null, body ${text} not null, primary key (owner, name)) ${strict}`,
  `create table member (
    owner ${text} not null,
    name ${text} not null,
    value ${text} not null,
    primary key (owner, name, value)
  ) ${clustered}`,
  `create table secret (name ${text} not null primary key, value ${blob} not null) ${clustered}`,
  `create table counter (name ${text} not null primary key, value ${integer} not null) ${clustered}`,
]

/** Version 1. */
export const start: Migration = {
  version: 1,
  statements: (words) => [...accounts(words), ...rosters(words), ...messages(words), ...rest(words)],
}
