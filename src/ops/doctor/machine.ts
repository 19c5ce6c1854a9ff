// SPDX-License-Identifier: Apache-2.0
// The machine: clock, disk, memory, how busy the program is.
import type { Ward } from '../../appliance/examine.ts'
import { database, databaseDisk } from './database.ts'
import { installed } from './installed.ts'
import { said } from './said.ts'
import { bad, check, na, ok, type Seen, type Space, type Subject } from './subject.ts'

const MIB = 1024 * 1024
/** How long the clock is watched, in ms, and how far it may be off then. */
const WATCHED = 200
const SKEW = 100
/** Event-loop delays (99th percentile) that people begin to feel, in ms. */
const SLOW = 100
const VERY_SLOW = 1000
/** Before that the start itself is what is seen, in ms. */
const WARM = 60_000

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
      check('database-disk', 'the disk of the database', () => databaseDisk(subject, spaceLeft)),
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
  if (await said(machine, 'systemd-detect-virt', ['--container'])) return ok('It goes; the machine around sets it.')
  const synchronized = await said(machine, 'timedatectl', ['show', '--property=NTPSynchronized', '--value'])
  if (synchronized === 'no') return bad('warn', 'Nobody sets the clock of this machine.', fix)
  return ok(synchronized === 'yes' ? 'It goes, and is set from outside.' : 'It goes.')
}

async function disk({ space, config }: Subject): Promise<Seen> {
  return spaceLeft(await space(config.data))
}

function spaceLeft({ free, whole }: Space): Seen {
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

function busy({ status: { eventLoopDelay, uncommitted, uptime } }: Subject): Seen {
  if (uptime < WARM) return na('It was started a moment ago.')
  const found = `Answers wait ${eventLoopDelay.toFixed(0)} ms (99th percentile); ${uncommitted} writes wait.`
  const fix = 'Look which program takes the processor ("top"), and whether the disk is slow.'
  if (eventLoopDelay > VERY_SLOW) return bad('error', found, fix)
  return eventLoopDelay > SLOW ? bad('warn', found, fix) : ok(found)
}

function mib(bytes: number): string {
  return bytes >= 10_240 * MIB ? `${Math.round(bytes / MIB / 1024)} GiB` : `${Math.round(bytes / MIB)} MiB`
}
