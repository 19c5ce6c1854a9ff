// SPDX-License-Identifier: Apache-2.0
// Another service than ours: a small web host as an appliance. It is planned, installed, fails half-way and goes on, is upgraded,
// and is undone; nothing in it knows of XMPP.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { type Answer, FakeMachine } from '../../test/support/fake-machine.ts'
import type { Appliance } from './appliance.ts'
import { Installation, StepError } from './installation.ts'
import type { Json } from './machine.ts'
import { obstacles } from './needs.ts'
import { makeDirectory, removeMade } from './restore.ts'
import { directories } from './steps/directories.ts'
import { file } from './steps/file.ts'
import { firewall } from './steps/firewall.ts'
import { release } from './steps/release.ts'
import { service } from './steps/service.ts'
import { timeZone } from './steps/time-zone.ts'
import { systemUser } from './steps/user.ts'

/** The web host. */
function webHost(version: string, sshPort?: number, confirm = async () => true): Appliance {
  return {
    name: 'webhost',
    author: 'somebody else',
    source: '/srv/source',
    needs: { memory: 1 << 28, disk: 1 << 28, ports: [80] },
    data: ['/var/lib/webhost'],
    records: '/opt/webhost/installation',
    wards: async () => [],
    steps: [
      systemUser({ name: 'webhost', home: '/var/lib/webhost' }),
      directories('directories', 'Pages go there.', [
        { path: '/var/lib/webhost', mode: 0o700, owner: 'webhost', whole: true },
      ]),
      release({
        ...{ directory: '/opt/webhost', version, source: '/srv/source', parts: ['program'] },
        command: { path: '/usr/local/bin/webhost', text: '#!/bin/sh\n' },
      }),
      file({
        id: 'motd',
        why: 'Who logs in is greeted.',
        path: '/etc/motd',
        text: 'A web host.\n',
        rights: { mode: 0o644 },
      }),
      firewall({ name: 'webhost', tcp: [80], udp: [], sshPort, confirm }),
      service({
        unit: {
          ...{ name: 'webhost', description: 'Pages', documentation: 'https://webhost.example', user: 'webhost' },
          ...{ exec: ['/opt/webhost/current/program'], writes: ['/var/lib/webhost'], lowPorts: true },
        },
        current: async (machine) => (await machine.look('/opt/webhost/current'))?.target === version,
        restart: async () => undefined,
        answers: async () => true,
      }),
      timeZone('Europe/Rome'),
    ],
  }
}

/** A Debian on which all programs work; `line` is the beginning of one that does not, `killed` of one with whose end we end. */
function debian(broken: { line?: string; killed?: string | undefined } = {}): FakeMachine {
  const state = { user: false, enabled: false, table: false }
  const answers = (line: string): Answer | undefined => {
    if (broken.line !== undefined && line.startsWith(broken.line)) return 1
    if (broken.killed !== undefined && line.startsWith(broken.killed)) {
      broken.killed = undefined
      answers(line)
      throw new Error('killed')
    }
    if (line.startsWith('useradd')) {
      if (state.user) return 9
      state.user = true
      machine.put('/etc/passwd', 'root:x:0:0\nwebhost:x:999:999\n')
    }
    if (line.startsWith('userdel')) state.user = false
    if (line.startsWith('userdel')) machine.put('/etc/passwd', 'root:x:0:0\n')
    if (line.startsWith('stat ')) return line.endsWith('/var/lib/webhost') ? 'webhost:webhost\n' : 'root:root\n'
    if (line.startsWith('dpkg-query')) return 'ii \n'
    if (line.startsWith('df ')) return 'Avail\n99999999999\n'
    if (line.startsWith('ss ')) return 'tcp LISTEN 0 128 0.0.0.0:2222 0.0.0.0:* users:(("sshd",pid=7,fd=3))\n'
    if (line.startsWith('nft --file')) state.table = true
    if (line.startsWith('nft delete')) state.table = false
    if (line.startsWith('nft list')) return state.table ? 'table\n' : 1
    if (line.startsWith('systemctl enable')) state.enabled = true
    if (line.startsWith('systemctl disable')) state.enabled = false
    if (line.startsWith('systemctl is-enabled')) return state.enabled ? 0 : 1
    if (line.startsWith('systemctl show -P MainPID')) return state.enabled ? '4711\n' : '0\n'
    return undefined
  }
  const machine = new FakeMachine(answers)
  machine.put('/etc/passwd', 'root:x:0:0\n')
  machine.put('/etc/motd', 'Welcome to Debian.\n')
  machine.put('/etc/os-release', 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
  machine.put('/proc/meminfo', 'MemTotal:        1024000 kB\n')
  machine.put('/run/systemd/system/.keep', '')
  for (const directory of ['/opt', '/usr/local/bin', '/var/lib', '/etc/systemd/system'])
    machine.put(`${directory}/.keep`, '')
  machine.put('/usr/share/zoneinfo/Europe/Rome', 'a zone')
  return machine
}

function open(machine: FakeMachine, appliance: Appliance): Promise<Installation> {
  return Installation.open(appliance, (memory) => machine.with(memory), new FakeClock())
}

const ALL = ['user', 'directories', 'program', 'motd', 'firewall', 'service']

test('a plan changes nothing', async () => {
  const machine = debian()
  const before = machine.all
  const plan = await (await open(machine, webHost('1.0.0'))).plan()
  assert.deepEqual(
    plan.filter(({ state }) => state === 'wanted').map(({ step }) => step.id),
    ALL,
  )
  assert.deepEqual(
    plan.filter(({ state }) => state === 'left').map(({ step }) => step.id),
    ['time-zone'],
  )
  assert.deepEqual(machine.all, before)
})

test('what was applied is not applied again, and undoing brings everything back', async () => {
  const machine = debian()
  const before = machine.all
  assert.deepEqual(await (await open(machine, webHost('1.0.0'))).apply({ options: ['time-zone'] }), [
    ...ALL,
    'time-zone',
  ])
  assert.equal(await machine.read('/etc/motd'), 'A web host.\n')
  machine.put('/opt/webhost/cache/compiled', 'code') // by the command, when root calls it
  assert.deepEqual(await (await open(machine, webHost('1.0.0'))).apply(), [])
  const undone = await (await open(machine, webHost('1.0.0'))).undo()
  assert.deepEqual(undone, [...ALL, 'time-zone'].toReversed())
  assert.deepEqual(machine.all, before)
})

test('data survives the undoing, and a purge removes it', async () => {
  const machine = debian()
  await (await open(machine, webHost('1.0.0'))).apply()
  machine.put('/var/lib/webhost/index.html', 'a page')
  const installation = await open(machine, webHost('1.0.0'))
  await installation.undo()
  assert.equal(await machine.read('/var/lib/webhost/index.html'), 'a page')
  await installation.purge()
  assert.equal(await machine.look('/var/lib/webhost'), undefined)
})

test('a failure stops it; the next call goes on from there', async () => {
  const broken = { line: 'nft --check' }
  const machine = debian(broken)
  const failed = (await open(machine, webHost('1.0.0'))).apply()
  await assert.rejects(failed, (error) => error instanceof StepError && error.step === 'firewall')
  assert.match((await machine.read('/opt/webhost/installation/log')) ?? '', /apply firewall: failed: "nft --check/)
  broken.line = 'none'
  assert.deepEqual(await (await open(machine, webHost('1.0.0'))).apply(), ['firewall', 'service'])
})

test('what was killed after any of its programs goes on, and can be undone', async () => {
  const all = debian()
  await (await open(all, webHost('1.0.0'))).apply()
  const changing = all.ran.filter((line) =>
    /^(useradd|chown|chmod|nft --file|systemctl (daemon|enable|restart))/.test(line),
  )
  assert.ok(changing.length > 5)
  for (const killed of changing) {
    const machine = debian({ killed })
    const before = machine.all
    await assert.rejects((await open(machine, webHost('1.0.0'))).apply(), /killed/)
    await (await open(machine, webHost('1.0.0'))).apply()
    assert.deepEqual(await (await open(machine, webHost('1.0.0'))).apply(), [])
    await (await open(machine, webHost('1.0.0'))).undo()
    assert.deepEqual(machine.all, before, killed)
  }
})

test('data that outlives its user belongs to root, since its number will be that of somebody else', async () => {
  const machine = debian()
  await (await open(machine, webHost('1.0.0'))).apply()
  machine.put('/var/lib/webhost/index.html', 'a page')
  await (await open(machine, webHost('1.0.0'))).undo()
  const given = machine.ran.indexOf('chown --recursive --no-dereference root:root /var/lib/webhost')
  assert.ok(given >= 0 && given < machine.ran.indexOf('userdel webhost'))
})

test('a full disk keeps nobody from undoing what fills it', async () => {
  const machine = debian()
  await (await open(machine, webHost('1.0.0'))).apply({ without: ['motd'] })
  machine.disk.full = true
  await (await open(machine, webHost('1.0.0'))).undo()
  assert.equal(await machine.look('/opt/webhost'), undefined)
  assert.ok(machine.ran.includes('userdel webhost'))
})

test('directories that were made by one that was killed meanwhile go, too', async () => {
  const remembered = new Map<string, Json>()
  const machine = new FakeMachine().with({
    get: (key) => remembered.get(key),
    set: async (key, value) => void remembered.set(key, value),
  })
  machine.put('/srv/.keep', '')
  await makeDirectory(machine, '/srv/a/b/c', { mode: 0o700 })
  await machine.remove('/srv/a/b') // as if it had been killed after the first
  await makeDirectory(machine, '/srv/a/b/c', { mode: 0o700 })
  await removeMade(machine, '/srv/a/b/c')
  assert.equal(await machine.look('/srv/a'), undefined)
})

test('what stopped half-way can be undone', async () => {
  const broken = { line: 'systemctl daemon-reload' }
  const machine = debian(broken)
  const before = machine.all
  await assert.rejects((await open(machine, webHost('1.0.0'))).apply(), StepError)
  broken.line = 'none'
  await (await open(machine, webHost('1.0.0'))).undo()
  assert.deepEqual(machine.all, before)
})

test('an upgrade is a new directory and another link; the version before stays, an older one goes', async () => {
  const machine = debian()
  await (await open(machine, webHost('1.0.0'))).apply()
  for (const version of ['1.1.0', '2.0.0']) {
    assert.deepEqual(await (await open(machine, webHost(version))).apply(), ['program'])
  }
  assert.deepEqual(await machine.list('/opt/webhost'), ['2.0.0', '1.1.0', 'current', 'installation', 'previous'].sort())
  assert.equal((await machine.look('/opt/webhost/current'))?.target, '2.0.0')
  assert.equal((await machine.look('/opt/webhost/previous'))?.target, '1.1.0')
})

test('the firewall lets in what listened before, and SSH', async () => {
  const machine = debian()
  await (await open(machine, webHost('1.0.0'))).apply()
  const rules = (await machine.read('/etc/webhost/firewall.nft')) ?? ''
  assert.match(rules, /tcp dport { 80 } accept comment "webhost"/)
  assert.match(rules, /tcp dport { 22, 2222 } accept/)
})

test('over SSH the firewall goes away by itself unless it is confirmed', async () => {
  const machine = debian()
  const refused = (
    await open(
      machine,
      webHost('1.0.0', 2222, async () => false),
    )
  ).apply()
  await assert.rejects(refused, /Nobody confirmed/)
  const rollback = machine.ran.findIndex((line) => line.startsWith('systemd-run') && line.includes('--on-active=60'))
  const inForce = machine.ran.findIndex((line) => line.startsWith('nft --file'))
  assert.ok(rollback >= 0 && rollback < inForce, 'the way back is open before the rules are in force')
  assert.ok(machine.ran.slice(inForce).some((line) => line === 'nft delete table inet webhost'))
  assert.ok(
    !machine.ran.some((line) => line.startsWith('systemctl enable')),
    'nothing brings it back at the next start',
  )
})

test('a machine that is not fit is told why, before anything changes', async () => {
  const machine = debian()
  assert.deepEqual(await obstacles(machine, webHost('1.0.0')), [])
  machine.put('/etc/os-release', 'ID=fedora\nVERSION_ID=42\nPRETTY_NAME="Fedora Linux 42"\n')
  machine.put('/proc/meminfo', 'MemTotal:        100000 kB\n')
  const needy = { ...webHost('1.0.0'), needs: { memory: 1 << 28, disk: 1e12, ports: [2222] } }
  const found = await obstacles(machine, needy)
  assert.deepEqual(
    found.map(({ id }) => id),
    ['system', 'memory', 'disk', 'port'],
  )
  assert.equal(found.at(-1)?.found, 'Port 2222 is taken by sshd (process 7).')
})
