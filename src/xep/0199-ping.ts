// SPDX-License-Identifier: Apache-2.0
// XEP-0199: XMPP Ping. Answers pings to our domains and to one's own account. The pings that we send ourselves, to clients
// that were silent for long, are in `stream/clients.ts`.
import type { Feature } from '../core/feature.ts'

const NS = 'urn:xmpp:ping'

/** XEP-0199: XMPP Ping. */
export const ping: Feature = {
  name: 'ping',
  implements: [{ xep: 199, version: '2.0.1', name: 'XMPP Ping' }],
  setup: () => ({
    iq: [{ at: ['server', 'account', 'service'], type: 'get', ns: NS, name: 'ping', answer: () => undefined }],
    disco: { server: { features: [NS] }, account: { features: [NS] } },
  }),
}
