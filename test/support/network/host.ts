// SPDX-License-Identifier: Apache-2.0
// A network on one machine: hosts with addresses of their own, joined by a bridge. Each host is a network namespace without a
// name, kept by a process that dies with the test; so nothing outside is touched, and nothing is left, not even after kill -9.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Bench, Child, type Command, needs } from '../process.ts'

/** Names that are in the files of a host, beside what it asks its name server. */
const HOSTS_FILE = '127.0.0.1 localhost\n::1 localhost\n'
const WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL']
/** Where names are resolved. */
export const RESOLVER = '10.77.0.53'

/** Somebody who is not root makes himself root of a namespace first. */
const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']

/** Why this machine makes no network, if it does not. */
export function whyNoNetwork(): string | undefined {
  const tools = ['setpriv', 'unshare', 'nsenter', 'ip', 'mount']
  const missing = tools.find((tool) => spawnSync(tool, ['--version']).error !== undefined)
  if (missing !== undefined) return `${missing} is missing`
  const script =
    'mount -t tmpfs none /mnt && ip link add name one type veth peer name two && ip link add name three type bridge'
  const { status, stderr } = spawnSync('unshare', [...asRoot, '--net', '--mount', 'sh', '-ec', script])
  return status === 0 ? undefined : `namespaces cannot be made: ${String(stderr).trim()}`
}

/**
 * Defines tests if this machine can make networks. Else it says loudly that they are not run, and fails if they must be
 * (`AENIGMA_NETWORK=required`).
 */
export function withNetwork(define: () => void): void {
  const why = whyNoNetwork()
  if (why === undefined) define()
  else if (process.env.AENIGMA_NETWORK === 'required') test('a network can be made', () => assert.fail(why))
  else console.error(`\n!!! FEDERATION IS NOT TESTED HERE: ${why}\n`)
}

/** A host of the network. */
export class Host {
  readonly name: string
  /** The end of its addresses. */
  readonly number: number
  readonly address: string
  readonly address6: string
  readonly #of: Bench
  readonly #keeper: Child

  constructor(of: Bench, keeper: Child, name: string, number: number) {
    this.#of = of
    this.#keeper = keeper
    this.name = name
    this.number = number
    this.address = `10.77.0.${number}`
    this.address6 = `fd77::${number}`
  }

  get pid(): number {
    return this.#keeper.pid
  }

  /** Starts a program there. */
  start({ program, args, ...more }: Command): Child {
    return new Child(this.#of, {
      program: 'nsenter',
      args: [...this.#inside, ...WITH_PARENT, program, ...args],
      ...more,
    })
  }

  /** Runs a program there to its end. @returns what it printed */
  run(program: string, ...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync('nsenter', [...this.#inside, program, ...args], { encoding: 'utf8' })
    assert.equal(status, 0, `${this.name}: ${program} ${args.join(' ')} failed: ${stdout}${stderr}`)
    return stdout
  }

  /** Runs a script of the shell there. */
  shell(script: string): string {
    return this.run('sh', '-ec', script)
  }

  /** Waits until somebody takes connections at a port of an address. */
  async reaches(address: string, port: number): Promise<void> {
    const script = `until (exec 3<>/dev/tcp/${address}/${port}) 2>/dev/null; do sleep 0.1; done`
    await this.start({ program: 'bash', args: ['-c', script] }).succeeds(30_000)
  }

  get #inside(): readonly string[] {
    const user = asRoot.length === 0 ? [] : ['--user', '--preserve-credentials']
    return ['--target', String(this.pid), ...user, '--net', '--mount', '--']
  }
}

/** The hosts and the bridge between them. */
export class Network {
  readonly #of: Bench
  readonly #hub: Host

  private constructor(of: Bench, hub: Host) {
    this.#of = of
    this.#hub = hub
  }

  static async create(of: Bench): Promise<Network> {
    needs('/usr/bin/nsenter', 'util-linux')
    needs('/usr/sbin/ip', 'iproute2')
    const words = [...asRoot, '--net', '--mount', '--', ...WITH_PARENT, ...keeping('hub')]
    const keeper = new Child(of, { program: 'unshare', args: words })
    await ready(keeper)
    const hub = new Host(of, keeper, 'hub', 1)
    hub.shell('ip link add name bridge type bridge && ip link set dev bridge up')
    return new Network(of, hub)
  }

  /** Adds a host. @param number the end of its addresses */
  async host(name: string, number: number): Promise<Host> {
    const keeper = this.#hub.start({
      program: 'unshare',
      args: ['--net', '--mount', '--', ...WITH_PARENT, ...keeping(name)],
    })
    await ready(keeper)
    const host = new Host(this.#of, keeper, name, number)
    const files = ['resolv.conf', 'hosts'].map((file) => join(this.#of.directory, `${name}.${file}`))
    const [resolvers = '', names = ''] = files
    writeFileSync(resolvers, `nameserver ${RESOLVER}\noptions timeout:2 attempts:2\n`)
    writeFileSync(names, HOSTS_FILE)
    this.#hub.shell(`
      ip link add name ${name} type veth peer name eth0 netns ${host.pid}
      ip link set dev ${name} master bridge up`)
    host.shell(`
      ip link set lo up
      ip address add ${host.address}/24 dev eth0
      ip address add ${host.address6}/64 dev eth0 nodad
      ip link set eth0 up
      mount --bind ${resolvers} /etc/resolv.conf
      mount --bind ${names} /etc/hosts`)
    return host
  }
}

/** A process that does nothing but keep its namespace, and says when it is there. */
function keeping(name: string): readonly string[] {
  return ['sh', '-c', `echo ${name}; exec sleep infinity`]
}

async function ready(keeper: Child): Promise<void> {
  await keeper.until('a namespace', () => keeper.lines[0])
}
