// SPDX-License-Identifier: Apache-2.0
// Hetzner: the DNS of its cloud interface, with sets of records.
import * as v from 'valibot'
import { Api, type ApiParts, quotedText } from './api.ts'
import { type DnsProvider, nameIn, normal, ProviderError, type RecordType, type Rrset } from './record.ts'

const one = v.object({
  type: v.string(),
  ttl: v.nullish(v.number()),
  records: v.array(v.object({ value: v.string() })),
})
const many = v.object({ rrsets: v.array(one) })
const single = v.object({ rrset: one })

/** Where a set has no time of its own, in seconds: it has that of the zone. */
const ZONE_TTL = 3600

/** The provider. @param parts with a token of the project that has the zone */
export function hetzner(parts: ApiParts): DnsProvider {
  const api = new Api('Hetzner', 'https://api.hetzner.cloud/v1', 'Bearer', parts)
  const zoneAt = (zone: string): string => `/zones/${encodeURIComponent(zone)}/rrsets`
  const called = (zone: string, name: string): string => nameIn(zone, name) || '@'
  const at = (zone: string, name: string, type: RecordType): string =>
    `${zoneAt(zone)}/${encodeURIComponent(called(zone, name))}/${type}`
  return {
    name: 'Hetzner',
    async list(zone, names) {
      const all: Rrset[] = []
      for (const name of names) {
        const path = `${zoneAt(zone)}?per_page=50&name=${encodeURIComponent(called(zone, name))}`
        const found = await api.ask('GET', path)
        if (found === undefined) throw new ProviderError(`Hetzner has no zone ${zone} for this token.`)
        for (const rrset of v.parse(many, found).rrsets) all.push(rrsetOf(name, rrset))
      }
      return all
    },
    async set(zone, { name, type, ttl, values }) {
      const records = values.map((value) => ({ value: type === 'TXT' ? quotedText(value) : value }))
      const there = await api.ask('GET', at(zone, name, type))
      if (there === undefined) {
        const made = await api.ask('POST', zoneAt(zone), { name: called(zone, name), type, ttl, records })
        if (made === undefined) throw new ProviderError(`Hetzner has no zone ${zone} for this token.`)
        return
      }
      await api.ask('POST', `${at(zone, name, type)}/actions/set_records`, { records })
      if (v.parse(single, there).rrset.ttl === ttl) return
      await api.ask('POST', `${at(zone, name, type)}/actions/change_ttl`, { ttl })
    },
    async remove(zone, { name, type }) {
      await api.ask('DELETE', at(zone, name, type))
    },
  }
}

function rrsetOf(name: string, { type, ttl, records }: v.InferOutput<typeof one>): Rrset {
  const kind = type as RecordType
  return { name, type: kind, ttl: ttl ?? ZONE_TTL, values: records.map(({ value }) => normal(kind, value)) }
}
