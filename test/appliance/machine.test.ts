// SPDX-License-Identifier: Apache-2.0
// One command on a fresh Debian 12, booted with a systemd of its own in a network of its own: a server that people log in to by
// its domain, that comes back after a reboot, that a second call does not change, that is upgraded with its data, and that goes
// without a trace.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { CheckReport } from '../../src/appliance/examine.ts'
import { fillNpmCache, run, whyNoMachine } from '../support/debian-tree.ts'
import { TestMachine } from '../support/machine.ts'
import { Authority } from '../support/network/authority.ts'
import { Dns } from '../support/network/dns.ts'
import { type Host, Network, whyNoNetwork } from '../support/network/host.ts'
import { bench } from '../support/process.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DOMAIN = 'm.example'
const PARTS = [
  'setup',
  'deploy',
  'bin',
  'src',
  'docs',
  'package.json',
  'package-lock.json',
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
]
/** Ten minutes: packages are fetched, unpacked and removed, on two cores. */
const PATIENCE = 600_000
/** What changes on a machine without anybody doing anything, and what apt and dpkg keep for themselves. */
const RESTLESS = [
  '/proc',
  '/sys',
  '/dev',
  '/run',
  '/tmp',
  '/var/tmp',
  '/var/log',
  '/var/cache',
  '/var/lib/apt',
  '/var/lib/dpkg',
  '/var/lib/systemd',
  '/var/lib/private',
  '/etc/ld.so.cache',
  '/etc/.pwd.lock',
  // what the packages of Python leave, which npm and unattended-upgrades bring
  '/etc/python3',
  '/etc/python3.11',
  '/usr/local/lib/python3.11',
  '/var/lib/python',
  '/var/lib/ucf',
  '/root/.npm',
  '/srv',
  '/checkout',
  '/upgrade',
]

suite('a machine', { timeout: 20 * 60_000 }, () => {
  const why = whyNoMachine() ?? whyNoNetwork()
  const of = bench({ after })
  let machine: TestMachine
  let users: Host
  let authority: Authority
  let untouched: readonly string[]

  before(async () => {
    assert.equal(why, undefined, 'this needs a machine that can boot another one inside')
    const network = await Network.create(of)
    const names = await network.host('dns', 53)
    const host = await network.host('machine', 60)
    users = await network.host('users', 40)
    await Dns.start(of, names, {
      [`${DOMAIN}.`]: [`A ${host.address}`],
      [`xmpp.${DOMAIN}.`]: [`A ${host.address}`],
      [`_xmpp-client._tcp.${DOMAIN}.`]: [`SRV 0 0 5222 xmpp.${DOMAIN}.`],
    })
    authority = await Authority.create(of.directory, 'authority')
    const [first, upgrade] = checkouts(of.directory)
    const cache = fillNpmCache(of.directory, [first, upgrade])
    machine = await TestMachine.start(of, host, { '/checkout': first, '/upgrade': upgrade, '/srv/npm': cache })
    writeFileSync(join(machine.tree, 'root/.npmrc'), 'cache=/srv/npm\noffline=true\nlogs-max=0\n')
    const { cert, key } = await authority.sign({ names: [DOMAIN, `rooms.${DOMAIN}`] })
    mkdirSync(join(machine.tree, 'etc/ssl/given'))
    for (const [from, to] of [
      [cert, 'cert.pem'],
      [key, 'key.pem'],
    ] as const)
      copyFileSync(from, join(machine.tree, 'etc/ssl/given', to))
    machine.run('chmod', '0644', '/etc/ssl/given/key.pem')
    untouched = listing(machine)
  })

  /** Logs in from another host, by the domain alone. */
  async function logIn(name: string): Promise<void> {
    const script = join(import.meta.dirname, 'log-in.ts')
    const env = { NODE_EXTRA_CA_CERTS: authority.file }
    const child = users.start({ program: process.execPath, args: [script, DOMAIN, name, `secret of ${name}`], env })
    assert.match(await child.succeeds(60_000), new RegExp(`^${name}@${DOMAIN}/`))
  }

  function addUser(name: string): void {
    machine.run('sh', '-c', `echo 'secret of ${name}' | aenigma user add ${name}@${DOMAIN} --password-stdin`)
  }

  test('that is not fit is told so before anything changes', () => {
    const squatter =
      "setsid perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalPort=>5222,Listen=>1,ReuseAddr=>1) or die; sleep 600' >/dev/null 2>&1 & echo $!"
    const pid = machine.run('sh', '-c', squatter).trim()
    const { status, output } = machine.try('/checkout/setup', DOMAIN, '--yes', ...CERTIFICATE)
    machine.run('kill', pid)
    assert.equal(status, 1, output)
    assert.match(output, /Port 5222 is taken by perl \(process \d+\)/)
    assert.deepEqual(changes(untouched, listing(machine)), [])
  })

  test('serves after one command and one question', { timeout: PATIENCE }, async (t) => {
    const began = performance.now()
    const shown = await machine.onTerminal([['Shall I?', '\r']], PATIENCE, '/checkout/setup', DOMAIN, ...CERTIFICATE)
    assert.match(shown, /https:\/\/m\.example\S*\/invite\//, shown)
    addUser('juliet')
    await logIn('juliet')
    const questions = shown.match(/Shall I\?/g)?.length ?? 0
    t.diagnostic(`${Math.round((performance.now() - began) / 1000)} s from the command to a login`)
    assert.ok(questions > 0, shown)
    assert.doesNotMatch(shown, /Which domain/)
  })

  test('keeps the service in a sandbox', () => {
    const [, exposure] =
      /exposure level for aenigma\.service: ([\d.]+)/.exec(
        machine.run('systemd-analyze', 'security', '--no-pager', 'aenigma.service'),
      ) ?? []
    assert.ok(Number(exposure) <= 2, `exposure ${exposure}`)
  })

  test('lets nothing else in', () => {
    const rules = machine.run('nft', 'list', 'table', 'inet', 'aenigma')
    assert.match(rules, /policy drop/)
    assert.match(rules, /tcp dport 22 accept/)
  })

  test('is seen by the doctor as it is', () => {
    const ids = ['service', 'firewall', 'sandbox', 'updates']
    const seen = (): string => {
      const { output } = machine.try('aenigma', 'doctor', '--json', ...ids.flatMap((id) => ['--only', id]))
      const { findings }: CheckReport = JSON.parse(lastLine(output))
      return findings.map(({ id, level }) => `${level} ${id}`).join()
    }
    assert.equal(seen(), 'ok service,ok firewall,ok sandbox,ok updates')
    machine.run('nft', 'delete', 'table', 'inet', 'aenigma')
    assert.equal(seen(), 'ok service,error firewall,ok sandbox,ok updates')
    machine.run('systemctl', 'restart', 'aenigma-firewall')
    assert.equal(seen(), 'ok service,ok firewall,ok sandbox,ok updates')
  })

  test('changes nothing when it is told the same again', () => {
    const { changed } = JSON.parse(lastLine(machine.run('aenigma', 'install', DOMAIN, '--json')))
    assert.deepEqual(changed, [])
  })

  test('restarts in place, and comes back after a crash', async () => {
    const before = machine.run('systemctl', 'show', '-P', 'MainPID', 'aenigma')
    machine.run('aenigma', 'restart')
    assert.equal(machine.run('systemctl', 'show', '-P', 'MainPID', 'aenigma'), before)
    await logIn('juliet')
    machine.run('systemctl', 'kill', '--signal=KILL', 'aenigma')
    await answers(machine)
    await logIn('juliet')
  })

  test('comes back after a reboot, firewall and all', async () => {
    await machine.reboot()
    await answers(machine)
    await logIn('juliet')
    assert.match(machine.run('nft', 'list', 'table', 'inet', 'aenigma'), /policy drop/)
  })

  test('keeps its data when it is upgraded', { timeout: PATIENCE }, async () => {
    const before = machine.run('readlink', '/opt/aenigma/current').trim()
    const { changed } = JSON.parse(lastLine(machine.run('/upgrade/setup', DOMAIN, '--json')))
    assert.deepEqual(changed, ['program', 'service'])
    assert.notEqual(machine.run('readlink', '/opt/aenigma/current').trim(), before)
    assert.equal(machine.run('readlink', '/opt/aenigma/previous').trim(), before)
    await logIn('juliet')
  })

  test('is as it was when the server is gone; the data stays', { timeout: PATIENCE }, () => {
    machine.run('aenigma', 'uninstall', '--yes')
    const left = changes(untouched, listing(machine))
    assert.ok(
      left.some((line) => line.startsWith('+ /var/lib/aenigma/aenigma.db ')),
      left.join('\n'),
    )
    assert.deepEqual(
      left.filter((line) => !line.startsWith('+ /var/lib/aenigma')),
      [],
    )
  })
})

const CERTIFICATE = ['--certificate', '/etc/ssl/given/cert.pem', '--key', '/etc/ssl/given/key.pem']

/** Two versions: the commit before this one and this one; if there is none before that can be installed, a copy with a change. */
function checkouts(directory: string): readonly [string, string] {
  const [first, upgrade] = [join(directory, 'checkout'), join(directory, 'upgrade')]
  for (const place of [first, upgrade]) mkdirSync(place)
  for (const part of PARTS) cpSync(join(ROOT, part), join(upgrade, part), { recursive: true })
  const before = 'HEAD~1'
  if (spawnSync('git', ['cat-file', '-e', `${before}:deploy/npm/package.json`], { cwd: ROOT }).status === 0) {
    run('sh', ['-ec', `git archive ${before} | tar -x -C ${first}`], ROOT)
  } else {
    for (const part of PARTS) cpSync(join(upgrade, part), join(first, part), { recursive: true })
  }
  writeFileSync(join(first, 'src', 'older.txt'), 'an older version\n') // also if the last commit changed nothing that is installed
  return [first, upgrade]
}

/** Waits until the server answers. */
async function answers(machine: TestMachine): Promise<void> {
  machine.run(
    'sh',
    '-c',
    'for i in $(seq 600); do aenigma status >/dev/null 2>&1 && exit; sleep 0.1; done; journalctl -u aenigma -n 20; exit 1',
  )
}

/** Every file with its mode, owner and, below /etc, content. */
function listing(machine: TestMachine): readonly string[] {
  const prune = RESTLESS.map((path) => `-path ${path} -prune`).join(' -o ')
  const script = `find / -xdev \\( ${prune} \\) -o -printf '%p %M %U:%G %l\\n'; find /etc -xdev -type f ! -name '*-' ! -name ld.so.cache -exec sha256sum {} +`
  return machine
    .run('sh', '-c', script)
    .split('\n')
    .filter((line) => !/^\/etc\/(passwd|shadow|group|gshadow|subuid|subgid)- |__pycache__/.test(line))
    .sort()
}

function changes(before: readonly string[], now: readonly string[]): readonly string[] {
  const [was, is] = [new Set(before), new Set(now)]
  return [
    ...before.filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !was.has(line)).map((line) => `+ ${line}`),
  ]
}

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('{')) ?? ''
  )
}
