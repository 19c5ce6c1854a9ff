// SPDX-License-Identifier: Apache-2.0
// A Tor network of its own on the loopback interface: three authorities, two relays, and whoever wants to use it. Debian's Tor, with
// the settings that its makers have for tests, which make everything happen within seconds.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Bench, Child, needs } from './process.ts'

const TOR = '/usr/sbin/tor'
const AUTHORITIES = ['first', 'second', 'third']
const RELAYS = ['fourth', 'fifth']
/** How long it may take until anybody can use it, in ms. */
const PATIENCE = 240_000
/** In seconds. */
const VOTING = [
  'TestingV3AuthInitialVotingInterval 10',
  'V3AuthVotingInterval 10',
  ...['TestingV3AuthInitialVoteDelay', 'V3AuthVoteDelay', 'TestingV3AuthInitialDistDelay', 'V3AuthDistDelay'].map(
    (option) => `${option} 2`,
  ),
]

/** The network. */
export class TorNetwork {
  readonly #of: Bench
  readonly #directory: string
  /** Where everybody finds the authorities. */
  #known: readonly string[] = []

  private constructor(of: Bench) {
    this.#of = of
    this.#directory = join(of.directory, 'tor')
    mkdirSync(this.#directory, { mode: 0o700 })
  }

  /** Begins it; nobody can use it yet. */
  static async begin(of: Bench): Promise<TorNetwork> {
    needs(TOR, 'tor')
    const network = new TorNetwork(of)
    const ports = await portsFree(2 * AUTHORITIES.length + RELAYS.length)
    const places = AUTHORITIES.map((name) => ({ name, port: ports.pop() ?? 0, directoryPort: ports.pop() ?? 0 }))
    network.#known = places.map((place) => network.#authorityLine(place))
    for (const { name, port, directoryPort } of places) {
      network.run(name, [
        ...relay(name, port),
        `DirPort 127.0.0.1:${directoryPort}`,
        ...['AuthoritativeDirectory 1', 'V3AuthoritativeDirectory 1', 'ContactInfo nobody@example.org'],
        ...['TestingDirAuthVoteGuard *', 'TestingDirAuthVoteHSDir *', 'TestingMinExitFlagThreshold 0', ...VOTING],
      ])
    }
    for (const name of RELAYS) network.run(name, relay(name, ports.pop() ?? 0))
    return network
  }

  /** A Tor of somebody who uses it. @param lines of its configuration */
  run(name: string, lines: readonly string[]): Child {
    const file = join(this.#directory, `${name}.torrc`)
    const common = ['TestingTorNetwork 1', 'AssumeReachable 1', 'ShutdownWaitLength 0', 'Log notice stdout']
    const all = [...common, `DataDirectory ${this.#home(name)}`, ...this.#known, ...lines]
    writeFileSync(file, `${all.join('\n')}\n`)
    return new Child(this.#of, { program: TOR, args: ['--defaults-torrc', '/dev/null', '-f', file] })
  }

  /** Waits until one can use the network. */
  async ready(tor: Child): Promise<void> {
    await tor.until('a way through the network', () => tor.output.includes('Bootstrapped 100%') || undefined, PATIENCE)
  }

  #home(name: string): string {
    const home = join(this.#directory, name)
    mkdirSync(home, { recursive: true, mode: 0o700 })
    return home
  }

  /** Makes its keys. */
  #authorityLine(place: { readonly name: string; readonly port: number; readonly directoryPort: number }): string {
    const { name, port, directoryPort } = place
    const keys = join(this.#home(name), 'keys')
    mkdirSync(keys, { mode: 0o700 })
    const words = ['--create-identity-key', '-m', '12', '-a', `127.0.0.1:${directoryPort}`, '--passphrase-fd', '0']
    execFileSync('/usr/bin/tor-gencert', words, { cwd: keys, input: 'secret\n', stdio: ['pipe', 'pipe', 'pipe'] })
    const certificate = readFileSync(join(keys, 'authority_certificate'), 'utf8')
    const identity = /^fingerprint (\S+)/m.exec(certificate)?.[1]
    const asked = ['--list-fingerprint', '--quiet', '--ignore-missing-torrc', '-f', '/dev/null', '--datadirectory']
    const own = ['--orport', String(port), '--nickname', name, '--contactinfo', 'nobody@example.org']
    const told = execFileSync(TOR, [...asked, this.#home(name), ...own], { encoding: 'utf8', stdio: 'pipe' })
    const fingerprint = told.trim().split(' ').slice(1).join('')
    return `DirAuthority ${name} orport=${port} no-v2 v3ident=${identity} 127.0.0.1:${directoryPort} ${fingerprint}`
  }
}

function relay(name: string, port: number): readonly string[] {
  return ['Address 127.0.0.1', `Nickname ${name}`, `ORPort 127.0.0.1:${port}`, 'SocksPort 0', 'ExitRelay 0']
}

/** Ports that nobody has at the moment. */
export async function portsFree(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
