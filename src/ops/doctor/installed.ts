// SPDX-License-Identifier: Apache-2.0
// What `aenigma install` set up: only there is it ours to judge. The server itself may not see all of it, from inside its sandbox.
import type { Check } from '../../appliance/check.ts'
import type { Machine } from '../../appliance/machine.ts'
import type { Config } from '../../config/config.ts'
import { said } from './said.ts'
import { bad, check, na, ok, type Seen, type Subject } from './subject.ts'

const DAY = 86_400_000
const UNIT = 'aenigma.service'
const RULES = '/etc/aenigma/firewall.nft'
/** After so many days without news of updates somebody should look, and after so many new starts, too. */
const STALE = 14
const STARTS = 3
/** The most that `systemd-analyze security` may say. */
const EXPOSURE = 2
const AGAIN = 'Call "aenigma install" again.'
const ROOT_ONLY = na('Only root can see it.')

/** The checks. */
export function installed(subject: Subject): readonly Check[] {
  const ours = (id: string, about: string, look: (machine: Machine) => Promise<Seen>): Check =>
    check(id, about, async () =>
      subject.machine ? look(subject.machine) : na('This machine was not set up by "aenigma install".'),
    )
  return [
    ours('service', 'the service', service),
    ours('firewall', 'the firewall', (machine) => firewall(machine, subject.config)),
    ours('sandbox', 'the sandbox', (machine) => sandbox(machine, subject.status.pid)),
    ours('updates', 'updates of the system', (machine) => updates(machine, subject.now())),
    ours('ssh', 'logins by SSH', ssh),
  ]
}

async function service(machine: Machine): Promise<Seen> {
  const text = await said(machine, 'systemctl', ['show', '-p', 'UnitFileState,NRestarts,ActiveState', UNIT])
  if (!text) return na('systemd does not say.')
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? ''
  if (value('ActiveState') !== 'active') {
    return bad('warn', 'The server that answers is not the service.', 'Stop it, and call "systemctl start aenigma".')
  }
  if (value('UnitFileState') !== 'enabled') {
    return bad('error', 'It does not start with the machine.', 'Call "systemctl enable aenigma".')
  }
  const starts = Number(value('NRestarts'))
  if (starts < STARTS) return ok('It starts with the machine.')
  const fix = 'Look into the log ("journalctl -u aenigma") for why it ended.'
  return bad('warn', `It ended by itself ${starts} times since it was started.`, fix)
}

async function firewall(machine: Machine, config: Config): Promise<Seen> {
  if (!(await machine.look(RULES))) return na('None was set up.')
  const rules = await said(machine, 'nft', ['list', 'table', 'inet', 'aenigma'])
  if (rules === undefined) return ROOT_ONLY
  if (rules === '') return bad('error', 'It is not up.', AGAIN)
  if (!/policy drop/.test(rules)) return bad('warn', 'It keeps nobody out.', AGAIN)
  const closed = ports(config).filter((port) => !isOpen(rules, port))
  if (closed.length > 0) return bad('error', `Our ports ${closed.join(', ')} are not open in it.`, AGAIN)
  const others = await strangers(machine)
  if (others.length === 0) return ok('It is up, and our ports are open.')
  const found = `It is up, and our ports are open. There is another one: ${others.join(', ')}.`
  return { level: 'info', found, fix: 'Look whether our ports are open there as well.' }
}

/** What gets in by TCP; a rule has one port, or several and ranges in braces. */
function isOpen(rules: string, port: number): boolean {
  const sets = [...rules.matchAll(/\btcp dport (?:\{([^}]*)\}|(\S+))[^\n]*\baccept\b/g)]
  return sets.some(([, many, one]) =>
    (many ?? one ?? '').split(',').some((part) => {
      const [from = 0, to = from] = part.trim().split('-').map(Number)
      return from <= port && port <= to
    }),
  )
}

/** Tables of others that keep out whom they do not know. */
async function strangers(machine: Machine): Promise<readonly string[]> {
  const all = (await said(machine, 'nft', ['list', 'ruleset'])) ?? ''
  const tables = all.split(/^(?=table )/m).filter((one) => /hook input[^\n]*policy drop/.test(one))
  return tables.flatMap((one) => /^table (\S+ \S+)/.exec(one)?.[1] ?? []).filter((name) => name !== 'inet aenigma')
}

function ports({ listen }: Config): readonly number[] {
  const kinds = ['starttls', 'tls', 'shared', 'redirect', 'https', 'servers', 'serversTls'] as const
  const outward = kinds.flatMap((kind) => listen[kind].filter(({ host }) => !/^(127\.|::1$|localhost$)/.test(host)))
  return [...new Set(outward.map(({ port }) => port))]
}

async function sandbox(machine: Machine, pid: number): Promise<Seen> {
  const text = (await machine.read(`/proc/${pid}/status`)) ?? ''
  const value = (key: string): string | undefined => new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1]
  const fix = 'Start it as the service: "systemctl restart aenigma".'
  if (text === '') return na('It cannot be looked at from here.')
  if (value('Uid') === '0') return bad('error', 'The server runs as root.', fix)
  if (value('NoNewPrivs') !== '1' || value('Seccomp') !== '2') return bad('error', 'The server runs without it.', fix)
  const analysis = await said(machine, 'systemd-analyze', ['security', '--no-pager', UNIT])
  const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(analysis ?? '')?.[1] ?? 0)
  if (exposure === 0) return ok('It may do nothing but what it needs.')
  const found = `It may do nothing but what it needs (exposure ${exposure}).`
  if (exposure <= EXPOSURE) return ok(found)
  const looser = 'Look what "systemctl edit aenigma" loosened.'
  return bad('warn', `It is looser than it was made: exposure ${exposure}.`, looser, `at most ${EXPOSURE}`)
}

async function updates(machine: Machine, now: number): Promise<Seen> {
  if (await machine.look('/run/reboot-required')) {
    return bad('warn', 'The machine must be rebooted to use its updates.', 'Reboot it when it suits you.')
  }
  const planned = await said(machine, 'apt-get', ['--simulate', '-o', 'Debug::NoLocking=true', 'dist-upgrade'])
  if (!planned) return na('apt does not say.')
  const waiting = planned.match(/^Inst .*-security/gim)?.length ?? 0
  if (waiting > 0) {
    const fix = 'Call "apt-get dist-upgrade"; "aenigma install" lets it happen by itself.'
    return bad('warn', `${waiting} security ${waiting === 1 ? 'update waits' : 'updates wait'}.`, fix)
  }
  const stamps = (await said(machine, 'stat', ['-c', '%Y', '/var/lib/apt/lists', '/var/lib/apt/lists/partial'])) ?? ''
  const newest = Math.max(0, ...stamps.split(/\s+/).map(Number))
  const days = Math.floor((now - newest * 1000) / DAY)
  if (newest > 0 && days > STALE) {
    return bad('warn', `Nobody asked for updates for ${days} days.`, 'Call "apt-get update", and look why it fails.')
  }
  const automatic = (await said(machine, 'apt-config', ['dump', 'APT::Periodic::Unattended-Upgrade'])) ?? ''
  if (/"[1-9]\d*"/.test(automatic)) return ok('No security update waits, and they come by themselves.')
  return { level: 'info', found: 'No security update waits, but they do not come by themselves.', fix: AGAIN }
}

async function ssh(machine: Machine): Promise<Seen> {
  const settings = await said(machine, 'sshd', ['-T'])
  if (!settings) return na('There is none here, or only root can see it.')
  if (!/^(passwordauthentication|kbdinteractiveauthentication) yes$/im.test(settings)) return ok('By key only.')
  const fix = '"aenigma install --ssh-keys-only" switches passwords off, if a key is known to work.'
  return { level: 'info', found: 'Passwords are taken: they can be guessed.', fix }
}
