// SPDX-License-Identifier: Apache-2.0
// The machine: clock, disk, memory, how busy the program is, the database, and what `aenigma install` set up.
import type { Check } from '../../appliance/check.ts'
import type { Ward } from '../../appliance/examine.ts'
import type { Machine } from '../../appliance/machine.ts'
import { bad, check, na, ok, type Seen, type Subject } from './subject.ts'

const MIB = 1024 * 1024
/** How long the clock is watched, in ms, and how far it may be off then. */
const WATCHED = 200
const SKEW = 100
/** Event-loop delays (99th percentile) that people begin to feel, in ms. */
const SLOW = 100
const VERY_SLOW = 1000

/** The checks. */
export function machineWard(subject: Subject): Ward {
  return {
    title: 'Machine',
    checks: [
      check('clock', 'the clock', () => clock(subject)),
      check('disk', `the disk of ${subject.config.data}`, () => disk(subject)),
      check('memory', 'memory', async () => memory(subject)),
      check('busy', 'how busy the server is', async () => busy(subject)),
      check('database', 'the database', () => database(subject)),
      ...installed(subject),
    ],
  }
}

async function clock({ now, ticks, wait, machine }: Subject): Promise<Seen> {
  const [began, ticked] = [now(), ticks()]
  await wait(WATCHED)
  const off = now() - began - (ticks() - ticked)
  const fix = 'Let the machine set its clock by itself: "timedatectl set-ntp true", or "aenigma install --time-sync".'
  if (now() === began) return bad('error', 'The clock stands still.', fix)
  if (Math.abs(off) > SKEW) return bad('warn', `The clock jumps: ${Math.round(off)} ms in ${WATCHED} ms.`, fix)
  const synchronized = await said(machine, 'timedatectl', ['show', '--property=NTPSynchronized', '--value'])
  if (synchronized === 'no') return bad('warn', 'Nobody sets the clock of this machine.', fix)
  return ok(synchronized === 'yes' ? 'It goes, and is set from outside.' : 'It goes.')
}

async function disk({ space, config }: Subject): Promise<Seen> {
  const { free, whole } = await space(config.data)
  const share = whole === 0 ? 0 : free / whole
  const found = `${mib(free)} free of ${mib(whole)} (${Math.floor(share * 100)} %).`
  const fix = 'Make room, or give it a larger disk; "aenigma uploads" shows who uses it.'
  if (free < 256 * MIB || share < 0.02) return bad('error', found, fix, 'at least 256 MiB and 2 %')
  if (free < 1024 * MIB || share < 0.1) return bad('warn', found, fix, 'at least 1 GiB and 10 %')
  return ok(found)
}

function memory({ memory: look, status }: Subject): Seen {
  const { free, whole } = look()
  const found = `${mib(free)} available of ${mib(whole)}; the server has ${mib(status.memory)}.`
  const fix = 'Stop what else runs here, or give the machine more memory.'
  if (free < 64 * MIB) return bad('error', found, fix)
  return free < whole * 0.1 ? bad('warn', found, fix) : ok(found)
}

function busy({ status: { eventLoopDelay, uncommitted } }: Subject): Seen {
  const found = `Answers wait ${eventLoopDelay.toFixed(0)} ms (99th percentile); ${uncommitted} writes wait.`
  const fix = 'Look which program takes the processor ("top"), and whether the disk is slow.'
  if (eventLoopDelay > VERY_SLOW) return bad('error', found, fix)
  return eventLoopDelay > SLOW ? bad('warn', found, fix) : ok(found)
}

async function database({ integrity, config }: Subject): Promise<Seen> {
  const wrong = await integrity()
  if (wrong === undefined) return ok(`${config.store.kind === 'postgres' ? 'PostgreSQL' : 'It'} answers.`)
  if (wrong === '') return ok('The file is sound (quick_check).')
  return bad(
    'error',
    `The file is damaged: ${wrong}`,
    'Stop the server, keep a copy of the file, and restore a backup.',
  )
}

/** Only where we set it up ourselves is it ours to judge. */
function installed({ machine, status, config }: Subject): readonly Check[] {
  const ours = (id: string, about: string, look: (machine: Machine) => Promise<Seen>): Check =>
    check(id, about, async () => (machine ? look(machine) : na('This machine was not set up by "aenigma install".')))
  return [
    ours('firewall', 'the firewall', async (system) => {
      const rules = await said(system, 'nft', ['list', 'table', 'inet', 'aenigma'])
      const fix = 'Call "aenigma install" again.'
      if (rules === undefined) return na('Only root can see it.')
      if (rules === '') return bad('warn', 'There are no rules of ours.', fix)
      const closed = ports(config).filter((port) => !new RegExp(`\\b${port}\\b`).test(rules))
      if (closed.length === 0) return ok('It is up, and our ports are open.')
      return bad('error', `Our ports ${closed.join(', ')} are not open in it.`, fix)
    }),
    ours('sandbox', 'the sandbox', async (system) => {
      const text = (await system.read(`/proc/${status.pid}/status`)) ?? ''
      const value = (key: string): string | undefined => new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1]
      const fix = 'Start it as the service: "systemctl restart aenigma".'
      if (value('Uid') === '0') return bad('error', 'The server runs as root.', fix)
      const tight = value('NoNewPrivs') === '1' && value('Seccomp') === '2'
      return tight
        ? ok('It may do nothing but what it needs.')
        : bad('warn', 'The server runs without its sandbox.', fix)
    }),
    ours('updates', 'updates of the system', async (system) => {
      if (await system.look('/run/reboot-required')) {
        return bad('warn', 'The machine must be rebooted to use its updates.', 'Reboot it when it suits you.')
      }
      const planned = await said(system, 'apt-get', ['--simulate', '-o', 'Debug::NoLocking=true', 'upgrade'])
      const waiting = (planned ?? '').match(/^Inst .*-security/gim)?.length ?? 0
      if (waiting === 0) return ok('No security update waits.')
      return bad(
        'warn',
        `${waiting} security updates wait.`,
        'Call "apt-get upgrade"; "aenigma install" lets it happen by itself.',
      )
    }),
  ]
}

function ports({ listen }: Subject['config']): readonly number[] {
  const kinds = ['starttls', 'tls', 'shared', 'redirect', 'https', 'servers', 'serversTls'] as const
  return [...new Set(kinds.flatMap((kind) => listen[kind].map(({ port }) => port)))]
}

/** What a program says; '' if it fails, undefined if this may not be asked here. */
async function said(
  machine: Machine | undefined,
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  if (!machine) return undefined
  const { status, stdout, stderr } = await machine.run(program, args, { mayFail: true, timeout: 15_000 })
  if (status === 0) return stdout.trim()
  return /permitted|permission|not found|ENOENT/i.test(stderr) ? undefined : ''
}

function mib(bytes: number): string {
  return bytes >= 10_240 * MIB ? `${Math.round(bytes / MIB / 1024)} GiB` : `${Math.round(bytes / MIB)} MiB`
}
