// SPDX-License-Identifier: Apache-2.0
// Debian's Gajim with a profile of its own: an account, a password, and a certificate that was accepted before.
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Desktop } from './desktop.ts'
import { type Bench, Child, needs } from './process.ts'

const NAMESPACE = ['--user', '--map-user=1000', '--map-group=1000', '--pid', '--fork', '--kill-child=KILL']
const GAJIM = '/usr/bin/gajim'

/** Who logs in, and where. */
export interface GajimAccount {
  readonly name: string
  readonly password: string
  /** Of 127.0.0.1, with STARTTLS. */
  readonly port: number
  /** The server's certificate, as a PEM file. */
  readonly certificate: string
}

/** Starts it, with a chat open. @param peer whom to chat with */
export function startGajim(of: Bench, desktop: Desktop, account: GajimAccount, peer: string): Child {
  needs(GAJIM, 'gajim')
  needs('/usr/bin/dbus-run-session', 'dbus')
  needs('/usr/bin/unshare', 'util-linux')
  const profile = join(of.directory, 'gajim')
  const runtime = join(of.directory, 'runtime')
  mkdirSync(join(profile, 'cert_store'), { recursive: true })
  mkdirSync(runtime, { mode: 0o700 })
  copyFileSync(account.certificate, join(profile, 'cert_store', 'accepted'))
  writeSettings(join(profile, 'settings.sqlite'), account, peer)
  const gajim = [GAJIM, '--config-path', profile]
  return new Child(of, {
    // It refuses to run as root, and what it starts must end with it.
    program: '/usr/bin/unshare',
    args: [...NAMESPACE, '/usr/bin/dbus-run-session', '--', ...gajim],
    env: { ...desktop.env, XDG_RUNTIME_DIR: runtime, GDK_BACKEND: 'x11', NO_AT_BRIDGE: '1' },
  })
}

/** As its version 1.7 keeps them. */
function writeSettings(file: string, { name, password, port }: GajimAccount, peer: string): void {
  const db = new DatabaseSync(file)
  db.exec(`create table settings (name text unique, settings text);
    create table account_settings (account text unique, settings text);
    pragma user_version = 5`)
  const app = {
    use_keyring: false,
    check_for_update: false,
    show_notifications: false,
    show_trayicon: false,
    sounds_on: false,
    dark_theme: 0,
  }
  const open = { account: name, jid: { __type: 'JID', value: peer }, type: 'contact', pinned: false, position: -1 }
  const workspaces = { '00000000-0000-4000-8000-000000000000': { name: 'Verona', chats: [open] } }
  const own = {
    ...{ active: true, autoconnect: true, name, hostname: 'localhost', password, savepass: true, resource: 'gajim' },
    ...{ use_custom_host: true, custom_host: '127.0.0.1', custom_port: port, custom_type: 'START TLS' },
  }
  const insert = db.prepare('insert into settings values (?, ?)')
  const all = { app, soundevents: {}, status_presets: {}, proxies: {}, plugins: {}, workspaces }
  for (const [key, value] of Object.entries(all)) insert.run(key, JSON.stringify(value))
  db.prepare('insert into account_settings values (?, ?)').run(name, JSON.stringify({ account: own }))
  db.close()
}
