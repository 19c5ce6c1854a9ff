// SPDX-License-Identifier: Apache-2.0
// How a room is set up (XEP-0045 §10.1): the settings, how they are kept, and what follows from them.
import * as v from 'valibot'
import type { RoomSettings } from '../../store/rooms-store.ts'
import type { Role } from './names.ts'

const ROLE = v.picklist(['visitor', 'participant', 'moderator'])
const HAT = v.object({ uri: v.string(), title: v.string(), hue: v.optional(v.string()) })

// Each setting has its default: what an older version wrote lacks some. The defaults are those of a private group.
const SCHEMA = v.object({
  name: v.optional(v.string(), ''),
  description: v.optional(v.string(), ''),
  language: v.optional(v.string(), ''),
  /** Whether everybody may find it. */
  listed: v.optional(v.boolean(), false),
  persistent: v.optional(v.boolean(), true),
  membersOnly: v.optional(v.boolean(), true),
  moderated: v.optional(v.boolean(), false),
  /** Whether everybody in it sees real addresses, or moderators only. */
  whois: v.optional(v.picklist(['anyone', 'moderators']), 'anyone'),
  /** '' for none. */
  password: v.optional(v.string(), ''),
  /** Whether participants may change the subject. */
  changeSubject: v.optional(v.boolean(), false),
  /** Whether members may invite others. */
  allowInvites: v.optional(v.boolean(), false),
  allowPm: v.optional(v.picklist(['anyone', 'participants', 'moderators', 'none']), 'anyone'),
  /** 0: as many as the server allows. */
  maxUsers: v.optional(v.number(), 0),
  presenceBroadcast: v.optional(v.array(ROLE), ['visitor', 'participant', 'moderator']),
  memberList: v.optional(v.array(ROLE), ['visitor', 'participant', 'moderator']),
  archive: v.optional(v.boolean(), true),
  history: v.optional(v.number(), 20),
  /** Whether members have the nick that is reserved for them, and no other. */
  lockNicks: v.optional(v.boolean(), false),
  /** Not set by the form: whether it waits for its first configuration (§10.1.3). */
  locked: v.optional(v.boolean(), false),
  /** Hashes of its avatars (XEP-0486). */
  avatars: v.optional(v.array(v.string()), []),
  hats: v.optional(v.array(HAT), []),
  /** Who wears which hats: URIs by bare JID. */
  wearers: v.optional(v.record(v.string(), v.array(v.string())), {}),
})

/** The settings of a room. */
export type RoomConfig = v.InferOutput<typeof SCHEMA>

/** A hat (XEP-0317). */
export type Hat = v.InferOutput<typeof HAT>

/** A room as it is made: private, and nobody may enter it yet. */
export function newConfig(): RoomConfig {
  return { ...v.parse(SCHEMA, {}), locked: true }
}

/** Reads settings that were kept. */
export function readConfig(text: string): RoomConfig {
  return v.parse(SCHEMA, JSON.parse(text))
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
