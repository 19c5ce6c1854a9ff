// SPDX-License-Identifier: Apache-2.0
// An onion service of Tor: the machine gets a second name, which is a key, and can be reached by it without anybody learning who
// comes from where. Debian's Tor runs it; what is ours in its configuration stands between two lines, and leaves the rest alone.
import type { Machine } from '../machine.ts'
import { makeDirectory, removeMade } from '../restore.ts'
import type { Step } from '../step.ts'
import { areInstalled, installPackages, removePackages } from './packages.ts'

/** What becomes an onion service. */
export interface OnionWish {
  /** Of the appliance. */
  readonly name: string
  /** The ports of the onion service. */
  readonly ports: readonly number[]
  /** Where all of them lead: a port of this machine that reads from Tor which circuit a connection belongs to, and which port it is for. */
  readonly to: string
  /** Where the keys are kept when Tor is gone: root's. Who has them has the name. */
  readonly keep: string
  /** Whether the service knows that this is its name. */
  readonly knows: (machine: Machine, host: string) => Promise<boolean>
  /** Tells it. */
  readonly take: (machine: Machine, host: string) => Promise<void>
  /** Tells it that the name is gone. */
  readonly drop: (machine: Machine, host: string) => Promise<void>
}

const TORRC = '/etc/tor/torrc'
const UNIT = 'tor@default.service'
const OWNER = 'debian-tor'
const KEYS = ['hostname', 'hs_ed25519_public_key', 'hs_ed25519_secret_key'] as const
/** How long Tor may take to make a name, in ms, and how often it is looked for. */
const PATIENCE = 60_000
const PAUSE = 200

/** Makes the service, and tells the appliance its name. Undoing takes both back; the keys are kept for another time. */
export function onionService(wish: OnionWish): Step {
  const { name, keep } = wish
  const directory = `/var/lib/tor/${name}`
  const block = onionText({ ...wish, directory })
  return {
    id: 'tor',
    why: 'The server gets an onion name beside its own (Tor): who comes by it tells nobody where from.',
    optional: true,
    async check(machine) {
      const host = await hostOf(machine, directory)
      if (host === undefined || !((await machine.read(TORRC)) ?? '').includes(block)) return false
      return (await areInstalled(machine, ['tor'])) && (await runs(machine)) && (await wish.knows(machine, host))
    },
    async apply(machine, say) {
      await installPackages(machine, ['tor'], say)
      await bringKeys(machine, directory, keep)
      await writeBlock(machine, block, name)
      await machine.run('systemctl', ['reload-or-restart', UNIT], { timeout: 400_000 })
      say('Tor makes the name')
      const host = await nameOf(machine, directory)
      await machine.memory.set('host', host)
      await keepKeys(machine, directory, keep)
      await wish.take(machine, host)
      say(`the server is ${host}, too`)
    },
    async undo(machine) {
      const host = machine.memory.get('host')
      if (typeof host === 'string') await wish.drop(machine, host)
      await keepKeys(machine, directory, keep)
      const text = await machine.read(TORRC)
      if (text !== undefined) await rewrite(machine, withoutBlock(text, name))
      await machine.remove(directory)
      await machine.run('systemctl', ['try-reload-or-restart', UNIT], { mayFail: true })
      await removePackages(machine)
      await removeMade(machine, keep)
    },
  }
}

/** The lines for Tor. @param directory of the keys */
export function onionText({
  name,
  ports,
  to,
  directory,
}: Pick<OnionWish, 'name' | 'ports' | 'to'> & { readonly directory: string }): string {
  return [
    begin(name),
    `HiddenServiceDir ${directory}`,
    // Each circuit counts as a peer of its own; else whoever comes by it would share the limits of all.
    'HiddenServiceExportCircuitID haproxy',
    ...ports.map((port) => `HiddenServicePort ${port} ${to}`),
    end(name),
    '',
  ].join('\n')
}

function begin(name: string): string {
  return `# Begin of what "${name} install" wrote.`
}

function end(name: string): string {
  return `# End of what "${name} install" wrote.`
}

function withoutBlock(text: string, name: string): string {
  const from = text.indexOf(`${begin(name)}\n`)
  const to = text.indexOf(`${end(name)}\n`, from)
  return from < 0 || to < 0 ? text : text.slice(0, from) + text.slice(to + end(name).length + 1)
}

/** At the end: the lines of a service are those that follow its directory. Put back if Tor does not take it. */
async function writeBlock(machine: Machine, block: string, name: string): Promise<void> {
  const before = (await machine.read(TORRC)) ?? ''
  const others = withoutBlock(before, name)
  await rewrite(machine, `${others}${others === '' || others.endsWith('\n') ? '' : '\n'}${block}`)
  const words = ['--defaults-torrc', '/usr/share/tor/tor-service-defaults-torrc', '-f', TORRC, '--verify-config']
  const { status, stdout } = await machine.run('tor', words, { mayFail: true })
  if (status === 0) return
  await rewrite(machine, before)
  throw new Error(`Tor does not take its new configuration, so it keeps the old one. ${stdout.trim()}`)
}

async function rewrite(machine: Machine, text: string): Promise<void> {
  const there = await machine.look(TORRC)
  await machine.write(TORRC, text, { mode: there?.mode ?? 0o644, owner: `${there?.uid ?? 0}:${there?.gid ?? 0}` })
}

async function runs(machine: Machine): Promise<boolean> {
  return (await machine.run('systemctl', ['is-active', '--quiet', UNIT], { mayFail: true })).status === 0
}

async function hostOf(machine: Machine, directory: string): Promise<string | undefined> {
  const text = ((await machine.read(`${directory}/hostname`)) ?? '').trim()
  return /^[a-z2-7]{56}\.onion$/.test(text) ? text : undefined
}

async function nameOf(machine: Machine, directory: string): Promise<string> {
  for (const until = performance.now() + PATIENCE; performance.now() < until; ) {
    const host = await hostOf(machine, directory)
    if (host !== undefined) return host
    await new Promise((resolve) => setTimeout(resolve, PAUSE))
  }
  const { stdout } = await machine.run('journalctl', ['--unit', UNIT, '--lines=8', '--output=cat', '--no-pager'], {
    mayFail: true,
  })
  throw new Error(`Tor makes no name. It says:\n${stdout.trim() || '(nothing)'}`)
}

/** The name of before, if there was one. */
async function bringKeys(machine: Machine, directory: string, keep: string): Promise<void> {
  if ((await machine.look(directory)) || !(await machine.look(`${keep}/${KEYS[2]}`))) return
  await machine.makeDirectory(directory, { mode: 0o700, owner: `${OWNER}:${OWNER}` })
  for (const key of KEYS) await copyKey(machine, `${keep}/${key}`, `${directory}/${key}`, `${OWNER}:${OWNER}`)
}

async function keepKeys(machine: Machine, directory: string, keep: string): Promise<void> {
  if (!(await machine.look(`${directory}/${KEYS[2]}`))) return
  await makeDirectory(machine, keep, { mode: 0o700 })
  for (const key of KEYS) await copyKey(machine, `${directory}/${key}`, `${keep}/${key}`, 'root:root')
}

/** By a program, since keys are bytes and no text. Tor may write where they lie: what is no file there is not believed to be one. */
async function copyKey(machine: Machine, from: string, to: string, owner: string): Promise<void> {
  await machine.remove(to)
  await machine.run('cp', ['--no-dereference', '--no-preserve=all', from, to])
  if ((await machine.look(to))?.kind !== 'file') throw new Error(`${from} is no file, so it is left alone.`)
  await machine.own(to, { mode: 0o600, owner })
}
