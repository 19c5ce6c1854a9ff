// SPDX-License-Identifier: Apache-2.0
// What the engine can do, as XEP-0060 §16.1 names it.
import { NS_PUBSUB } from './errors.ts'

/** What nodes can do everywhere, on accounts as on the service. */
const EVERYWHERE = [
  'access-authorize',
  'access-open',
  'access-whitelist',
  'auto-create',
  'config-node',
  'config-node-max',
  'create-and-configure',
  'create-nodes',
  'delete-items',
  'delete-nodes',
  'instant-nodes',
  'item-ids',
  'last-published',
  'manage-subscriptions',
  'member-affiliation',
  'meta-data',
  'modify-affiliations',
  'multi-items',
  'outcast-affiliation',
  'persistent-items',
  'publish',
  'publish-options',
  'publisher-affiliation',
  'purge-nodes',
  'retract-items',
  'retrieve-affiliations',
  'retrieve-default',
  'retrieve-items',
  'retrieve-subscriptions',
  'rsm',
  'subscribe',
]

/** The features to announce (XEP-0060 §10). @param more what nodes can do there beside what they can everywhere */
export function pubsubFeatures(...more: readonly string[]): readonly string[] {
  return [NS_PUBSUB, ...[...EVERYWHERE, ...more].map((name) => `${NS_PUBSUB}#${name}`)]
}
