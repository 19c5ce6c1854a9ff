// SPDX-License-Identifier: Apache-2.0
// Records of the DNS as values, and whoever can write them.

/** The types that services need. */
export type RecordType = 'A' | 'AAAA' | 'CNAME' | 'NS' | 'SRV' | 'CAA' | 'TLSA' | 'TXT'

/** All records of one type at one name. */
export interface Rrset {
  /** In A-labels and lower case, without a dot at the end. */
  readonly name: string
  readonly type: RecordType
  /** In seconds. */
  readonly ttl: number
  /** As in a zone file, made alike by `normal`; names are whole and end with a dot. TXT: the text itself. */
  readonly values: readonly string[]
}

/** Somebody who keeps a zone and changes it for us. Each rejects with a `ProviderError`. */
export interface DnsProvider {
  readonly name: string
  /** What is there at these names. */
  list(zone: string, names: readonly string[]): Promise<readonly Rrset[]>
  /** Puts exactly these in place of what is there of this type at this name. */
  set(zone: string, rrset: Rrset): Promise<void>
  /** Removes all of this type at this name; nothing there is fine. */
  remove(zone: string, rrset: Pick<Rrset, 'name' | 'type'>): Promise<void>
}

/** The keeper of the zone would not, or was not reached; the message is for administrators and tells no secret. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError'
}

/** The text of one record in the one form that two equal ones share. */
export function normal(type: RecordType, value: string): string {
  const text = value.trim()
  if (type === 'TXT') return unquoted(text)
  const words = text.split(/\s+/)
  if (type === 'A') return text
  if (type === 'AAAA') return shortIpv6(text)
  if (type === 'CNAME' || type === 'NS') return whole(text)
  if (type === 'SRV') return [...words.slice(0, 3).map((one) => String(Number(one))), whole(words[3] ?? '')].join(' ')
  if (type === 'TLSA') return [...words.slice(0, 3), words.slice(3).join('')].join(' ').toLowerCase()
  const [, flags = '0', tag = '', rest = ''] = /^(\d+)\s+(\S+)\s+(.*)$/.exec(text) ?? []
  return `${flags} ${tag.toLowerCase()} "${unquoted(rest)}"`
}

/** A name with its dot at the end, in lower case. */
export function whole(name: string): string {
  return name === '.' ? '.' : `${name.replace(/\.$/, '').toLowerCase()}.`
}

/** What a name is called inside its zone; '' at the top. @throws ProviderError if it is not in the zone */
export function nameIn(zone: string, name: string): string {
  if (name === zone) return ''
  if (!name.endsWith(`.${zone}`)) throw new ProviderError(`${name} is not in the zone ${zone}.`)
  return name.slice(0, -zone.length - 1)
}

function unquoted(text: string): string {
  if (!text.startsWith('"')) return text
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, part = '']) => part.replace(/\\(.)/g, '$1')).join('')
}

/** RFC 5952, as the platform writes it. */
function shortIpv6(text: string): string {
  const url = URL.parse(`http://[${text}]/`)
  return url ? url.hostname.slice(1, -1) : text.toLowerCase()
}
