// SPDX-License-Identifier: Apache-2.0
// XEP-0202: Entity Time. The time of our domains, in UTC: where the machine stands is nobody's business.
import type { Feature } from '../core/feature.ts'
import { el } from '../xml/element.ts'

const NS = 'urn:xmpp:time'

/** XEP-0202: Entity Time, in the formats of XEP-0082. */
export const time: Feature = {
  name: 'time',
  implements: [
    { xep: 202, version: '2.0', name: 'Entity Time' },
    { xep: 82, version: '1.1.1', name: 'XMPP Date and Time Profiles' },
  ],
  setup: ({ clock }) => ({
    iq: [
      {
        at: ['server'],
        type: 'get',
        ns: NS,
        name: 'time',
        answer: () =>
          el('time', NS, null, el('tzo', NS, null, '+00:00'), el('utc', NS, null, new Date(clock.now()).toISOString())),
      },
    ],
    disco: { server: { features: [NS] } },
  }),
}
