// SPDX-License-Identifier: Apache-2.0
// An archive can be searched by contact: without an index, one who wrote once would be looked for among all messages.
import type { Migration } from './migration.ts'

/** Version 2. */
export const archive: Migration = {
  version: 2,
  statements: () => ['create index archive_by_peer on archive (owner, peer, id)'],
}
