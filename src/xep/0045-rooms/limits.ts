// SPDX-License-Identifier: Apache-2.0
// What rooms may cost, as options, and who may make them.

import * as v from 'valibot'
import type { FeatureContext } from '../../core/feature.ts'
import type { Jid } from '../../xmpp/jid.ts'

/** Who may make rooms. */
const CREATE = v.picklist(['users', 'admins', 'nobody'])

/** The bounds of all rooms. */
export interface RoomLimits {
  readonly perUser: number
  readonly occupants: number
  readonly affiliations: number
  /** Messages a second of one occupant. */
  readonly rate: number
}

/** Bytes of UTF-8 of a nick and of a subject, and of a room's name and description. */
export const NICK_MAX = 128
export const SUBJECT_MAX = 4096
export const TEXT_MAX = 1024

const DEFAULTS: RoomLimits = { perUser: 100, occupants: 5000, affiliations: 10_000, rate: 10 }

/** Options that become top-level keys of the configuration. */
export const roomOptions = {
  roomsCreate: v.optional(
    v.pipe(
      CREATE,
      v.metadata({
        description: 'Who may make rooms at `rooms.` of their domain: all its users, administrators, or nobody.',
      }),
    ),
    'users',
  ),
  roomsPerUser: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(1),
      v.metadata({
        description: 'Rooms that one user may make.',
        kind: 'number',
      }),
    ),
    DEFAULTS.perUser,
  ),
  roomOccupants: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(2),
      v.metadata({
        description: 'Clients that may be in one room.',
        kind: 'number',
      }),
    ),
    DEFAULTS.occupants,
  ),
  roomAffiliations: v.optional(
    v.pipe(
      v.number(),
      v.safeInteger(),
      v.minValue(10),
      v.metadata({
        description: 'Owners, administrators and members of one room together; as many may be banned.',
        kind: 'number',
      }),
    ),
    DEFAULTS.affiliations,
  ),
  roomMessageRate: v.optional(
    v.pipe(
      v.number(),
      v.finite(),
      v.minValue(0.1),
      v.metadata({
        description:
          'Messages a second that one occupant may send to a room; after a pause ten times as many for a moment.',
        kind: 'number',
      }),
    ),
    DEFAULTS.rate,
  ),
}

/** The bounds as they are now. */
export function limitsOf({ options }: Pick<FeatureContext, 'options'>): RoomLimits {
  const number = (name: string, otherwise: number): number => {
    const value = options[name]
    return typeof value === 'number' ? value : otherwise
  }
  return {
    perUser: number('roomsPerUser', DEFAULTS.perUser),
    occupants: number('roomOccupants', DEFAULTS.occupants),
    affiliations: number('roomAffiliations', DEFAULTS.affiliations),
    rate: number('roomMessageRate', DEFAULTS.rate),
  }
}

/** Whether somebody may make a room: only at their own domain, unless they administer it. */
export function mayCreate({ options, hosts, isAdmin }: FeatureContext, room: Jid, user: Jid): boolean {
  if (user.local === undefined || !hosts.has(user.domain)) return false
  const who = v.parse(v.fallback(CREATE, 'users'), options.roomsCreate)
  if (isAdmin(user)) return who !== 'nobody'
  return who === 'users' && user.domain === room.domain.slice(room.domain.indexOf('.') + 1)
}
