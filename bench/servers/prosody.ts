// SPDX-License-Identifier: Apache-2.0
// Prosody from Debian, with its packaged storage (flat files). Accounts are written into the store directly.

import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sharedVerifier, userName } from '../accounts.ts'
import { type Contestant, freePort, installed, type Server, type ServerOptions, startProcess } from './process.ts'

const PROGRAM = '/usr/bin/prosody'

const MODULES = [
  ...['roster', 'saslauth', 'disco', 'pep', 'blocklist', 'carbons', 'csi', 'csi_simple', 'smacks', 'ping', 'time'],
  ...['private', 'vcard4', 'vcard_legacy', 'version', 'bookmarks', 'offline'],
]

/**
 * As packaged but for the size of reads: with its 4 KiB there remains something to be read each time, for which it waits 1 ms,
 * and an upload takes two minutes for 128 MiB.
 */
function configuration(dir: string, port: number, http: number, options: ServerOptions): string {
  const modules = [
    ...MODULES,
    ...(options.archive ? ['mam'] : []),
    ...(options.federation ? ['s2s', 's2s_auth_certs', 'tls'] : []),
  ]
  const { domain, federation } = options
  const { cert, key } = options.certificate
  return `
run_as_root = true
daemonize = false
pidfile = "${dir}/prosody.pid"
data_path = "${dir}/data"
log = { error = "*console" }
interfaces = { "127.0.0.1" }
c2s_ports = {}
c2s_direct_tls_ports = { ${port} }
s2s_ports = { ${federation?.port ?? ''} }
http_ports = { ${options.uploads ? http : ''} }
http_interfaces = { "127.0.0.1" }
https_ports = {}
network_default_read_size = 65536
ssl = { certificate = "${cert}", key = "${key}", protocol = "tlsv1_3" }
c2s_direct_tls_ssl = { certificate = "${cert}", key = "${key}", protocol = "tlsv1_3" }
authentication = "internal_hashed"
password_hash = "SHA-256"
storage = "internal"
default_archive_policy = true
archive_expires_after = "never"
modules_enabled = { ${modules.map((name) => `"${name}"`).join(', ')} }
modules_disabled = { ${federation ? '"dialback"' : '"s2s"'} }
${federation ? links(options) : ''}
VirtualHost "${domain}"
Component "conference.${domain}" "muc"
  modules_enabled = { ${options.archive ? '"muc_mam"' : ''} }
${options.uploads ? uploads(domain, http) : ''}`
}

function uploads(domain: string, http: number): string {
  return `Component "upload.${domain}" "http_file_share"
  http_host = "127.0.0.1"
  http_external_url = "http://127.0.0.1:${http}/"
  http_file_share_size_limit = 4 * 1024 * 1024 * 1024
  http_file_share_daily_quota = 1000 * 1024 * 1024 * 1024
`
}

function links({ certificate: { cert, key }, federation }: ServerOptions): string {
  return `s2s_secure_auth = true
s2s_ssl = { certificate = "${cert}", key = "${key}", cafile = "${cert}", protocol = "tlsv1_3" }
unbound = {
  resolvconf = false; hoststxt = false; forward = "127.0.0.1@${federation?.resolver}";
  options = { ["do-not-query-localhost:"] = "no" };
}
`
}

/** What it resolves names with. */
function missing(): string | undefined {
  return (
    installed(PROGRAM, 'prosody') ??
    installed(globSync('/usr/lib/*/lua/*/lunbound.so')[0] ?? 'lunbound.so', 'lua-unbound')
  )
}

async function createUsers(dir: string, options: ServerOptions): Promise<void> {
  const accounts = join(dir, 'data', encodeURIComponent(options.domain).replaceAll('.', '%2e'), 'accounts')
  mkdirSync(accounts, { recursive: true })
  const { salt, iterations, storedKey, serverKey } = sharedVerifier()
  const account = `return {
	["salt"] = "${salt}";
	["iteration_count"] = ${iterations};
	["stored_key"] = "${storedKey.toString('hex')}";
	["server_key"] = "${serverKey.toString('hex')}";
};
`
  for (let index = 0; index < options.users; index++) {
    writeFileSync(join(accounts, `${userName(index)}.dat`), account)
  }
}

async function start(dir: string, options: ServerOptions): Promise<Server> {
  const [port, http] = [await freePort(), await freePort()]
  const config = join(dir, 'prosody.cfg.lua')
  mkdirSync(join(dir, 'data'), { recursive: true })
  writeFileSync(config, configuration(dir, port, http, options))
  const target = { protocol: 'xmpp', port, domain: options.domain, ca: options.certificate.cert } as const
  return startProcess(dir, options, target, { program: PROGRAM, args: ['--config', config, '-F'] })
}

/** Prosody. */
export const prosody: Contestant = {
  name: 'prosody',
  fast: false,
  federates: true,
  missing,
  createUsers,
  start,
}
