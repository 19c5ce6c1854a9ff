// SPDX-License-Identifier: Apache-2.0
// A Debian 12 as somebody gets it from a provider: minimal, with systemd, SSH and apt. It is made once and kept as an archive;
// what it will fetch from Debian and npm lies ready in it, since the network of a test leads nowhere. `MACHINE_RELEASE` names
// another release of Debian or Ubuntu instead.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { needs } from './process.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const CACHE = join(ROOT, '.cache', 'machine')
const BASE = ['systemd', 'systemd-sysv', 'dbus', 'iproute2', 'ca-certificates', 'openssh-server', 'sudo']
/** What an installation asks apt for. */
const LATER = ['libatomic1', 'nftables', 'unattended-upgrades']
/** What its optional steps ask for. */
const OPTIONAL = ['locales', 'systemd-timesyncd', 'tor', 'tzdata']
/** Releases, by the name of their suite; those of Ubuntu have a mirror of their own. */
const UBUNTU = ['jammy', 'noble']
const RELEASE = process.env.MACHINE_RELEASE ?? 'bookworm'

/** Programs that are needed, with their packages. */
const TOOLS = [
  ['/usr/sbin/debootstrap', 'debootstrap'],
  ['/usr/bin/systemd-nspawn', 'systemd-container'],
] as const

/** Why this machine can boot no other inside itself, if it cannot. */
export function whyNoMachine(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can boot a machine inside this one'
  const missing = TOOLS.find(([file]) => !existsSync(file))
  return missing && `${missing[0]} is missing: apt-get install ${missing[1]}`
}

/** Unpacks the tree into an empty directory; makes it first if there is none. */
export function unpackDebian(into: string): void {
  for (const [file, name] of TOOLS) needs(file, name)
  const archive = join(
    CACHE,
    `${RELEASE}-${createHash('sha256')
      .update([...BASE, ...LATER, ...OPTIONAL].join())
      .digest('hex')
      .slice(0, 8)}.tar`,
  )
  if (existsSync(archive)) run('tar', ['-xpf', archive, '-C', into])
  else makeDebian(into, archive)
}

function makeDebian(into: string, archive: string): void {
  mkdirSync(CACHE, { recursive: true })
  const isUbuntu = UBUNTU.includes(RELEASE)
  const own = /^(?:URIs: |deb (?:\[.*?\] )?)(\S+\/debian)\/?\s/m.exec(sources())?.[1]
  const mirror = isUbuntu ? 'http://archive.ubuntu.com/ubuntu' : own
  // Debian has no keys of Ubuntu; what apt fetches later it checks by those in the tree.
  const ubuntu = isUbuntu ? ['--no-check-gpg', '--components=main,universe'] : []
  const what = ['--variant=minbase', `--include=${BASE.join()}`, ...ubuntu, RELEASE, into]
  // All of them are made by one script, which Debian has for those only that were there before its own release.
  run('debootstrap', [...what, ...(mirror ? [mirror] : []), ...(isUbuntu ? ['gutsy'] : [])])
  writeFileSync(join(into, 'etc/dpkg/dpkg.cfg.d/fast'), 'force-unsafe-io\n')
  const fetch = ['install', '-y', '--download-only', '--no-install-recommends', ...LATER, ...OPTIONAL]
  run('chroot', [into, 'apt-get', 'update', '-qq'])
  run('chroot', [into, 'apt-get', ...fetch])
  run('tar', ['-cf', `${archive}.new`, '-C', into, '.'])
  renameSync(`${archive}.new`, archive)
}

function sources(): string {
  const files = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']
  return files
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
}

/** Fetches what `npm ci` will want for the program of each directory. @returns the directory of npm's cache */
export function fillNpmCache(scratch: string, programs: readonly string[]): string {
  const cache = join(CACHE, 'npm')
  const locks = programs.flatMap((program) => [program, join(program, 'deploy', 'npm')])
  for (const [index, from] of locks.entries()) {
    const lock = readFileSync(join(from, 'package-lock.json'))
    const mark = join(cache, `filled-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`)
    if (existsSync(mark)) continue
    const place = join(scratch, `npm-${index}`)
    mkdirSync(place, { recursive: true })
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(from, file), join(place, file))
    run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--cache', cache], place)
    writeFileSync(mark, '')
  }
  return cache
}

/** Runs a program to its end, and fails with what it printed. */
export function run(program: string, args: readonly string[], cwd = '/'): void {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${(stdout + stderr).slice(-3000)}`)
}
