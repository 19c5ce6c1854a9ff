// SPDX-License-Identifier: Apache-2.0
// The names of the test network: BIND answers for `example.`, which is signed (DNSSEC), for `test.`, which is not, and for `slow.`,
// whose name server can be silenced; and for three below `org.`. A second one resolves and validates. Nothing is cached (all lives 0 s).
import assert from 'node:assert/strict'
import { copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, type Child, needs } from '../process.ts'
import { type Host, RESOLVER } from './host.ts'

const AUTHORITATIVE = '10.77.0.54'
/** Where `slow.` is answered for. */
const SLOW = '10.77.0.55'
const ZONES = ['example', 'test', 'slow', 'example.org', 'letsencrypt.org', 'npmjs.org'] as const

/** Records of a name, as in a zone's file: `a.example.` → `A 10.77.0.10`. */
export type Records = Readonly<Record<string, readonly string[]>>

/** The name servers. */
export class Dns {
  /** File with the key of `example.`, for resolvers that validate for themselves. */
  readonly anchor: string
  readonly #host: Host
  readonly #directory: string
  readonly #names = new Map<string, readonly string[]>()
  readonly #servers: Child[] = []
  #serial = 0
  /** One change after the other. */
  #turn: Promise<void> = Promise.resolve()

  private constructor(host: Host, directory: string) {
    this.#host = host
    this.#directory = directory
    this.anchor = join(directory, 'example.anchor')
  }

  static async start(of: Bench, host: Host, records: Records): Promise<Dns> {
    needs('/usr/sbin/named', 'bind9')
    needs('/usr/bin/dnssec-signzone', 'bind9-utils')
    needs('/usr/bin/dig', 'bind9-dnsutils')
    const directory = join(of.directory, 'dns')
    mkdirSync(directory)
    // Where a profile of AppArmor tells Debian's name server which files it may read, a copy may read ours.
    copyFileSync('/usr/sbin/named', join(directory, 'named'))
    host.shell(
      `for address in ${RESOLVER} ${AUTHORITATIVE} ${SLOW}; do ip address add $address/24 dev eth0 || true; done`,
    )
    const dns = new Dns(host, directory)
    for (const [name, values] of Object.entries(records)) dns.#names.set(name, values)
    host.shell(`cd ${directory} && dnssec-keygen -q -a ECDSAP256SHA256 -f KSK example`)
    const [key = ''] = globSync(join(directory, 'Kexample*.key'))
    const record = readFileSync(key, 'utf8').replace(/^;.*\n/gm, '')
    writeFileSync(dns.anchor, record)
    dns.#write()
    dns.#configure(record)
    for (const name of ['authoritative', 'resolver']) dns.#servers.push(dns.#run(name))
    await dns.#settled()
    return dns
  }

  /** Changes what names have; a name with nothing is no more. */
  change(records: Records): Promise<void> {
    for (const [name, values] of Object.entries(records)) this.#names.set(name, values)
    this.#turn = this.#turn.then(() => {
      this.#write()
      process.kill(this.#servers[0]?.pid ?? 0, 'SIGHUP')
      return this.#settled()
    })
    return this.#turn
  }

  /** Whether the name server of `slow.` answers. */
  silence(silent: boolean): void {
    const rule = `table inet faults { chain incoming { type filter hook input priority 0; ip daddr ${SLOW} drop\n }\n}`
    this.#host.shell(`nft delete table inet faults 2>/dev/null || true; ${silent ? `nft '${rule}'` : ''}`)
  }

  #run(name: string): Child {
    const args = ['-g', '-4', '-n', '1', '-c', join(this.#directory, `${name}.conf`)]
    return this.#host.start({ program: join(this.#directory, 'named'), args })
  }

  #write(): void {
    const serial = ++this.#serial
    for (const zone of ZONES) {
      const lines = [...this.#names]
        .filter(([name]) => name.endsWith(`.${zone}.`))
        .flatMap(([name, values]) => values.map((value) => `${name} 0 IN ${value}`))
      const start = `$TTL 0\n@ IN SOA ns.${zone}. nobody.${zone}. ${serial} 3600 600 86400 0\n@ IN NS ns.${zone}.\n`
      writeFileSync(join(this.#directory, zone), `${start}ns.${zone}. IN A ${AUTHORITATIVE}\n${lines.join('\n')}\n`)
    }
    // The key signs both zone and keys (-z).
    this.#host.shell(
      `cd ${this.#directory} && dnssec-signzone -S -z -o example -f example.signed example >/dev/null 2>&1`,
    )
  }

  #configure(key: string): void {
    const [, , , flags, protocol, algorithm, ...data] = key.trim().split(/\s+/)
    assert.equal(flags, '257', `a key of a zone: ${key}`)
    const common = (name: string, address: string): string => `
      directory "${this.#directory}"; pid-file "${this.#directory}/${name}.pid"; session-keyfile none; listen-on { ${address}; };
      listen-on-v6 { none; }; allow-query { any; }; max-cache-ttl 0; max-ncache-ttl 0; querylog no;`
    writeFileSync(
      join(this.#directory, 'authoritative.conf'),
      `options { ${common('authoritative', `${AUTHORITATIVE}; ${SLOW}`)} recursion no; dnssec-validation no; };
       controls { };
       zone "example" { type primary; file "example.signed"; };
       ${ZONES.slice(1)
         .map((zone) => `zone "${zone}" { type primary; file "${zone}"; };`)
         .join('\n')}`,
    )
    writeFileSync(
      join(this.#directory, 'root'),
      `$TTL 0\n@ IN SOA ns. nobody. 1 3600 600 86400 0\n@ IN NS ns.\nns. IN A ${RESOLVER}\n`,
    )
    const at = (zone: string): string => (zone === 'slow' ? SLOW : AUTHORITATIVE)
    const stubs = ZONES.map((zone) => `zone "${zone}" { type static-stub; server-addresses { ${at(zone)}; }; };`)
    writeFileSync(
      join(this.#directory, 'resolver.conf'),
      `options { ${common('resolver', RESOLVER)} recursion yes; allow-recursion { any; }; dnssec-validation yes;
         empty-zones-enable no; };
       controls { };
       trust-anchors { "example" static-key ${flags} ${protocol} ${algorithm} "${data.join('')}"; };
       zone "." { type primary; file "root"; };
       ${stubs.join('\n')}`,
    )
  }

  /** Waits until the resolver gives the zones that were written last, and says that the signed one is valid. */
  async #settled(): Promise<void> {
    const ask = (zone: string): string => `dig +adflag +tries=1 +timeout=2 @${RESOLVER} ${zone} SOA`
    const script = ZONES.filter((zone) => zone !== 'slow').map(
      (zone) => `until ${ask(zone)} | grep -q "nobody.${zone}. ${this.#serial} "; do sleep 0.1; done`,
    )
    const secure = `${ask('example')} | grep -q "flags:.* ad"`
    const waiting = this.#host.start({ program: 'bash', args: ['-c', [...script, secure].join('\n')] })
    await waiting.succeeds(15_000).catch((error: unknown) => {
      throw new Error(`${error}\n${this.#servers.map((server) => server.output).join('\n')}`)
    })
  }
}
