// SPDX-License-Identifier: Apache-2.0
// aenigma as an appliance: what it needs of a machine, where everything goes, and the steps.
import { createRequire } from 'node:module'
import type { Appliance } from '../appliance/appliance.ts'
import type { Machine } from '../appliance/machine.ts'
import type { Step } from '../appliance/step.ts'
import { directories } from '../appliance/steps/directories.ts'
import { firewall } from '../appliance/steps/firewall.ts'
import { journalLimits } from '../appliance/steps/journal-limits.ts'
import { locale } from '../appliance/steps/locale.ts'
import { onionService } from '../appliance/steps/onion-service.ts'
import { packages } from '../appliance/steps/packages.ts'
import { type Release, release } from '../appliance/steps/release.ts'
import { securityUpgrades } from '../appliance/steps/security-upgrades.ts'
import { service } from '../appliance/steps/service.ts'
import { type SshLogin, sshKeysOnly } from '../appliance/steps/ssh-keys-only.ts'
import { timeSync } from '../appliance/steps/time-sync.ts'
import { timeZone } from '../appliance/steps/time-zone.ts'
import { systemUser } from '../appliance/steps/user.ts'
import { INSTALLED_CONFIG, INSTALLED_DATA } from '../config/installed.ts'
import { configuration } from './configuration-step.ts'
import { dropOnion, knowsOnion, takeOnion } from './onion-host.ts'

/** As `bin/aenigma` starts the runtime that comes with it. */
const { ENGINE_OPTIONS } = createRequire(import.meta.url)('../../bin/runtime.js') as {
  readonly ENGINE_OPTIONS: readonly string[]
}
const NAME = 'aenigma'
const PROGRAM = `/opt/${NAME}`
const MIB = 1024 * 1024

/** What must be known to put it onto a machine. */
export interface InstallWish {
  /** The text of the configuration, if there is none yet. */
  readonly configText: string
  readonly domain: string
  /** From where it is reached: those of the configuration. */
  readonly ports: { readonly tcp: readonly number[]; readonly udp: readonly number[] }
  readonly version: string
  /** The directory that this program runs from. */
  readonly source: string
  readonly ssh: (SshLogin & { readonly serverPort: number }) | undefined
  /** Over SSH: whether a new connection still gets through, now that the firewall is up. */
  readonly confirm: () => Promise<boolean>
  /** Whether the server answers at its admin socket. */
  readonly answers: () => Promise<boolean>
  /** Packages of the distribution that came for this installation just before. */
  readonly brought: readonly string[]
  /** Where the server listens for Tor. */
  readonly onionAddress: string
  /** Undefined: the one that was asked for before. */
  readonly locale: string | undefined
  readonly timeZone: string | undefined
  /** What is looked at afterwards. */
  readonly wards: Appliance['wards']
}

/** Where root keeps what was done. The service's own directories are no place for it: an undoing believes what it says. */
export const RECORDS = `${PROGRAM}/installation`

/** Where the keys of the onion service outlive Tor: not with the server's data, since root reads them and the server need not. */
const ONION_KEYS = `/var/lib/${NAME}-onion`
/** What clients, other servers and browsers know by themselves. */
const ONION_PORTS = [80, 443, 5222, 5223, 5269, 5270] as const
/** Where Debian's Tor is a proxy. */
const TOR_PROXY = '127.0.0.1:9050'

/** The appliance. */
export function aenigma(wish: InstallWish): Appliance {
  return {
    name: NAME,
    author: 'the aenigma authors',
    source: PROGRAM,
    needs: { memory: 512 * MIB, disk: 1024 * MIB, ports: wish.ports.tcp },
    data: [INSTALLED_DATA, ONION_KEYS],
    records: RECORDS,
    steps: stepsFor(wish),
    wards: wish.wards,
  }
}

function stepsFor(wish: InstallWish): readonly Step[] {
  const { ssh, confirm } = wish
  return [
    packages({
      id: 'library',
      why: 'The runtime needs libatomic.',
      names: ['libatomic1'],
      brought: wish.brought,
    }),
    systemUser({ name: NAME, home: INSTALLED_DATA }),
    directories(
      'directories',
      `Configuration is in /etc/${NAME}, everything that the server keeps in ${INSTALLED_DATA}.`,
      [
        { path: `/etc/${NAME}`, mode: 0o755, owner: 'root' },
        { path: INSTALLED_DATA, mode: 0o700, owner: NAME, whole: true },
      ],
    ),
    release(programOf(wish)),
    configuration({ path: INSTALLED_CONFIG, domain: wish.domain, text: wish.configText, group: NAME }),
    firewall({ name: NAME, ...wish.ports, sshPort: ssh?.serverPort, confirm }),
    service({
      unit: {
        name: NAME,
        description: 'aenigma, an XMPP server',
        documentation: `file:${PROGRAM}/current/README.md`,
        exec: [...runtime(), 'up', '--service', '--config', INSTALLED_CONFIG],
        user: NAME,
        writes: [INSTALLED_DATA],
        lowPorts: true,
      },
      current: isCurrent,
      restart,
      answers: wish.answers,
    }),
    onion(wish),
    securityUpgrades(NAME),
    journalLimits(NAME),
    timeSync(),
    timeZone(wish.timeZone),
    locale(wish.locale),
    sshKeysOnly(NAME, ssh),
  ]
}

async function restart(machine: Machine): Promise<void> {
  await machine.run(`/usr/local/bin/${NAME}`, ['restart', '--config', INSTALLED_CONFIG])
}

function onion({ onionAddress }: InstallWish): Step {
  const file = { path: INSTALLED_CONFIG, proxy: TOR_PROXY }
  return onionService({
    ...{ name: NAME, ports: ONION_PORTS, to: onionAddress, keep: ONION_KEYS },
    knows: (machine, host) => knowsOnion(machine, file, host),
    async take(machine, host) {
      await takeOnion(machine, file, host)
      await restart(machine)
    },
    drop: (machine, host) => dropOnion(machine, file, host), // the service goes next
  })
}

/** Ids of steps that are done only if somebody asks for them. */
export type OptionalStep = 'tor' | 'time-sync' | 'time-zone' | 'locale' | 'ssh-keys-only'

function runtime(): readonly string[] {
  const current = `${PROGRAM}/current`
  return [`${current}/node_modules/node-linux-${process.arch}/bin/node`, ...ENGINE_OPTIONS, `${current}/bin/aenigma`]
}

function programOf({ version, source }: InstallWish): Release {
  return {
    directory: PROGRAM,
    version,
    source,
    parts: [
      'bin',
      'src',
      'docs',
      'node_modules',
      'package.json',
      'package-lock.json',
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
    ],
    command: { path: `/usr/local/bin/${NAME}`, text: commandText() },
  }
}

/** Compiled code that root's calls keep must not stay in root's home when all of this is gone. */
function commandText(): string {
  const cache = `[ "$(id -u)" != 0 ] || export XDG_CACHE_HOME=${PROGRAM}/cache`
  return `#!/bin/sh\n${cache}\nexec ${runtime().join(' ')} "$@"\n`
}

/** Whether a process runs the version that the link leads to. */
async function isCurrent(machine: Machine, pid: number): Promise<boolean> {
  const version = (await machine.look(`${PROGRAM}/current`))?.target
  const program = (await machine.look(`/proc/${pid}/exe`))?.target
  return version !== undefined && program?.startsWith(`${PROGRAM}/${version}/`) === true
}
