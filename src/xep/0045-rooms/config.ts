// SPDX-License-Identifier: Apache-2.0
// How a room is set up (XEP-0045 §10.1): the settings, how they are kept, and what follows from them.
import * as z from '../../shape.ts'
import type { RoomSettings } from '../../store/rooms-store.ts'
import type { Role } from './names.ts'

const ROLE = z.oneOf(['visitor', 'participant', 'moderator'])
const HAT = z.object({ uri: z.string(), title: z.string(), hue: z.string().optional() })

// Each setting has its default: what an older version wrote lacks some. The defaults are those of a private group.
const SCHEMA = z.object({
  name: z.string().default(''),
  description: z.string().default(''),
  language: z.string().default(''),
  /** Whether everybody may find it. */
  listed: z.boolean().default(false),
  persistent: z.boolean().default(true),
  membersOnly: z.boolean().default(true),
  moderated: z.boolean().default(false),
  /** Whether everybody in it sees real addresses, or moderators only. */
  whois: z.oneOf(['anyone', 'moderators']).default('anyone'),
  /** '' for none. */
  password: z.string().default(''),
  /** Whether participants may change the subject. */
  changeSubject: z.boolean().default(false),
  /** Whether members may invite others. */
  allowInvites: z.boolean().default(false),
  allowPm: z.oneOf(['anyone', 'participants', 'moderators', 'none']).default('anyone'),
  /** 0: as many as the server allows. */
  maxUsers: z.number().default(0),
  presenceBroadcast: z.array(ROLE).default(['visitor', 'participant', 'moderator']),
  memberList: z.array(ROLE).default(['visitor', 'participant', 'moderator']),
  archive: z.boolean().default(true),
  history: z.number().default(20),
  /** Whether members have the nick that is reserved for them, and no other. */
  lockNicks: z.boolean().default(false),
  /** Not set by the form: whether it waits for its first configuration (§10.1.3). */
  locked: z.boolean().default(false),
  /** Hashes of its avatars (XEP-0486). */
  avatars: z.array(z.string()).default([]),
  hats: z.array(HAT).default([]),
  /** Who wears which hats: URIs by bare JID. */
  wearers: z.record(z.array(z.string())).default({}),
})

/** The settings of a room. */
export type RoomConfig = z.output<typeof SCHEMA>

/** A hat (XEP-0317). */
export type Hat = z.output<typeof HAT>

/** A room as it is made: private, and nobody may enter it yet. */
export function newConfig(): RoomConfig {
  return { ...SCHEMA.parse({}), locked: true }
}

/** Reads settings that were kept. */
export function readConfig(text: string): RoomConfig {
  return SCHEMA.parse(JSON.parse(text))
}

/** As the store wants them. */
export function settingsOf(config: RoomConfig): RoomSettings {
  return {
    config: JSON.stringify(config),
    name: config.name,
    listed: config.listed && !config.locked,
    temporary: !config.persistent || config.locked,
  }
}

/** Whether those in the room get to know that somebody of this role is in it. */
export function isShown(config: RoomConfig, role: Role): boolean {
  return config.presenceBroadcast.includes(role)
}

/** Whether somebody of this role sees real addresses. */
export function seesAddresses(config: RoomConfig, role: Role): boolean {
  return config.whois === 'anyone' || role === 'moderator'
}
