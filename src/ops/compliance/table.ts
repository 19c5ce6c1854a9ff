// SPDX-License-Identifier: Apache-2.0
// What is checked: the checks of the Conversations compliance tester (its snapshot of 2021-07) and the lines of XEP-0479 for
// servers (version 0.1.0). What both ask for is measured once.
import { archive, blocking, carbons, instantMessaging, offline, privateXml, vcard } from './checks/chat.ts'
import { components } from './checks/components.ts'
import { clientState, push, streamManagement } from './checks/mobile.ts'
import { avatars, bookmarks, eventing, NEW_BOOKMARKS, omemo, privateItems } from './checks/personal.ts'
import { invitations, roomArchive, rooms, roomVcard, selfPing } from './checks/rooms.ts'
import { abuseContact, externalServices, proxy, relay, upload, uploadFromPages } from './checks/services.ts'
import {
  bind2,
  caps,
  directTls,
  directTlsWorks,
  disco,
  fast,
  registration,
  rosterVersions,
  sasl2,
  streams,
  tls,
  transport,
} from './checks/streams.ts'
import { bosh, discovery, websocket } from './checks/web.ts'
import type { Lab } from './lab.ts'

/** Looks at one thing. Resolves with what was seen; rejects with the reason why it fails. */
export type Check = (lab: Lab) => Promise<string>

/** How much a line counts. */
export type Level = 'required' | 'informational' | 'server' | 'advanced' | 'extra'

/** One line of the report. */
export interface Line {
  readonly id: string
  readonly title: string
  readonly level: Level
  readonly check: Check
}

const oldBookmarks = bookmarks('urn:xmpp:bookmarks-conversion:0')
const newBookmarks = bookmarks(...NEW_BOOKMARKS)
const stun = relay('stun')
const turn = relay('turn')

function required(id: string, title: string, check: Check): Line {
  return { id, title, level: 'required', check }
}

function informational(id: string, title: string, check: Check): Line {
  return { id, title, level: 'informational', check }
}

function server(id: string, title: string, check: Check): Line {
  return { id, title, level: 'server', check }
}

function advanced(id: string, title: string, check: Check): Line {
  return { id, title, level: 'advanced', check }
}

function extra(id: string, title: string, check: Check): Line {
  return { id, title, level: 'extra', check }
}

/** The Conversations compliance tester. */
export const TESTER: readonly Line[] = [
  required('xep0115', 'Entity Capabilities', caps),
  required('xep0198', 'Stream Management', streamManagement),
  required('xep0352', 'Client State Indication', clientState),
  required('roster_versioning', 'Roster Versioning', rosterVersions),
  required('xep0163', 'Personal Eventing', eventing),
  required('xep0384', 'OMEMO', omemo),
  required('xep0191', 'Blocking Command', blocking),
  required('xep0280', 'Message Carbons', carbons),
  required('xep0160', 'Offline Messages', offline),
  required('xep0313', 'Message Archive', archive),
  required('xep0357', 'Push Notifications', push),
  required('xep0398', 'Avatar Conversion', avatars),
  required('xep0411', 'Bookmarks Conversion', oldBookmarks),
  required('xep0045', 'Multi-User Chat', rooms),
  required('xep0313muc', 'Message Archive of Rooms', roomArchive),
  required('vcard_muc', 'vCards of Rooms', roomVcard),
  required('xep0065', 'SOCKS5 Bytestreams Proxy', proxy),
  required('xep0363', 'HTTP File Upload', upload),
  required('xep0368', 'Direct TLS', directTls),
  required('stun', 'STUN', stun),
  required('turn', 'TURN', turn),
  informational('abuse-contact', 'Abuse Contact', abuseContact),
  informational('xep0156', 'Host Meta', discovery),
  informational('xep0363_cors', 'Upload from Web Pages', uploadFromPages),
  informational('xep0077', 'Registration', registration),
]

/** XEP-0479 by category. */
export const SUITE: Readonly<Record<string, readonly Line[]>> = {
  Core: [
    server('rfc6120', 'XMPP Core', streams),
    server('rfc7590', 'TLS', tls),
    server('xep0030', 'Service Discovery', disco),
    server('xep0114', 'Component Protocol', components),
    advanced('xep0368', 'Direct TLS', directTlsWorks),
    advanced('xep0115', 'Entity Capabilities', caps),
    advanced('xep0163', 'Personal Eventing', eventing),
  ],
  Web: [server('rfc7395', 'WebSocket', websocket), server('xep0206', 'BOSH', bosh)],
  IM: [
    server('rfc6121', 'Instant Messaging', instantMessaging),
    server('xep0054', 'vcard-temp', vcard),
    server('xep0280', 'Message Carbons', carbons),
    server('xep0045', 'Multi-User Chat', rooms),
    server('xep0249', 'Direct Invitations', invitations),
    server('xep0363', 'HTTP File Upload', upload),
    advanced('xep0398', 'Avatar Conversion (with XEP-0153)', avatars),
    advanced('xep0191', 'Blocking Command', blocking),
    advanced('xep0048', 'Bookmarks of old', newBookmarks),
    advanced('xep0313muc', 'Message Archive of Rooms', roomArchive),
    advanced('xep0402', 'Bookmarks (with #compat)', newBookmarks),
    advanced('xep0410', 'Self-Ping in Rooms', selfPing),
    advanced('xep0223', 'Private Storage by PubSub', privateItems),
    advanced('xep0049', 'Private XML Storage', privateXml),
    advanced('xep0198', 'Stream Management', streamManagement),
    advanced('xep0313', 'Message Archive', archive),
  ],
  Mobile: [
    server('xep0198', 'Stream Management', streamManagement),
    server('xep0352', 'Client State Indication', clientState),
    advanced('xep0357', 'Push Notifications', push),
  ],
  'A/V': [server('xep0215', 'External Services', externalServices)],
}

/** The ways in. */
export const TRANSPORTS: readonly Line[] = [
  extra('starttls', 'STARTTLS', transport('starttls')),
  extra('tls', 'Direct TLS', transport('tls')),
  extra('websocket', 'WebSocket', websocket),
  extra('bosh', 'BOSH', bosh),
]

/** What neither asks for, but clients of today use. */
export const EXTRA: readonly Line[] = [
  extra('xep0388', 'SASL2', sasl2),
  extra('xep0386', 'Bind 2', bind2),
  extra('xep0484', 'FAST', fast),
]
