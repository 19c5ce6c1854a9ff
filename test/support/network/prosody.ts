// SPDX-License-Identifier: Apache-2.0
// Debian's Prosody on a host of the test network.
import assert from 'node:assert/strict'
import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, type Child, needs } from '../process.ts'
import { type Account, PASSWORD } from './accounts.ts'
import type { Files } from './authority.ts'
import type { Host } from './host.ts'

/** How it is set up. */
export interface ProsodySetting {
  readonly domain: string
  /** Whom it trusts. */
  readonly ca: string
  /** What it shows users; without one it offers no TLS to anybody. */
  readonly certificate: Files | undefined
  /** What it shows other servers, if not the same. */
  readonly shown?: Files | undefined
  readonly users: readonly Account[]
  /** Whether certificates must prove who it talks to; else dialback does. */
  readonly secure?: boolean
  readonly bidi?: boolean
  /** The key of the signed zones. */
  readonly anchor: string
  /** How far its clock is off, as `faketime` takes it. */
  readonly clock?: string | undefined
}

const PROGRAM = '/usr/bin/prosody'
const MODULES = (
  'roster saslauth disco carbons pep private blocklist vcard4 vcard_legacy version uptime time ping mam smacks csi s2s ' +
  's2s_auth_certs'
).split(' ')

/** Starts it and waits until it takes users. */
export async function startProsody(of: Bench, host: Host, setting: ProsodySetting): Promise<Child> {
  needs(PROGRAM, 'prosody')
  assert.ok(globSync('/usr/lib/*/lua/5.*/lunbound.so').length > 0, 'apt-get install lua-unbound')
  const directory = join(of.directory, host.name)
  mkdirSync(join(directory, 'data'), { recursive: true })
  const accounts = join(directory, 'data', folderOf(setting.domain), 'accounts')
  mkdirSync(accounts, { recursive: true })
  for (const { name } of setting.users) {
    writeFileSync(join(accounts, `${name}.dat`), `return { ["password"] = "${PASSWORD}" };\n`)
  }
  const config = join(directory, 'prosody.cfg.lua')
  writeFileSync(config, configuration(directory, setting))
  const child = host.start({ program: PROGRAM, args: ['--config', config, '-F'], env: clockOf(setting) })
  await host.reaches(host.address, 5222)
  await host.reaches(host.address, 5269)
  return child
}

/** How it names the folder of a domain. */
function folderOf(domain: string): string {
  return encodeURIComponent(domain).replaceAll('.', '%2e').replaceAll('-', '%2d').toLowerCase()
}

/** Loaded before all others, a library tells the time (`faketime` itself would stay between us and the process). */
function clockOf({ clock }: ProsodySetting): Readonly<Record<string, string>> {
  if (clock === undefined) return {}
  const [library] = globSync('/usr/lib/*/faketime/libfaketime.so.1')
  assert.ok(library !== undefined, 'apt-get install faketime')
  return { LD_PRELOAD: library, FAKETIME: clock }
}

function configuration(directory: string, setting: ProsodySetting): string {
  const { domain, ca, certificate, shown, secure = true, bidi = false, anchor } = setting
  const modules = [
    ...MODULES,
    ...(certificate ? ['tls'] : []),
    ...(bidi ? ['s2s_bidi'] : []),
    ...(secure ? [] : ['dialback']),
  ]
  const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')
  return `
run_as_root = true
daemonize = false
pidfile = "${directory}/prosody.pid"
data_path = "${directory}/data"
log = { debug = "${directory}/debug.log", warn = "*console" }
certificates = "${directory}"
interfaces = { "*", "::" }
c2s_ports = { 5222 }
s2s_ports = { 5269 }
s2s_direct_tls_ports = { 5270 }
c2s_require_encryption = ${certificate !== undefined}
allow_unencrypted_plain_auth = ${certificate === undefined}
s2s_require_encryption = ${certificate !== undefined}
s2s_secure_auth = ${secure}
unbound = { resolvconf = "/etc/resolv.conf", hoststxt = false, trustfile = "${anchor}" }
ssl = { ${certificate ? `certificate = "${certificate.cert}", key = "${certificate.key}", ` : ''}cafile = "${ca}", capath = "/nowhere" }
${shown ? `s2s_ssl = { certificate = "${shown.cert}", key = "${shown.key}" }\ns2s_direct_tls_ssl = s2s_ssl` : ''}
authentication = "internal_plain"
storage = "internal"
default_archive_policy = true
modules_enabled = { ${list(modules)} }
modules_disabled = { ${list([...(certificate ? [] : ['tls']), ...(secure ? ['dialback'] : [])])} }
VirtualHost "${domain}"
Component "rooms.${domain}" "muc"
`
}
