// SPDX-License-Identifier: Apache-2.0
// XEP-0092: Software Version. Name and version of the program; what it runs on is nobody's business (§5).
import type { Feature } from '../core/feature.ts'
import { el } from '../xml/element.ts'

const NS = 'jabber:iq:version'

/** XEP-0092: Software Version. */
export const version: Feature = {
  name: 'version',
  implements: [{ xep: 92, version: '1.1', name: 'Software Version' }],
  setup: (ctx) => ({
    iq: [
      {
        at: ['server'],
        type: 'get',
        ns: NS,
        name: 'query',
        answer: () =>
          el('query', NS, null, el('name', NS, null, ctx.software.name), el('version', NS, null, ctx.software.version)),
      },
    ],
    disco: { server: { features: [NS] } },
  }),
}
