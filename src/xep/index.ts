// SPDX-License-Identifier: Apache-2.0
// Every feature. The order is the order in which their hooks run; `test/order.test.ts` pins it.
import type { Feature } from '../core/feature.ts'
import { lastActivity } from './0012-last-activity.ts'
import { disco } from './0030-disco.ts'
import { rooms } from './0045-rooms/feature.ts'
import { privateXml } from './0049-private-xml.ts'
import { commands } from './0050-commands.ts'
import { vcard } from './0054-vcard.ts'
import { pubsub } from './0060-pubsub/feature.ts'
import { proxy } from './0065-proxy.ts'
import { registration } from './0077-registration/feature.ts'
import { version } from './0092-version.ts'
import { caps } from './0115-caps/feature.ts'
import { admin } from './0133-admin.ts'
import { contactAddresses } from './0157-contact-addresses.ts'
import { offline } from './0160-offline.ts'
import { pep } from './0163-pep.ts'
import { blocking } from './0191-blocking.ts'
import { streamManagement } from './0198-stream-management/feature.ts'
import { ping } from './0199-ping.ts'
import { time } from './0202-time.ts'
import { spamBrakes } from './0205-spam-brakes/feature.ts'
import { externalServices } from './0215-external-services.ts'
import { carbons } from './0280-carbons.ts'
import { archive } from './0313-archive.ts'
import { csi } from './0352-csi.ts'
import { push } from './0357-push/feature.ts'
import { upload } from './0363-upload.ts'
import { reports } from './0377-reports.ts'
import { avatarConversion } from './0398-avatar-conversion.ts'
import { invitations } from './0401-invitations.ts'
import { bookmarks } from './0402-bookmarks.ts'
import { retraction } from './0424-retraction.ts'
import { archivePreferences } from './0441-archive-preferences.ts'
import { streamLimits } from './0478-stream-limits.ts'
import { clientAccess } from './0494-client-access.ts'

/** All features, in the order of their hooks, with the reason where the place matters. */
export const features: readonly Feature[] = [
  blocking, // first: what is blocked is neither archived, copied nor pushed
  spamBrakes, // like `blocking`, before anything is kept
  invitations, // grants requests that the two above let pass; may wait, so it comes before `archive`
  archivePreferences, // may wait, so it comes before `archive`, which may not
  pep, // takes answers to its own questions before they are archived; may wait, so before `archive`
  archive, // what is refused above is not kept; leaves to `offline` what nobody is there to get, so nothing may wait between them
  carbons, // copies what the archive passed on, with its id; waits for nothing, so it may stand before `offline`
  push, // only for what is not refused above; it waits for nothing
  offline, // the last resort
  avatarConversion, // changes presence before it is looked at
  caps, // only listens
  csi, // what it holds back has passed all others, and is counted when it goes; gives it back before `streamManagement` ends
  streamManagement, // counts what is sent, after all others had their say
  rooms, // a service, which starts when the sessions are there again
  lastActivity, // only listens, and refuses questions to clients
  disco,
  privateXml,
  vcard,
  pubsub, // a service: its place does not matter
  upload, // a service
  proxy, // a service
  bookmarks,
  registration,
  commands,
  admin,
  reports,
  externalServices,
  version,
  contactAddresses,
  retraction, // `archive` and `offline` carry it out
  time,
  streamLimits,
  clientAccess,
  ping, // answers questions only: its place does not matter
]
