// SPDX-License-Identifier: Apache-2.0
// ejabberd from Debian, with its packaged storage (Mnesia). Its program is started as ejabberdctl does, but without
// Erlang's distribution, so that nothing listens besides and several may run.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { sharedVerifier } from '../accounts.ts'
import {
  type Command,
  type Contestant,
  freePort,
  installed,
  runProcess,
  type Server,
  type ServerOptions,
  startProcess,
} from './process.ts'

const CONTROL = '/usr/sbin/ejabberdctl'

function configuration(port: number, http: number, dir: string, options: ServerOptions): string {
  const names = ['adhoc', 'blocking', 'caps', 'carboncopy', 'client_state', 'disco', 'last', 'muc', 'offline', 'ping']
  const more = ['privacy', 'private', 'roster', 'stream_mgmt', 'vcard', 'version']
  const modules = Object.fromEntries([...names, ...more].map((name) => [`mod_${name}`, {}]))
  return stringify({
    hosts: [options.domain],
    loglevel: 'error',
    certfiles: [options.certificate.cert, options.certificate.key],
    acme: { auto: false },
    default_db: 'mnesia',
    auth_method: ['mnesia'],
    auth_password_format: 'scram',
    auth_scram_hash: 'sha256',
    c2s_protocol_options: ['no_sslv3', 'no_tlsv1', 'no_tlsv1_1', 'no_tlsv1_2', 'no_compression'],
    listen: [
      { port, ip: '127.0.0.1', module: 'ejabberd_c2s', tls: true, shaper: 'none', backlog: 511 },
      ...(options.uploads ? [uploadListener(http)] : []),
    ],
    shaper_rules: { max_user_offline_messages: 'infinity' },
    modules: {
      ...modules,
      ...(options.uploads ? { mod_http_upload: uploadModule(http, dir) } : {}),
      mod_offline: { access_max_user_messages: 'max_user_offline_messages' },
      mod_pubsub: { plugins: ['flat', 'pep'] },
      ...(options.archive ? { mod_mam: { default: 'always' }, mod_muc: { default_room_options: { mam: true } } } : {}),
    },
  })
}

function uploadListener(port: number) {
  const handlers = { '/upload': 'mod_http_upload' }
  return { port, ip: '127.0.0.1', module: 'ejabberd_http', request_handlers: handlers, backlog: 511 }
}

function uploadModule(http: number, dir: string) {
  return {
    put_url: `http://127.0.0.1:${http}/upload`,
    docroot: join(dir, 'files'),
    max_size: 'infinity',
    access: 'all',
  }
}

function command(dir: string, config: string, more: readonly string[] = []): Command {
  const libraries = /^ERL_LIBS='([^']*)'/m.exec(readFileSync(CONTROL, 'latin1'))?.[1] ?? ''
  const program = /^ERL="([^"]*)"/m.exec(readFileSync(CONTROL, 'latin1'))?.[1] ?? 'erl'
  const env = {
    ERL_LIBS: process.env.ERL_LIBS ?? libraries,
    EJABBERD_CONFIG_PATH: config,
    EJABBERD_LOG_PATH: join(dir, 'ejabberd.log'),
    ERL_CRASH_DUMP: join(dir, 'crash.dump'),
    ERL_MAX_PORTS: '32000',
    ERL_MAX_ETS_TABLES: '1400',
    HOME: dir,
  }
  const options = ['+K', 'true', '+P', '250000', '-noinput', '-mnesia', 'dir', `"${join(dir, 'spool')}"`]
  return { program, args: [...options, '-s', 'ejabberd', ...more], env }
}

async function configure(dir: string, options: ServerOptions): Promise<{ config: string; port: number }> {
  const [port, http] = [await freePort(), await freePort()]
  const config = join(dir, 'ejabberd.yml')
  mkdirSync(join(dir, 'spool'), { recursive: true })
  writeFileSync(config, configuration(port, http, dir, options))
  return { config, port }
}

/** Starts it once and lets it write the accounts into its own store. */
async function createUsers(dir: string, options: ServerOptions): Promise<void> {
  const { config } = await configure(dir, options)
  const { salt, iterations, storedKey, serverKey } = sharedVerifier()
  const fields = [storedKey, serverKey, Buffer.from(salt)].map((bytes) => `<<"${bytes.toString('base64')}">>`)
  const record = `{scram, ${fields.join(', ')}, sha256, ${iterations}}`
  const program =
    `lists:foreach(fun(I) -> N = integer_to_binary(I), {_, {ok, _}} = ejabberd_auth_mnesia:try_register(` +
    `<<"u", N/binary>>, <<"${options.domain}">>, ${record}) end, lists:seq(0, ${options.users - 1})), init:stop().`
  await runProcess(dir, command(dir, config, ['-eval', program]))
}

async function start(dir: string, options: ServerOptions): Promise<Server> {
  const { config, port } = await configure(dir, options)
  const target = { protocol: 'xmpp', port, domain: options.domain, ca: options.certificate.cert } as const
  return startProcess(dir, options, target, command(dir, config))
}

/** ejabberd. */
export const ejabberd: Contestant = {
  name: 'ejabberd',
  fast: false,
  missing: () => installed(CONTROL, 'ejabberd'),
  createUsers,
  start,
}
