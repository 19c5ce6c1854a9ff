// SPDX-License-Identifier: Apache-2.0
// Every migration, in order. A new one is a file and a line here.
import { start } from './0001-start.ts'
import { pubsub } from './0002-pubsub.ts'
import type { Migration } from './migration.ts'

/** Every migration; the version of each is its place. */
export const migrations: readonly Migration[] = [start, pubsub]
