// SPDX-License-Identifier: Apache-2.0
// Cloudflare: each record by itself, with a number. What stands already is left alone, what is missing is added before what
// is wrong is removed, so that nobody meets an empty name in between (but for a CNAME, which must be alone).
import * as v from 'valibot'
import { Api, type ApiParts, quotedText } from './api.ts'
import { type DnsProvider, normal, ProviderError, type RecordType, type Rrset } from './record.ts'

const record = v.object({
  id: v.string(),
  type: v.string(),
  ttl: v.number(),
  content: v.optional(v.string(), ''),
  proxied: v.nullish(v.boolean()),
  data: v.nullish(v.record(v.string(), v.union([v.string(), v.number()]))),
})
type CloudflareRecord = v.InferOutput<typeof record>
const records = v.object({ result: v.array(record) })
const zones = v.object({ result: v.array(v.object({ id: v.string() })) })

/** The provider. @param parts with a token that may read zones and edit the DNS of this one */
export function cloudflare(parts: ApiParts): DnsProvider {
  const api = new Api('Cloudflare', 'https://api.cloudflare.com/client/v4', 'Bearer', parts)
  const ids = new Map<string, string>()
  const at = async (zone: string): Promise<string> => {
    const known = ids.get(zone)
    if (known !== undefined) return `/zones/${known}/dns_records`
    const found = v.parse(zones, (await api.ask('GET', `/zones?name=${encodeURIComponent(zone)}`)) ?? { result: [] })
    const id = found.result[0]?.id
    if (id === undefined) throw new ProviderError(`Cloudflare has no zone ${zone} for this token.`)
    ids.set(zone, id)
    return `/zones/${id}/dns_records`
  }
  const there = async (zone: string, name: string, type?: RecordType): Promise<readonly CloudflareRecord[]> => {
    const kind = type === undefined ? '' : `&type=${type}`
    const path = `${await at(zone)}?per_page=100&name=${encodeURIComponent(name)}${kind}`
    return v.parse(records, (await api.ask('GET', path)) ?? { result: [] }).result
  }
  return {
    name: 'Cloudflare',
    async list(zone, names) {
      const all: Rrset[] = []
      for (const name of names) {
        const byType = Map.groupBy(await there(zone, name), ({ type }) => type as RecordType)
        for (const [type, found] of byType) {
          all.push({ name, type, ttl: found[0]?.ttl ?? 1, values: found.map((one) => textIn(one)) })
        }
      }
      return all
    },
    async set(zone, { name, type, ttl, values }) {
      const here = await there(zone, name, type)
      // Behind its proxy a name leads to web servers only.
      const isGood = (one: CloudflareRecord): boolean => values.includes(textIn(one)) && !one.proxied
      const bad = here.filter((one) => !isGood(one))
      const missing = values.filter((value) => !here.some((one) => isGood(one) && textIn(one) === value))
      const path = await at(zone)
      for (const value of missing) {
        const body = { name, type, ttl, ...contentOf(type, value) }
        const old = bad.shift()
        if (old) await api.ask('PUT', `${path}/${old.id}`, body)
        else await api.ask('POST', path, body)
      }
      for (const { id } of bad) await api.ask('DELETE', `${path}/${id}`)
    },
    async remove(zone, { name, type }) {
      const path = await at(zone)
      for (const { id } of await there(zone, name, type)) await api.ask('DELETE', `${path}/${id}`)
    },
  }
}

function textIn({ type, content, data }: CloudflareRecord): string {
  const kind = type as RecordType
  if (!data) return normal(kind, content)
  if (kind === 'SRV') return normal(kind, `${data.priority} ${data.weight} ${data.port} ${data.target}`)
  if (kind === 'CAA') return normal(kind, `${data.flags} ${data.tag} "${data.value}"`)
  if (kind === 'TLSA') {
    return normal(kind, `${data.usage} ${data.selector} ${data.matching_type} ${data.certificate}`)
  }
  return normal(kind, content)
}

function contentOf(type: RecordType, value: string): Readonly<Record<string, unknown>> {
  const words = value.split(' ')
  const [first, second, third] = words.map(Number)
  if (type === 'SRV') {
    return { data: { priority: first, weight: second, port: third, target: (words[3] ?? '').replace(/\.$/, '') } }
  }
  if (type === 'CAA') {
    const text = words.slice(2).join(' ').replace(/^"|"$/g, '')
    return { data: { flags: first, tag: words[1], value: text } }
  }
  if (type === 'TLSA') {
    return { data: { usage: first, selector: second, matching_type: third, certificate: words[3] } }
  }
  if (type === 'TXT') return { content: quotedText(value) }
  if (type === 'NS') return { content: value.replace(/\.$/, '') }
  return type === 'CNAME' ? { content: value.replace(/\.$/, ''), proxied: false } : { content: value, proxied: false }
}
