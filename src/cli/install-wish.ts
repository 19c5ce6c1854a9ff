// SPDX-License-Identifier: Apache-2.0
// What `aenigma install` must know: taken from the arguments and the machine; the domain is asked for if nothing tells it.
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Appliance } from '../appliance/appliance.ts'
import type { Wish } from '../appliance/installation.ts'
import { adminSocketOf, type Config } from '../config/config.ts'
import { INSTALLED_CONFIG, INSTALLED_DATA, sshConnection } from '../config/installed.ts'
import { loadConfig, readConfig } from '../config/load.ts'
import { askAdmin } from '../net/admin-socket.ts'
import { aenigma, type OptionalStep } from '../ops/appliance.ts'
import { broughtPackages, PROGRAM_SOURCE, programVersion } from '../ops/program.ts'
import { Failure } from './failure.ts'

/** The options of the command. */
export interface InstallOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly certificate?: string
  readonly key?: string
  readonly without: readonly string[]
  readonly sshKeysOnly?: boolean
  readonly timeZone?: string
  readonly locale?: string
  readonly timeSync?: boolean
  readonly tor?: boolean
}

/** Asks the installed server. */
export function askInstalled(command: string, args: unknown = {}): Promise<unknown> {
  return askAdmin(adminSocketOf(INSTALLED_DATA), command, args)
}

/** What is to be installed. */
export interface Wanted {
  readonly appliance: Appliance
  readonly config: Config
}

/** The appliance as it is wanted here. Rejects with a `Failure` that says what is missing. */
export async function wantedHere(asked: string | undefined, options: InstallOptions): Promise<Wanted> {
  onlyRoot()
  const { text, config } = existsSync(INSTALLED_CONFIG)
    ? await present(asked, options)
    : await fresh(asked ?? (await askDomain(options)), options)
  const quiet = options.yes === true || options.json === true
  const appliance = aenigma({
    configText: text,
    domain: config.hosts[0] ?? '',
    ports: { tcp: portsOf(config), udp: [...new Set(config.listen.dns.map(({ port }) => port))] },
    version: await programVersion(PROGRAM_SOURCE),
    source: PROGRAM_SOURCE,
    brought: await broughtPackages(),
    ssh: sshConnection(),
    confirm: quiet ? async () => true : stillReachable,
    answers,
    onionAddress: onionAddressOf(config),
    timeZone: options.timeZone,
    locale: options.locale,
    wards: async () => {
      const { freshSubject, wardsFor } = await import('../ops/doctor/doctor.ts')
      return wardsFor(await freshSubject(config, askInstalled))
    },
  })
  return { appliance, config }
}

/** The appliance as it is undone: what it would write does not matter. */
export function applianceToUndo(): Appliance {
  onlyRoot()
  return aenigma({
    configText: '',
    domain: '',
    ports: { tcp: [], udp: [] },
    version: '',
    source: PROGRAM_SOURCE,
    brought: [],
    ssh: undefined,
    confirm: async () => true,
    answers,
    onionAddress: '',
    timeZone: undefined,
    locale: undefined,
    wards: async () => [],
  })
}

/** Which steps are wanted. Rejects with a `Failure` if one is meant that does not exist. */
export async function wantedSteps({ steps }: Appliance, options: InstallOptions): Promise<Wish> {
  const unknown = options.without.find((id) => !steps.some((step) => step.id === id))
  if (unknown !== undefined) {
    throw new Failure(
      'no-step',
      `There is no step "${unknown}".`,
      `There are ${steps.map(({ id }) => id).join(', ')}.`,
      2,
    )
  }
  const wanted: readonly (readonly [OptionalStep, boolean])[] = [
    ['tor', options.tor === true],
    ['ssh-keys-only', options.sshKeysOnly === true],
    ['time-sync', options.timeSync === true],
    ['time-zone', options.timeZone !== undefined],
    ['locale', options.locale !== undefined],
  ]
  return { options: wanted.filter(([, yes]) => yes).map(([id]) => id), without: options.without }
}

function onlyRoot(): void {
  if (process.getuid?.() === 0) return
  throw new Failure('not-root', 'Only root can change this machine.', 'Call it with sudo.')
}

async function present(
  asked: string | undefined,
  { certificate }: InstallOptions,
): Promise<{ text: string; config: Config }> {
  const { features } = await import('../xep/index.ts')
  const config = await readConfig({ file: INSTALLED_CONFIG, features })
  if (asked !== undefined && !config.hosts.includes(asked.toLowerCase())) {
    throw new Failure(
      'other-domain',
      `This machine serves ${config.hosts.join(', ')} already.`,
      `To serve ${asked} as well, add it to ${INSTALLED_CONFIG} and call "aenigma reload".`,
    )
  }
  if (certificate !== undefined) {
    throw new Failure(
      'configured',
      `${INSTALLED_CONFIG} is there already.`,
      'Write the certificate into it, and call "aenigma reload".',
    )
  }
  return { text: '', config }
}

async function fresh(domain: string, { certificate, key }: InstallOptions): Promise<{ text: string; config: Config }> {
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Failure('usage', 'A certificate goes with its key.', 'Say both --certificate FILE and --key FILE.', 2)
  }
  const files = certificate === undefined || key === undefined ? '' : certificateText(certificate, key)
  const text = `domain: ${domain}\n${files}`
  const { features } = await import('../xep/index.ts')
  return { text, config: loadConfig(text, { file: INSTALLED_CONFIG, features }) }
}

function certificateText(cert: string, key: string): string {
  const missing = [cert, key].find((file) => !existsSync(file))
  if (missing !== undefined) throw new Failure('no-file', `There is no file ${missing}.`)
  return `certificate: ${JSON.stringify({ cert: resolve(cert), key: resolve(key) })}\n`
}

async function askDomain({ yes, json }: InstallOptions): Promise<string> {
  if (yes || json || !process.stdin.isTTY) {
    throw new Failure('no-domain', 'Which domain?', 'Say it: aenigma install example.org', 2)
  }
  const { isCancel, text } = await import('@clack/prompts')
  const name = hostname()
  const guess = name.includes('.') ? name : `${name}.example.org`
  const answer = await text({ message: 'Which domain? Addresses will be NAME@DOMAIN.', initialValue: guess })
  if (isCancel(answer)) throw new Failure('cancelled', 'Nothing was changed.')
  return answer.trim()
}

/** Those that others reach. */
function portsOf({ listen, components }: Config): readonly number[] {
  const { starttls, tls, servers, serversTls, shared, redirect, dns, https, http, proxy } = listen
  const inner = components.size > 0 ? listen.components : []
  const all = [starttls, tls, servers, serversTls, shared, redirect, dns, https, http, proxy, inner].flat()
  const local = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')
  return [...new Set(all.filter(({ host }) => !local(host)).map(({ port }) => port))].sort((a, b) => a - b)
}

function onionAddressOf({ listen: { onion } }: Config): string {
  return onion.slice(0, 1).map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`)[0] ?? ''
}

async function answers(): Promise<boolean> {
  return askInstalled('status').then(
    () => true,
    () => false,
  )
}

/** Nobody answers over a connection that is cut off: then the time runs out, too. */
async function stillReachable(): Promise<boolean> {
  const { confirm } = await import('@clack/prompts')
  const signal = AbortSignal.timeout(50_000)
  const message = 'The firewall is up. Open a second SSH connection to this machine: does it work?'
  return (await confirm({ message, initialValue: true, signal })) === true
}
