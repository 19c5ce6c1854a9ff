// SPDX-License-Identifier: Apache-2.0
// What we implement, printed from the features themselves: docs/XEPS.md and docs/aenigma.doap.
import type { Feature } from '../core/feature.ts'
import { el } from '../xml/element.ts'

const DOAP = 'http://usefulinc.com/ns/doap#'
const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#'
const XMPP = 'https://linkmauve.fr/ns/xmpp-doap#'

/** What is implemented outside of `src/xep/`, where the protocol itself lives. */
const ELSEWHERE: readonly Implemented[] = [
  {
    xep: 114,
    version: '1.6',
    name: 'Jabber Component Protocol',
    note: '`accept` only',
    file: 'src/stream/component.ts',
  },
  {
    xep: 178,
    version: '1.2',
    name: 'Best Practices for Use of SASL EXTERNAL',
    note: 'between servers',
    file: 'src/stream/s2s/out.ts',
  },
  { xep: 288, version: '1.0.1', name: 'Bidirectional Server-to-Server Connections', file: 'src/stream/s2s/in.ts' },
  { xep: 4, version: '2.13.2', name: 'Data Forms', file: 'src/xmpp/0004-data-forms.ts' },
  {
    xep: 185,
    version: '1.0',
    name: 'Dialback Key Generation and Validation',
    file: 'src/stream/s2s/dialback-keys.ts',
  },
  {
    xep: 220,
    version: '1.1.1',
    name: 'Server Dialback',
    note: 'over TLS only; as the receiving server where the configuration says that it is enough',
    file: 'src/stream/s2s/dialback-receiving.ts',
  },
  {
    xep: 368,
    version: '1.1.0',
    name: 'SRV records for XMPP over TLS',
    note: 'direct TLS with ALPN, for clients and between servers',
    file: 'src/net/listen.ts',
  },
  {
    xep: 386,
    version: '1.1.0',
    name: 'Bind 2',
    note: 'offline messages are delivered as ever',
    file: 'src/stream/arrival.ts',
  },
  { xep: 388, version: '1.0.4', name: 'Extensible SASL Profile', file: 'src/stream/login2.ts' },
  { xep: 59, version: '1.0', name: 'Result Set Management', file: 'src/xmpp/0059-result-sets.ts' },
  { xep: 359, version: '0.7.0', name: 'Unique and Stable Stanza IDs', file: 'src/xmpp/0359-stanza-ids.ts' },
  { xep: 440, version: '1.0.0', name: 'SASL Channel-Binding Type Capability', file: 'src/stream/offer.ts' },
  { xep: 474, version: '0.5.0', name: 'SASL SCRAM Downgrade Protection', file: 'src/accounts/scram.ts' },
  { xep: 480, version: '0.2.0', name: 'SASL Upgrade Tasks', file: 'src/stream/login2.ts' },
  { xep: 484, version: '0.2.0', name: 'Fast Authentication Streamlining Tokens', file: 'src/accounts/ht.ts' },
]

/** The ways in for web pages. */
const WEB: readonly Implemented[] = [
  {
    xep: 124,
    version: '1.11.2',
    name: 'Bidirectional-streams Over Synchronous HTTP (BOSH)',
    note: 'one stream in a session, no acknowledgements, no compression',
    file: 'src/web/bosh/link.ts',
  },
  { xep: 156, version: '1.4.0', name: 'Discovering Alternative XMPP Connection Methods', file: 'src/web/host-meta.ts' },
  { xep: 206, version: '1.4', name: 'XMPP Over BOSH', file: 'src/web/bosh/link.ts' },
]

interface Implemented {
  readonly xep: number
  readonly version: string
  readonly name: string
  readonly note?: string
  readonly file: string
}

/** docs/XEPS.md. @param fileOf where a feature is */
export function renderXepTable(features: readonly Feature[], fileOf: (xep: number) => string): string {
  const rows = all(features, fileOf).map(
    ({ xep, version, name, note, file }) =>
      `| [${number(xep)}](https://xmpp.org/extensions/xep-${number(xep)}.html) | ${name} | ${version} | [${file}](../${file}) | ${note ?? ''} |`,
  )
  return [
    '# XEPs',
    '',
    'Printed from the code by `npm run docs`, and compared with it by a test.',
    '',
    '| XEP | Name | Version | File | Note |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

/** docs/aenigma.doap. */
export function renderDoap(features: readonly Feature[], fileOf: (xep: number) => string): string {
  const resource = (uri: string): Readonly<Record<string, string>> => ({ [`{${RDF}}resource`]: uri })
  const supported = all(features, fileOf).map(({ xep, version, note }) =>
    el(
      'implements',
      DOAP,
      null,
      el(
        'SupportedXep',
        XMPP,
        null,
        el('xep', XMPP, resource(`https://xmpp.org/extensions/xep-${number(xep)}.html`)),
        el('status', XMPP, null, note ? 'partial' : 'complete'),
        el('version', XMPP, null, version),
        note !== undefined && el('note', XMPP, { 'xml:lang': 'en' }, note),
      ),
    ),
  )
  const project = el(
    'Project',
    DOAP,
    null,
    el('name', DOAP, null, 'aenigma'),
    el('shortdesc', DOAP, { 'xml:lang': 'en' }, 'The secure-by-default, one-touch XMPP server for everyone.'),
    el('programming-language', DOAP, null, 'TypeScript'),
    el('os', DOAP, null, 'Linux'),
    el('license', DOAP, resource('https://www.apache.org/licenses/LICENSE-2.0')),
    ...[6120, 6121, 7395, 7622].map((rfc) =>
      el('implements', DOAP, resource(`https://www.rfc-editor.org/info/rfc${rfc}`)),
    ),
    ...supported,
  )
  const xml = el('RDF', RDF, null, project).xml('')
  return `<?xml version='1.0' encoding='UTF-8'?>\n${xml.replaceAll(/(<(?:Project|implements|name|shortdesc|programming-language|os|license)[ >])/g, '\n$1')}\n`
}

function all(features: readonly Feature[], fileOf: (xep: number) => string): readonly Implemented[] {
  const own = features.flatMap(({ implements: list }) =>
    list.map((one) => ({ ...one, file: fileOf(list[0]?.xep ?? one.xep) })),
  )
  return [...own, ...ELSEWHERE, ...WEB].sort((a, b) => a.xep - b.xep)
}

function number(xep: number): string {
  return String(xep).padStart(4, '0')
}
