// SPDX-License-Identifier: Apache-2.0
// Where the server of a domain is: what the DNS says (RFC 6120 §3.2, XEP-0368 §3), in the order in which it is tried.
import { isIP } from 'node:net'
import type { Place } from '../../stream/link.ts'
import type { Answer, Resolver, Srv } from '../dns/resolver.ts'

/** The registered port of servers (RFC 6120 §14.5). */
const PORT = 5269
/** How many places are tried. */
const MOST_PLACES = 16

/** What a domain says of its server. */
export type Places = { readonly refused: true } | { readonly refused: false; readonly places: readonly Place[] }

/** A record, and whether it says where TLS begins at once. */
interface Candidate extends Srv {
  readonly direct: boolean
  readonly secure: boolean
}

/**
 * Where to look for the server of a domain. Rejects with a `DnsError`.
 * @param domain as in an address: with U-labels, or an IP literal
 * @param random from 0 to below 1
 */
export async function placesOf(
  domain: string,
  resolver: Resolver,
  random: () => number = Math.random,
): Promise<Places> {
  const literal = ipOf(domain)
  if (literal !== undefined) return found([{ host: literal, port: PORT, direct: false, secure: false }])
  const [direct, plain] = await bothOf(
    resolver.srv(`_xmpps-server._tcp.${domain}`),
    resolver.srv(`_xmpp-server._tcp.${domain}`),
  )
  const candidates = [
    ...direct.records.map((one): Candidate => ({ ...one, direct: true, secure: direct.secure })),
    ...plain.records.map((one): Candidate => ({ ...one, direct: false, secure: plain.secure })),
  ]
  const secure = direct.secure && plain.secure
  if (candidates.length === 0) return found([{ host: domain, port: PORT, direct: false, secure }])
  const offered = candidates.filter(({ target }) => target !== '.')
  if (offered.length === 0) return { refused: true }
  const places = inOrder(offered, random).filter(({ port, target }) => port > 0 && isHost(target))
  return found(places.slice(0, MOST_PLACES).map(({ target, ...rest }) => placeOf(target, rest)))
}

/** The IP address that a domain is, if it is one (RFC 7622 §3.2). */
export function ipOf(domain: string): string | undefined {
  const address = domain.startsWith('[') ? domain.slice(1, -1) : domain
  return isIP(address) ? address : undefined
}

function found(places: readonly Place[]): Places {
  return { refused: false, places }
}

function placeOf(host: string, { port, direct, secure }: Omit<Candidate, 'target'>): Place {
  return { host, port, direct, secure }
}

/** If one question fails, the answer to the other will do if there is something in it. */
async function bothOf(one: Promise<Answer<Srv>>, other: Promise<Answer<Srv>>): Promise<[Answer<Srv>, Answer<Srv>]> {
  const [first, second] = await Promise.allSettled([one, other])
  const nothing: Answer<Srv> = { records: [], secure: false }
  if (first.status === 'fulfilled' && second.status === 'fulfilled') return [first.value, second.value]
  if (first.status === 'fulfilled' && first.value.records.length > 0) return [first.value, nothing]
  if (second.status === 'fulfilled' && second.value.records.length > 0) return [nothing, second.value]
  throw first.status === 'rejected' ? first.reason : second.status === 'rejected' ? second.reason : undefined
}

/** By priority; within one, by chance in proportion to the weights (RFC 2782). */
function inOrder(candidates: readonly Candidate[], random: () => number): Candidate[] {
  const byPriority = Map.groupBy(candidates, ({ priority }) => priority)
  const priorities = [...byPriority.keys()].sort((a, b) => a - b)
  const ordered: Candidate[] = []
  for (const priority of priorities) {
    if (ordered.length >= MOST_PLACES) break
    ordered.push(...drawn(byPriority.get(priority) ?? [], random))
  }
  return ordered
}

/** Draws one after the other. A weight of 0 has a small chance: such records come first in the running sum. */
function drawn(candidates: readonly Candidate[], random: () => number): Candidate[] {
  const left = [...candidates].sort((a, b) => Math.min(a.weight, 1) - Math.min(b.weight, 1))
  const order: Candidate[] = []
  while (left.length > 0 && order.length < MOST_PLACES) {
    const wanted = Math.floor(random() * (left.reduce((sum, { weight }) => sum + weight, 0) + 1))
    let sum = 0
    const place = left.findIndex(({ weight }) => {
      sum += weight
      return sum >= wanted
    })
    order.push(...left.splice(Math.max(place, 0), 1))
  }
  return order
}

/** A host name and no address: an address in its place would not be asked for in the DNS. */
function isHost(target: string): boolean {
  return isIP(target) === 0 && /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i.test(target)
}
