// SPDX-License-Identifier: Apache-2.0
// Debian's ejabberd on a host of the test network, started as ejabberdctl does, but without Erlang's distribution.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Bench, type Child, needs } from '../process.ts'
import { type Account, PASSWORD } from './accounts.ts'
import type { Files } from './authority.ts'
import type { Host } from './host.ts'

/** How it is set up. */
export interface EjabberdSetting {
  readonly domain: string
  readonly ca: string
  readonly certificate: Files
  readonly users: readonly Account[]
  /** Whether domains may prove themselves by dialback, too, as in Debian's own configuration. */
  readonly dialback?: boolean
}

const CONTROL = '/usr/sbin/ejabberdctl'

function configuration({ domain, ca, certificate, dialback = false }: EjabberdSetting): string {
  const names =
    'adhoc blocking caps carboncopy client_state disco last offline ping privacy private roster stream_mgmt vcard version time'
  return stringify({
    hosts: [domain],
    loglevel: 'debug',
    log_rotate_count: 0,
    certfiles: [certificate.cert, certificate.key],
    ca_file: ca,
    acme: { auto: false },
    auth_method: ['mnesia'],
    s2s_use_starttls: 'required',
    listen: [
      { port: 5222, ip: '::', module: 'ejabberd_c2s', starttls_required: true, shaper: 'none' },
      { port: 5269, ip: '::', module: 'ejabberd_s2s_in', shaper: 'none' },
      { port: 5270, ip: '::', module: 'ejabberd_s2s_in', tls: true, shaper: 'none' },
    ],
    modules: {
      ...Object.fromEntries(names.split(' ').map((name) => [`mod_${name}`, {}])),
      mod_mam: { default: 'always' },
      ...(dialback ? { mod_s2s_dialback: {} } : {}),
      mod_muc: { host: 'rooms.@HOST@' },
      mod_pubsub: { plugins: ['flat', 'pep'] },
    },
  })
}

/** Starts it and waits until it takes users. */
export async function startEjabberd(of: Bench, host: Host, setting: EjabberdSetting): Promise<Child> {
  needs(CONTROL, 'ejabberd')
  const directory = join(of.directory, host.name)
  mkdirSync(join(directory, 'spool'), { recursive: true })
  const config = join(directory, 'ejabberd.yml')
  writeFileSync(config, configuration(setting))
  const control = readFileSync(CONTROL, 'latin1')
  const found = (pattern: RegExp, otherwise: string): string => pattern.exec(control)?.[1] ?? otherwise
  const env = {
    ERL_LIBS: found(/^ERL_LIBS='([^']*)'/m, ''),
    EJABBERD_CONFIG_PATH: config,
    EJABBERD_LOG_PATH: join(directory, 'ejabberd.log'),
    ERL_CRASH_DUMP: join(directory, 'crash.dump'),
    HOME: directory,
  }
  const users = setting.users.map(({ name }) => `<<"${name}">>`).join(', ')
  const register = `[ok = ejabberd_auth:try_register(U, <<"${setting.domain}">>, <<"${PASSWORD}">>) || U <- [${users}]]`
  const spool = ['-mnesia', 'dir', `"${join(directory, 'spool')}"`]
  const program = `${register}, io:format("ready~n").`
  const args = ['+K', 'true', '-noinput', ...spool, '-s', 'ejabberd', '-eval', program]
  const child = host.start({ program: found(/^ERL="([^"]*)"/m, 'erl'), args, env })
  await child.until('readiness', () => (child.stdout.includes('ready\n') ? true : undefined), 60_000)
  await host.reaches(host.address, 5222)
  return child
}
