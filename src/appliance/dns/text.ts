// SPDX-License-Identifier: Apache-2.0
// Records as people put them where their domain lives: a zone file, or the fields of a web form.
import { quotedText } from './api.ts'
import type { RecordType, Rrset } from './record.ts'

/** Lines of a zone file (RFC 1035 §5.1), with whole names, so that they fit into the file of any zone. */
export function zoneText(rrsets: readonly Rrset[]): string {
  const lines = rrsets.flatMap(({ name, type, ttl, values }) =>
    values.map((value) => `${name}. ${ttl} IN ${type} ${type === 'TXT' ? quotedText(value) : value}`),
  )
  return lines.map((line) => `${line}\n`).join('')
}

/** One line of a web form. */
export interface FormLine {
  /** What is typed as the name: relative to the zone, `@` for the zone itself. */
  readonly host: string
  readonly type: RecordType
  readonly value: string
  readonly ttl: number
  /** Of SRV, for forms that have fields of their own for these. */
  readonly fields?: {
    readonly priority: number
    readonly weight: number
    readonly port: number
    readonly target: string
  }
}

/** What is typed into a form, where names are relative to the zone. */
export function formLines(zone: string, rrsets: readonly Rrset[]): readonly FormLine[] {
  return rrsets.flatMap(({ name, type, ttl, values }) => {
    const host = name === zone ? '@' : name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : `${name}.`
    return values.map((value) => {
      const fields = type === 'SRV' ? { fields: srvFields(value) } : {}
      return { host, type, value, ttl, ...fields }
    })
  })
}

function srvFields(value: string): NonNullable<FormLine['fields']> {
  const [priority, weight, port, target = ''] = value.split(' ')
  return { priority: Number(priority), weight: Number(weight), port: Number(port), target }
}
