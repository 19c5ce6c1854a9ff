// SPDX-License-Identifier: Apache-2.0
// Compares the records that a server needs with what the servers of its zone say.
import { compare, type Verdict } from '../appliance/dns/compare.ts'
import { normal, type RecordType } from '../appliance/dns/record.ts'
import type { Authoritative, Saying } from '../net/dns/authoritative.ts'
import { DnsError } from '../net/dns/resolver.ts'
import type { HostRecords } from './dns-records.ts'

/** How the records of one domain are. */
export interface HostDns {
  readonly host: string
  /** The zone that it is in; null if the DNS knows of none. */
  readonly zone: string | null
  readonly signed: boolean
  /** Whether the DNS answered at all. */
  readonly answered: boolean
  readonly verdicts: readonly Verdict[]
  /** What else is to be said: servers that do not answer, or say something else than the others. */
  readonly notes: readonly string[]
}

const UNLINKED = (zone: string): string =>
  `${zone} has keys (DNSSEC), but the zone above has no DS record for them, so that nobody believes them.`

type Sayings = ReadonlyMap<string, readonly Saying[]>

/** Looks up the records of one domain. */
export async function checkHost(records: HostRecords, dns: Authoritative): Promise<HostDns> {
  const { host, wanted, unwanted } = records
  const questions = new Map<string, readonly [string, RecordType]>()
  const add = (name: string, type: RecordType): void => void questions.set(`${type} ${name}`, [name, type])
  for (const { name, type, instead = [] } of wanted) {
    add(name, type)
    for (const one of instead) add(name, one.type)
  }
  for (const { name, type } of unwanted) add(name, type)
  try {
    const zone = await dns.zoneOf(host)
    const asked = [...questions].map(async ([key, [name, type]]) => [key, await dns.ask(name, type)] as const)
    const said: Sayings = new Map(await Promise.all(asked))
    const verdicts = compare(wanted, unwanted, (name, type) => together(said.get(`${type} ${name}`) ?? []))
    const common = { host, zone: zone?.name ?? null, signed: zone?.signed ?? false, answered: true, verdicts }
    if (!zone) return { ...common, notes: [`The DNS knows of no zone that ${host} is in.`] }
    const unlinked = zone.unlinked ? [UNLINKED(zone.name)] : []
    return { ...common, notes: [...unlinked, ...notesOn(said)] }
  } catch (error) {
    if (!(error instanceof DnsError)) throw error
    const verdicts = compare(wanted, [], () => undefined)
    return {
      host,
      zone: null,
      signed: false,
      answered: false,
      verdicts,
      notes: [`It could not be found out: ${error.message}.`],
    }
  }
}

/** What any of them says: a server that lags behind is what somebody will meet. */
function together(sayings: readonly Saying[]): readonly string[] | undefined {
  const heard = sayings.filter(({ failed }) => failed === undefined)
  return heard.length === 0 ? undefined : [...new Set(heard.flatMap(({ values }) => values))]
}

function notesOn(said: Sayings): readonly string[] {
  const notes = new Set<string>()
  for (const [key, sayings] of said) {
    for (const { server, failed } of sayings) {
      if (failed !== undefined) notes.add(`${server.name} (${server.host}): ${failed}.`)
    }
    const type = key.slice(0, key.indexOf(' ')) as RecordType
    const heard = sayings.filter(({ failed }) => failed === undefined)
    const text = ({ values }: Saying): string =>
      values
        .map((one) => normal(type, one))
        .sort()
        .join(', ') || 'nothing'
    const texts = new Set(heard.map(text))
    if (texts.size > 1) {
      const each = heard.map((one) => `${one.server.name} (${one.server.host}) says ${text(one)}`)
      notes.add(`The servers of the zone do not agree on ${key}: ${each.join('; ')}.`)
    }
  }
  return [...notes]
}

/** Whether everything that must be there is. */
export function isSound({ verdicts, zone }: HostDns): boolean {
  return zone !== null && verdicts.every((one) => one.state === 'right' || (one.optional && one.state !== 'wrong'))
}
