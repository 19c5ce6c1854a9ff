// SPDX-License-Identifier: Apache-2.0
// From the text of the configuration file to a checked `Config`, or to the list of everything that is wrong with it.
import { access, constants, readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import * as v from 'valibot'
import { type AcmeOptions, acmeOptions } from './acme.ts'

import type { CertificateFiles, Config, StoreChoice } from './config.ts'
import {
  certificateMistakes,
  certificatesOf,
  componentMistakes,
  domainKey,
  movedMistakes,
  proofMistakes,
  readHosts,
} from './domains.ts'
import { explain, IN_WORDS } from './explain.ts'
import { INSTALLED_CONFIG, INSTALLED_DATA } from './installed.ts'
import { baseShape } from './schema.ts'
import { type Mistake, parseSource, type Source } from './source.ts'

/** Somebody who brings options: each becomes a key at the top of the file. */
export interface OptionSource {
  readonly name: string
  readonly options?: Readonly<Record<string, v.GenericSchema>>
}

/** The configuration cannot be used. Its message has one line for each mistake. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly file: string
  readonly mistakes: readonly Mistake[]

  constructor(file: string, mistakes: readonly Mistake[]) {
    super(mistakes.map((mistake) => `${file}:${mistake.line}: ${described(mistake)}`).join('\n'))
    this.file = file
    this.mistakes = mistakes
  }
}

/** What the loader needs beside the text. */
export interface LoadOptions {
  /** The file's path, for messages and because paths inside are relative to its directory. */
  readonly file: string
  readonly features: readonly OptionSource[]
}

const base = v.object(baseShape)

/** Checks the text of a configuration file. @throws ConfigError with all mistakes */
export function loadConfig(text: string, options: LoadOptions): Config {
  return load(parseSource(text), options)
}

/** Reads and checks a configuration file, and whether the files that it names can be read. @throws ConfigError */
export async function readConfig(options: LoadOptions): Promise<Config> {
  const text = await readFile(options.file, 'utf8').catch((error: unknown) => {
    throw new ConfigError(options.file, [{ line: 1, column: 1, path: '', text: `cannot be read: ${reasonOf(error)}` }])
  })
  const source = parseSource(text)
  const config = load(source, options)
  const mistakes = await unreadableFiles(config, source)
  if (mistakes.length > 0) throw new ConfigError(options.file, mistakes)
  return config
}

/** The options of features merged into one table. @throws TypeError if two claim the same key: a mistake in the program */
export function featureShape(features: readonly OptionSource[]): Readonly<Record<string, v.GenericSchema>> {
  const shape: Record<string, v.GenericSchema> = {}
  for (const { name, options } of features) {
    for (const [key, schema] of Object.entries(options ?? {})) {
      if (key in baseShape || key in shape) throw new TypeError(`feature ${name}: the option ${key} exists already`)
      shape[key] = schema
    }
  }
  return shape
}

function load(source: Source, { file, features }: LoadOptions): Config {
  if (source.broken) throw new ConfigError(file, source.mistakes)
  const raw = source.value
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) {
    throw new ConfigError(file, [source.mistake([], 'must be a list of options such as domain: example.org')])
  }
  const shape = featureShape(features)
  const schema = v.strictObject({ ...baseShape, ...shape })
  const whole = v.safeParse(schema, raw, IN_WORDS)
  const { hosts, mistakes: hostMistakes } = readHosts(raw as Record<string, unknown>, source)
  const mistakes = [
    ...source.mistakes,
    ...(whole.success ? [] : explain(whole.issues, schema, source)),
    ...hostMistakes,
    ...certificateMistakes(raw as Record<string, unknown>, hosts, source),
    ...proofMistakes(raw as Record<string, unknown>, source),
    ...movedMistakes(raw as Record<string, unknown>, hosts, source),
    ...componentMistakes(raw as Record<string, unknown>, hosts, source),
  ]
  if (mistakes.length > 0) throw new ConfigError(file, inOrder(mistakes))
  const ofFeatures = v.parse(v.object(shape), raw)
  return assemble(v.parse(base, raw), hosts, ofFeatures, dirname(resolve(file)), namedPorts(raw as Raw))
}

function assemble(
  checked: v.InferOutput<typeof base>,
  hosts: readonly string[],
  features: Readonly<Record<string, unknown>>,
  directory: string,
  named: ReadonlySet<string>,
): Config {
  const full = (files: CertificateFiles): CertificateFiles => ({
    cert: resolve(directory, files.cert),
    key: resolve(directory, files.key),
  })
  const {
    certificate,
    certificates,
    moved,
    data,
    store,
    listen,
    behind,
    log,
    limits,
    accounts,
    admins,
    contacts,
    http,
    uploads,
    proxy,
    components,
    federation,
    acme,
    dns,
    doctor,
  } = checked
  const isManaged = certificate === undefined && certificates === undefined
  const each =
    certificates && Object.fromEntries(Object.entries(certificates).map(([host, files]) => [host, full(files)]))
  return {
    hosts,
    moved: new Map(Object.entries(moved)),
    data: data === undefined ? dataFor(directory) : resolve(directory, data),
    listen: { ...listen, ...(isManaged ? managedPorts(named, acme.challenge) : {}), nextFreePort: false },
    acme: isManaged ? acmeOptions(acme) : undefined,
    behind,
    http,
    uploads,
    proxy,
    certificates: certificatesOf(hosts, certificate && full(certificate), each),
    store: storeOf(store),
    log,
    limits,
    accounts,
    admins,
    contacts,
    components: new Map(Object.entries(components)),
    federation: {
      ...federation,
      ...(federation.authorities === undefined ? {} : { authorities: resolve(directory, federation.authorities) }),
    },
    dns: {
      ...dns,
      ...(dns.keyFile === undefined ? {} : { keyFile: resolve(directory, dns.keyFile) }),
      ...(dns.tokenFile === undefined ? {} : { tokenFile: resolve(directory, dns.tokenFile) }),
    },
    doctor,
    features,
    trial: false,
  }
}

/** Where the data is when the file does not say so. */
function dataFor(directory: string): string {
  return directory === dirname(INSTALLED_CONFIG) ? INSTALLED_DATA : resolve(directory, 'data')
}

type Raw = Readonly<Record<string, unknown>>

/** The ways in that the file speaks of. */
function namedPorts({ listen }: Raw): ReadonlySet<string> {
  return new Set(listen !== null && typeof listen === 'object' ? Object.keys(listen) : [])
}

/** Where certificates are ours to get, the ports that this takes are ours too, unless the file says otherwise. */
function managedPorts(
  named: ReadonlySet<string>,
  challenge: AcmeOptions['challenge'],
): Partial<Pick<Config['listen'], 'shared' | 'redirect' | 'dns'>> {
  return {
    ...(named.has('dns') || challenge !== 'delegated' ? {} : { dns: [{ host: '::', port: 53 }] }),
    ...(named.has('shared') ? {} : { shared: [{ host: '::', port: 443 }] }),
    ...(named.has('redirect') ? {} : { redirect: [{ host: '::', port: 80 }] }),
  }
}

function storeOf(store: 'sqlite' | { readonly postgres: string }): StoreChoice {
  return store === 'sqlite' ? { kind: 'sqlite' } : { kind: 'postgres', url: store.postgres }
}

async function unreadableFiles(config: Config, source: Source): Promise<readonly Mistake[]> {
  const mistakes: Mistake[] = []
  const named = new Map<string, readonly string[]>()
  const raw = source.value as { readonly certificates?: Readonly<Record<string, unknown>> }
  for (const [host, files] of config.certificates) {
    const written = Object.keys(raw.certificates ?? {}).find((name) => domainKey(name) === domainKey(host))
    const above = written === undefined ? ['certificate'] : ['certificates', written]
    for (const part of ['cert', 'key'] as const) named.set(files[part], [...above, part])
  }
  const { authorities } = config.federation
  if (authorities !== undefined) named.set(authorities, ['federation', 'authorities'])
  for (const [file, path] of named) {
    await access(file, constants.R_OK).catch((error: unknown) => {
      mistakes.push(source.mistake(path, `${file} cannot be read: ${reasonOf(error)}`))
    })
  }
  return mistakes
}

/** A mistake without its place. */
export function described({ path, text }: Mistake): string {
  return path === '' ? text : `${path}: ${text}`
}

function inOrder(mistakes: readonly Mistake[]): readonly Mistake[] {
  return [...mistakes].sort((a, b) => a.line - b.line || a.column - b.column)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'its directory is not one',
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return REASONS[code] ?? (code === '' ? String(error) : code)
}
