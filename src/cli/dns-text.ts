// SPDX-License-Identifier: Apache-2.0
// What `aenigma dns` prints.
import type { Verdict } from '../appliance/dns/compare.ts'
import { formLines } from '../appliance/dns/text.ts'
import type { HostDns } from '../ops/dns-check.ts'
import type { Change } from '../ops/dns-provider.ts'
import type { HostRecords } from '../ops/dns-records.ts'
import { printable, table } from './output.ts'

const MARKS: Readonly<Record<Verdict['state'], string>> = {
  right: '✓',
  wrong: '✗ wrong',
  missing: '✗ missing',
  leftover: '✗ leftover',
  unknown: '? unknown',
}

/** What is typed into the form of a registrar. */
export function formText(zone: string, { host, wanted }: HostRecords): string {
  const lines = formLines(zone, wanted)
  const rows = lines.map(({ host: name, type, value, ttl }) => [name, type, value, String(ttl)])
  const note = lines.some(({ fields }) => fields)
    ? ['', 'SRV: some forms have fields of their own for priority, weight, port and target, in this order.']
    : []
  return [
    `${host}  (names relative to ${zone}; @ is ${zone} itself)`,
    '',
    table(['Name', 'Type', 'Value', 'TTL'], rows),
    ...note,
  ].join('\n')
}

/** How each record is. */
export function checkText({ host, zone, signed, verdicts, notes }: HostDns): string {
  const dnssec = signed ? 'signed with DNSSEC' : 'not signed with DNSSEC'
  const head = zone === null ? host : `${host}  (zone ${zone}, ${dnssec})`
  const mark = ({ state, optional }: Verdict): string => (state === 'missing' && optional ? '· could be' : MARKS[state])
  const rows = verdicts.map((one) => [mark(one), one.name, one.type, valueText(one)])
  return [head, '', table(['', 'Name', 'Type', 'Value'], rows), ...notes.map((one) => `Note: ${printable(one)}`)].join(
    '\n',
  )
}

function valueText({ state, wanted, found, why }: Verdict): string {
  const list = (values: readonly string[]): string => printable(values.join(', ')) || 'nothing'
  if (state === 'wrong') return `found ${list(found)}; wanted ${list(wanted)}`
  if (state === 'leftover') return `found ${list(found)}; remove it: ${why}`
  return list(wanted)
}

/** What would be changed. */
export function changesText(zone: string, changes: readonly Change[]): string {
  const lines = changes.flatMap(({ name, type, ttl, from, to }) => [
    ...from.filter((value) => !to.includes(value)).map((value) => `- ${name}. ${type} ${value}`),
    ...to.filter((value) => !from.includes(value)).map((value) => `+ ${name}. ${ttl} ${type} ${value}`),
  ])
  return [`The zone ${zone}:`, ...lines.map((line) => `  ${printable(line)}`)].join('\n')
}
