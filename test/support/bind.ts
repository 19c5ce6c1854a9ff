// SPDX-License-Identifier: Apache-2.0
// BIND with zones of a test, which may be changed with a key (RFC 2136).
import { randomBytes } from 'node:crypto'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Bench, Child, type Command, needs } from './process.ts'

/** What it is to be. */
export interface BindWish {
  readonly address: string
  readonly port: number
  /** Lines of each zone, beside its start. */
  readonly zones: Readonly<Record<string, readonly string[]>>
  /** Whether it follows where zones lead. */
  readonly recursion?: boolean
  /** Whether only the files of the zones change them. */
  readonly fixed?: boolean
  /** Starts programs, if not here. */
  readonly run?: (command: Command) => Child
}

/** A name server. */
export interface Bind {
  readonly child: Child
  readonly key: { readonly name: string; readonly file: string }
  /** Puts other lines into a fixed zone. */
  write(zone: string, lines: readonly string[]): Promise<void>
}

/** Starts one. */
export async function startBind(of: Bench, wish: BindWish): Promise<Bind> {
  needs('/usr/sbin/named', 'bind9')
  const { address, port, zones, recursion = false, fixed = false, run = (command) => new Child(of, command) } = wish
  const named = join(of.directory, `named-${port}`) // where AppArmor ties the one of the system to its own files, a copy is free
  copyFileSync('/usr/sbin/named', named)
  const key = randomBytes(32).toString('base64')
  const keyFile = join(of.directory, `bind-${port}.key`)
  writeFileSync(keyFile, key)
  const fileOf = (zone: string): string => join(of.directory, `zone-${port}-${zone}`)
  let serial = 0
  const write = (zone: string, lines: readonly string[]): void => {
    const start = `$TTL 0\n@ IN SOA ns.${zone}. nobody.${zone}. ${++serial} 3600 600 86400 0\n@ IN NS ns\nns IN A ${address}`
    writeFileSync(fileOf(zone), `${[start, ...lines].join('\n')}\n`)
  }
  for (const [zone, lines] of Object.entries(zones)) write(zone, lines)
  const sections = Object.keys(zones).map(
    (zone) =>
      `zone "${zone}" { type primary; file "${fileOf(zone)}"; ${fixed ? '' : 'update-policy { grant aenigma zonesub ANY; };'} };`,
  )
  const conf = join(of.directory, `bind-${port}.conf`)
  writeFileSync(
    conf,
    `key "aenigma" { algorithm hmac-sha256; secret "${key}"; };
     options { directory "${of.directory}"; pid-file none; session-keyfile none; listen-on port ${port} { ${address}; };
       listen-on-v6 { none; }; recursion ${recursion ? 'yes' : 'no'}; allow-recursion { any; }; dnssec-validation no;
       empty-zones-enable no; max-ncache-ttl 0; };
     controls { };
     ${sections.join('\n')}`,
  )
  const child = run({ program: named, args: ['-g', '-n', '1', '-c', conf] })
  await child.until('readiness', () => (child.output.includes(' running\n') ? true : undefined))
  return {
    child,
    key: { name: 'aenigma', file: keyFile },
    async write(zone, lines) {
      write(zone, lines)
      process.kill(child.pid, 'SIGHUP')
      const loaded = `zone ${zone}/IN: loaded serial ${serial}`
      await child.until(loaded, () => (child.output.includes(loaded) ? true : undefined))
    },
  }
}
