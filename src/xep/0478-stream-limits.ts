// SPDX-License-Identifier: Apache-2.0
// XEP-0478: Stream Limits Advertisement. Tells a client how much it may send at once, and how long it may be silent.
import type { Feature } from '../core/feature.ts'
import { el } from '../xml/element.ts'

const NS = 'urn:xmpp:stream-limits:0'

/** XEP-0478: Stream Limits Advertisement. Before login less is allowed, and a time for all of it instead of for silence. */
export const streamLimits: Feature = {
  name: 'stream-limits',
  implements: [{ xep: 478, version: '0.2.0', name: 'Stream Limits Advertisement' }],
  setup: ({ limits }) => ({
    streamFeatures({ authenticated }) {
      const bytes = authenticated ? limits.stanzaBytes : limits.unauthenticatedStanzaBytes
      const idle = authenticated && el('idle-seconds', NS, null, String(Math.floor(limits.idleTimeout / 1000)))
      return [el('limits', NS, null, el('max-bytes', NS, null, String(bytes)), idle)]
    },
  }),
}
