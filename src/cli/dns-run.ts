// SPDX-License-Identifier: Apache-2.0
// What `aenigma dns` does; loaded when it is asked for.
import type { DnsProvider } from '../appliance/dns/record.ts'
import { zoneText } from '../appliance/dns/text.ts'
import type { Config } from '../config/config.ts'
import { type Checked, checkedRecords, type DnsRequest, ownAddresses, wantedRecords } from '../ops/dns.ts'
import { isSound } from '../ops/dns-check.ts'
import { apply, type Change, changesFor, providerOf } from '../ops/dns-provider.ts'
import type { DnsOptions } from './dns.ts'
import { changesText, checkText, formText } from './dns-text.ts'
import { Failure } from './failure.ts'
import { result, say } from './output.ts'

/** Does what `aenigma dns` was asked for. */
export async function show(options: DnsOptions, config: Config, request: DnsRequest): Promise<void> {
  const records = await wantedRecords(config, request)
  assertSome(records.length, config, request)
  if (options.zone)
    return result(options.json, records, () => zoneText(records.flatMap(({ wanted }) => wanted)).trimEnd())
  const warning = addressWarning(config, request)
  if (options.check === false) {
    return result(options.json, records, () =>
      [...records.map((one) => formText(config.dns.zone ?? one.host, one)), ...warning].join('\n\n'),
    )
  }
  const checked = await checkedRecords(config, request)
  const all = checked.map(({ dns }) => dns)
  result(options.json, all, () => [...all.map(checkText), ...warning, ...advice(checked)].join('\n\n'))
  if (!all.every(isSound)) process.exitCode = 1
}

function assertSome(length: number, { trial }: Config, { host }: DnsRequest): void {
  if (length > 0) return
  if (trial) throw new Failure('trial', 'The trial server needs no DNS.', 'Say which configuration with --config FILE.')
  throw new Failure('bad-domain', host ? `"${host}" is none of our domains.` : 'None of our domains is in the DNS.')
}

function addressWarning(config: Config, { addresses }: DnsRequest): readonly string[] {
  if (ownAddresses(config, addresses).length > 0) return []
  return ['This machine has no public address of its own: say it with --address, or with dns.addresses.']
}

function advice(checked: readonly Checked[]): readonly string[] {
  if (checked.every(({ dns }) => isSound(dns))) return []
  return ['"aenigma dns --no-check" shows what to type into a form, "aenigma dns apply" puts it there.']
}

/** What was changed. */
interface Applied {
  readonly changes: number
  readonly changed: readonly (Change & { readonly zone: string })[]
}

/** Does what `aenigma dns apply` was asked for. */
export async function applyAll(options: DnsOptions, config: Config, request: DnsRequest): Promise<Applied> {
  const provider = await providerOf(config.dns, fetch)
  const checked = await checkedRecords(config, request)
  assertSome(checked.length, config, request)
  const zones: (readonly [string, readonly Change[]])[] = []
  for (const { records, dns } of checked) {
    const zone = config.dns.zone ?? dns.zone
    if (zone === null)
      throw new Failure('no-zone', `The DNS knows of no zone that ${records.host} is in.`, 'Say it with dns.zone.')
    zones.push([zone, await changesFor(provider, zone, records)])
  }
  const wanted = zones.filter(([, changes]) => changes.length > 0)
  const changed = wanted.flatMap(([zone, list]) => list.map((change) => ({ zone, ...change })))
  if (wanted.length === 0) return { changes: 0, changed }
  if (!options.json) for (const [zone, changes] of wanted) say(changesText(zone, changes))
  await agree(options, provider)
  let changes = 0
  for (const [zone, list] of wanted) {
    for (const change of list) {
      await apply(provider, zone, change)
      changes++
    }
  }
  return { changes, changed }
}

async function agree({ yes, json }: DnsOptions, { name }: DnsProvider): Promise<void> {
  if (yes) return
  if (json || !process.stdin.isTTY)
    throw new Failure('usage', 'Nothing was changed: say --yes to change it.', undefined, 2)
  const { confirm } = await import('@clack/prompts')
  if ((await confirm({ message: `Change this at ${name}?` })) !== true)
    throw new Failure('cancelled', 'Nothing was changed.')
}
