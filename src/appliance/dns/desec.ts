// SPDX-License-Identifier: Apache-2.0
// deSEC (desec.io): sets of records, each put in one request.
import * as v from 'valibot'
import { Api, type ApiParts, quotedText } from './api.ts'
import { type DnsProvider, nameIn, normal, ProviderError, type RecordType, type Rrset } from './record.ts'

/** Less than this is allowed only to some accounts, in seconds. */
const LEAST_TTL = 3600

const answer = v.array(v.object({ type: v.string(), ttl: v.number(), records: v.array(v.string()) }))

/** The provider. @param parts with a token that may write the domain */
export function desec(parts: ApiParts): DnsProvider {
  const api = new Api('deSEC', 'https://desec.io/api/v1', 'Token', parts)
  const at = (zone: string): string => `/domains/${encodeURIComponent(zone)}/rrsets/`
  const put = (zone: string, name: string, type: RecordType, ttl: number, records: readonly string[]) =>
    api.ask('PUT', at(zone), [{ subname: nameIn(zone, name), type, ttl: Math.max(ttl, LEAST_TTL), records }])
  return {
    name: 'deSEC',
    async list(zone, names) {
      const all: Rrset[] = []
      for (const name of names) {
        const found = await api.ask('GET', `${at(zone)}?subname=${encodeURIComponent(nameIn(zone, name))}`)
        if (found === undefined) throw new ProviderError(`deSEC has no domain ${zone} for this token.`)
        all.push(
          ...v.parse(answer, found).map(({ type, ttl, records }) => ({
            ...{ name, type: type as RecordType, ttl },
            values: records.map((value) => normal(type as RecordType, value)),
          })),
        )
      }
      return all
    },
    async set(zone, { name, type, ttl, values }) {
      const records = type === 'TXT' ? values.map(quotedText) : values
      if ((await put(zone, name, type, ttl, records)) === undefined) {
        throw new ProviderError(`deSEC has no domain ${zone} for this token.`)
      }
    },
    async remove(zone, { name, type }) {
      await put(zone, name, type, LEAST_TTL, [])
    },
  }
}
