// SPDX-License-Identifier: Apache-2.0
// Who may import whom (ARCHITECTURE.md has the same table in words). Arrows run one way, so there are no cycles to break later.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, sep } from 'node:path'
import { test } from 'node:test'

/** Open to all. */
const EVERYWHERE = ['log.ts', 'clock.ts', 'metrics.ts']

/** What each folder may import; `type` folders only by `import type`. */
const MAY: Readonly<Record<string, { readonly values: readonly string[]; readonly types?: readonly string[] }>> = {
  xml: { values: [] },
  xmpp: { values: ['xml'] },
  store: { values: ['xmpp'] },
  cluster: { values: ['xmpp'] },
  accounts: { values: ['xmpp', 'store'] },
  core: { values: ['xml', 'xmpp'], types: ['store', 'cluster', 'accounts', 'stream/link.ts'] },
  xep: { values: ['xml', 'xmpp', 'core'], types: ['store', 'accounts'] },
  stream: { values: ['xml', 'xmpp', 'core', 'accounts'], types: ['store'] },
  net: { values: ['xml', 'xmpp', 'stream/link.ts'] },
  config: { values: [] },
  appliance: { values: [] },
  // `xml`: `ops/compliance/` is a client of its own.
  ops: { values: ['appliance', 'config', 'store', 'net', 'accounts', 'xmpp', 'xml'] },
  // `xml`, `stream/link.ts`: WebSocket and BOSH are links, which read and write elements.
  web: { values: ['xml', 'xmpp', 'accounts', 'ops', 'net'], types: ['core', 'store', 'stream/link.ts'] },
  cli: { values: ['appliance', 'config', 'accounts', 'ops', 'net', 'xmpp', 'store', 'main.ts', 'xep/index.ts'] },
}

/** What only one folder may touch. */
const ONLY_IN: Readonly<Record<string, readonly string[]>> = {
  'node:sqlite': ['store'],
  postgres: ['store'],
  'node:net': ['net'],
  'node:tls': ['net'],
  'node:dns': ['net'],
  'node:dgram': ['net'],
  'dns-packet': ['net'],
  'node:http': ['web', 'net'], // `net/probes/web-client.ts` is the client's end
  'node:https': ['net'],
  hono: ['web'],
  ws: ['web'],
  '@hono/node-server': ['web'],
  yaml: ['config'],
  'prom-client': ['metrics.ts'],
  pino: ['log.ts'],
  commander: ['cli'],
}

interface Import {
  readonly file: string
  readonly from: string
  readonly target: string
  readonly typeOnly: boolean
}

function imports(): Import[] {
  const files = globSync('src/**/*.ts').filter((file) => !file.endsWith('.test.ts') && !file.endsWith('contract.ts'))
  return files.flatMap((file) => {
    const text = readFileSync(file, 'utf8')
    const found = text.matchAll(/^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'|\bimport\('([^']+)'\)/gm)
    return [...found].map((match) => ({
      file,
      from: placeOf(file),
      target: resolved(file, match[2] ?? match[3] ?? ''),
      typeOnly: match[1] !== undefined,
    }))
  })
}

/** The folder under `src/`, or the file's name if it lies in `src/` itself. */
function placeOf(file: string): string {
  return file.split(sep)[1] ?? ''
}

function resolved(file: string, target: string): string {
  return target.startsWith('.')
    ? normalize(join(dirname(file), target))
        .replaceAll(sep, '/')
        .replace(/^src\//, '')
    : target
}

function allowed({ from, target, typeOnly }: Import): boolean {
  const rule = MAY[from]
  if (!rule || EVERYWHERE.includes(target) || target.startsWith(`${from}/`)) return true
  if (!target.endsWith('.ts')) return true
  const matches = (place: string): boolean => target === place || target.startsWith(`${place}/`)
  return rule.values.some(matches) || (typeOnly && (rule.types ?? []).some(matches))
}

test('every import of ours is one that the table allows', () => {
  const bad = imports().filter((one) => !allowed(one))
  assert.deepEqual(
    bad.map(({ file, target }) => `${file} imports ${target}`),
    [],
  )
})

test('drivers, sockets and the like are used in one place only', () => {
  const bad = imports().filter(({ from, target, typeOnly }) => !typeOnly && !(ONLY_IN[target]?.includes(from) ?? true))
  assert.deepEqual(
    bad.map(({ file, target }) => `${file} imports ${target}`),
    [],
  )
})

test('the environment is read in config/ only', () => {
  const bad = globSync('src/**/*.ts').filter(
    (file) => placeOf(file) !== 'config' && /process\.env\b/.test(readFileSync(file, 'utf8')),
  )
  assert.deepEqual(
    bad.filter((file) => !file.endsWith('.test.ts')),
    [],
  )
})

test('a file has at most 500 lines and begins with the licence', () => {
  const files = globSync('{src,test,bench}/**/*.ts')
  const long = files.filter((file) => readFileSync(file, 'utf8').split('\n').length > 501)
  const bare = files.filter(
    (file) => !readFileSync(file, 'utf8').startsWith('// SPDX-License-Identifier: Apache-2.0\n'),
  )
  assert.deepEqual([long, bare], [[], []])
})
