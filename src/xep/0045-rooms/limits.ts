// SPDX-License-Identifier: Apache-2.0
// What rooms may cost, as options, and who may make them.

import type { FeatureContext } from '../../core/feature.ts'
import * as z from '../../shape.ts'
import type { Jid } from '../../xmpp/jid.ts'

/** Who may make rooms. */
const CREATE = z.oneOf(['users', 'admins', 'nobody'])

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
  roomsCreate: CREATE.default('users').meta({
    description: 'Who may make rooms at `rooms.` of their domain: all its users, administrators, or nobody.',
  }),
  roomsPerUser: z.int().min(1).default(DEFAULTS.perUser).meta({
    description: 'Rooms that one user may make.',
    kind: 'number',
  }),
  roomOccupants: z.int().min(2).default(DEFAULTS.occupants).meta({
    description: 'Clients that may be in one room.',
    kind: 'number',
  }),
  roomAffiliations: z.int().min(10).default(DEFAULTS.affiliations).meta({
    description: 'Owners, administrators and members of one room together; as many may be banned.',
    kind: 'number',
  }),
  roomMessageRate: z.number().min(0.1).default(DEFAULTS.rate).meta({
    description:
      'Messages a second that one occupant may send to a room; after a pause ten times as many for a moment.',
    kind: 'number',
  }),
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
  const who = CREATE.catch('users').parse(options.roomsCreate)
  if (isAdmin(user)) return who !== 'nobody'
  return who === 'users' && user.domain === room.domain.slice(room.domain.indexOf('.') + 1)
}
