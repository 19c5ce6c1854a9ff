// SPDX-License-Identifier: Apache-2.0
// Every feature. The order is the order in which their hooks run; `test/order.test.ts` pins it.
import type { Feature } from '../core/feature.ts'
import { lastActivity } from './0012-last-activity.ts'
import { disco } from './0030-disco.ts'
import { privateXml } from './0049-private-xml.ts'
import { commands } from './0050-commands.ts'
import { vcard } from './0054-vcard.ts'
import { registration } from './0077-registration.ts'
import { version } from './0092-version.ts'
import { caps } from './0115-caps.ts'
import { admin } from './0133-admin.ts'
import { contactAddresses } from './0157-contact-addresses.ts'
import { offline } from './0160-offline.ts'
import { pep } from './0163-pep.ts'
import { blocking } from './0191-blocking.ts'
import { streamManagement } from './0198-stream-management.ts'
import { ping } from './0199-ping.ts'
import { time } from './0202-time.ts'
import { archive } from './0313-archive.ts'
import { avatarConversion } from './0398-avatar-conversion.ts'
import { bookmarks } from './0402-bookmarks.ts'
import { streamLimits } from './0478-stream-limits.ts'

/** All features, in the order of their hooks, with the reason where the place matters. */
export const features: readonly Feature[] = [
  blocking, // first: what is blocked is neither archived, copied nor pushed
  pep, // takes answers to its own questions before they are archived; may wait, so before `archive`
  archive, // what is refused above is not kept; leaves to `offline` what nobody is there to get, so nothing may wait between them
  offline, // the last resort
  avatarConversion, // changes presence before it is looked at
  caps, // only listens
  streamManagement, // counts what is sent, after all others had their say
  lastActivity, // only listens, and refuses questions to clients
  disco,
  privateXml,
  vcard,
  bookmarks,
  registration,
  commands,
  admin,
  version,
  contactAddresses,
  time,
  streamLimits,
  ping, // answers questions only: its place does not matter
]
