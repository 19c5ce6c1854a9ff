// SPDX-License-Identifier: Apache-2.0
// A machine inside this one, booted by systemd-nspawn with a systemd of its own, as a host of the test network.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run, unpackDebian } from './debian-tree.ts'
import { type Host, RESOLVER } from './network/host.ts'
import { type Bench, Child } from './process.ts'

/** Whom the machine trusts beside everybody's authorities, as its file. */
const TRUSTED = '/etc/ssl/test-network.pem'
const ENV = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'HOME=/root',
  'LC_ALL=C.UTF-8',
  'TERM=dumb',
  `NODE_EXTRA_CA_CERTS=${TRUSTED}`,
]

/** What a machine is given. */
export interface Outfit {
  /** Directories from here, by their place there. */
  readonly binds: Readonly<Record<string, string>>
  /** Authorities that it trusts as it does public ones, as PEM. */
  readonly trusted: string
}

/** How a program ended there. */
export interface Outcome {
  readonly status: number | null
  readonly output: string
}

/** A Debian 12 of its own. */
export class TestMachine {
  /** Its root directory, seen from here. */
  readonly tree: string
  readonly #of: Bench
  readonly #host: Host
  readonly #binds: Readonly<Record<string, string>>
  #child: Child | undefined
  #init = 0

  private constructor(of: Bench, host: Host, tree: string, binds: Readonly<Record<string, string>>) {
    this.#of = of
    this.#host = host
    this.tree = tree
    this.#binds = binds
  }

  /** Makes and boots one. */
  static async start(of: Bench, host: Host, { binds, trusted }: Outfit): Promise<TestMachine> {
    const tree = join(of.directory, 'machine')
    mkdirSync(tree)
    run('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', tree])
    of.defer(() => void spawnSync('umount', ['--lazy', tree]))
    unpackDebian(tree)
    writeFileSync(join(tree, 'etc/resolv.conf'), `nameserver ${RESOLVER}\noptions timeout:2 attempts:1\n`)
    writeFileSync(join(tree, 'etc/hostname'), 'machine\n')
    writeFileSync(join(tree, TRUSTED), trusted)
    appendFileSync(join(tree, 'etc/ssl/certs/ca-certificates.crt'), trusted)
    mkdirSync(join(tree, 'etc/systemd/system.conf.d'))
    const defaults = `[Manager]\nDefaultEnvironment=NODE_EXTRA_CA_CERTS=${TRUSTED}\n`
    writeFileSync(join(tree, 'etc/systemd/system.conf.d/trust.conf'), defaults)
    const machine = new TestMachine(of, host, tree, binds)
    of.defer(() => machine.#end())
    await machine.#boot()
    return machine
  }

  /** Runs a program there to its end. */
  try(...words: readonly string[]): Outcome {
    const args = ['--target', String(this.#init), '--all', '--', 'env', '-i', ...ENV, ...words]
    const { status, stdout, stderr } = spawnSync('nsenter', args, { encoding: 'utf8', maxBuffer: 1 << 26 })
    return { status, output: stdout + stderr }
  }

  /** The same; it must succeed. @returns what it printed */
  run(...words: readonly string[]): string {
    const { status, output } = this.try(...words)
    assert.equal(status, 0, `${words.join(' ')} failed:\n${output}`)
    return output
  }

  /** Runs a program there on a terminal of its own. @param answers keys that are pressed once, each when its question is shown @returns what the terminal showed */
  async onTerminal(
    answers: readonly (readonly [question: string, keys: string])[],
    within: number,
    ...words: readonly string[]
  ): Promise<string> {
    const typed = `${ENV.map((one) => `'${one}'`).join(' ')} ${words.join(' ')}`
    const args = [
      '--target',
      String(this.#init),
      '--all',
      '--',
      'script',
      '-qefc',
      `stty cols 100 rows 40; env -i ${typed}`,
      '/dev/null',
    ]
    const child = new Child(this.#of, { program: 'nsenter', args, isAsked: true })
    for (const [question, keys] of answers) {
      await child.until(question, () => (child.output.includes(question) ? true : undefined), within)
      child.types(keys)
    }
    return child.succeeds(within)
  }

  /** Shuts it down in order, and boots it again. */
  async reboot(): Promise<void> {
    const child = this.#child
    assert.ok(child)
    process.kill(child.pid, 'SIGTERM') // systemd-nspawn asks the system inside to shut down
    await child
      .until('the end of the machine', () => (child.hasEnded ? true : undefined), 60_000)
      .catch(() => undefined)
    await child.ended
    this.#host.shell('nft flush ruleset') // the network outlives the machine, which a real kernel's does not
    await this.#boot()
  }

  /** What is inside outlives systemd-nspawn if that is killed. */
  #end(): void {
    const program = `/proc/${this.#init}/exe`
    if (existsSync(program) && readlinkSync(program).endsWith('/systemd')) process.kill(this.#init, 'SIGKILL')
  }

  async #boot(): Promise<void> {
    const binds = Object.entries(this.#binds).map(([there, here]) => `--bind=${here}:${there}`)
    const network = `--network-namespace-path=/proc/${this.#host.pid}/ns/net`
    const words = [
      '--boot',
      '--register=no',
      '--keep-unit',
      '--capability=CAP_NET_ADMIN',
      '--console=read-only',
      '--resolv-conf=off',
      '--link-journal=no',
    ]
    const args = ['--directory', this.tree, '--machine=machine', ...words, network, ...binds]
    const child = new Child(this.#of, { program: 'systemd-nspawn', args })
    this.#child = child
    await child.until('a login prompt', () => (/login:/.test(child.output) ? true : undefined), 120_000)
    this.#init = await child.until('a system', () => childOf(child.pid))
    this.run('systemctl', 'is-system-running', '--wait')
  }
}

/** The first process inside: its parent is systemd-nspawn. */
function childOf(pid: number): number | undefined {
  const { stdout } = spawnSync('pgrep', ['--parent', String(pid)], { encoding: 'utf8' })
  return Number(stdout.trim().split('\n').at(-1)) || undefined
}
