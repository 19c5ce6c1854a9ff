// SPDX-License-Identifier: Apache-2.0
// Whether the certificate that another server showed proves that it answers for a domain: what the DNS announces for it
// (RFC 7673), and otherwise what an authority vouches for (RFC 6120 §13.7).
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../clock.ts'
import type { Place, Proof } from '../../stream/link.ts'
import type { Resolver, Tlsa } from '../dns/resolver.ts'
import { ipOf, placesOf } from '../servers/places.ts'
import { type Authorities, readable } from './authorities.ts'
import type { Certificate } from './certificate.ts'
import { type Chain, chainOf } from './chain.ts'
import { announcedAt, isAbout, USAGE } from './dane.ts'
import { asciiDomain, isForDomain, mismatch } from './server-names.ts'

/** What proving needs. */
export interface ProofParts {
  readonly authorities: Authorities
  readonly resolver: Resolver
  readonly clock: Clock
}

/** What a peer showed: its certificate first. */
interface Shown {
  readonly leaf: Certificate
  readonly others: readonly Certificate[]
  /** Why OpenSSL does not trust it; it is asked about servers that we dialled only (`chain.ts`). */
  readonly distrust: string | undefined
}

/** How many certificates of a peer are looked at. */
const MOST_SHOWN = 8
/** At how many places of a domain we look for certificates that may be shown. */
const MOST_PLACES = 8

/** Judges certificates of other servers. */
export class PeerCertificates {
  readonly #parts: ProofParts

  constructor(parts: ProofParts) {
    this.#parts = parts
  }

  /**
   * Whether a domain is proved.
   * @param place where we dialled the domain; undefined if the peer came to us, or was dialled for another domain
   * @param dialled whether we are the client of TLS
   */
  async prove(socket: TLSSocket, domain: string, dialled: boolean, place?: Place): Promise<Proof> {
    try {
      return await this.#prove(socket, domain, dialled, place)
    } catch {
      return refused('the certificate cannot be read') // whatever is in it, it proves nothing
    }
  }

  async #prove(socket: TLSSocket, domain: string, dialled: boolean, place: Place | undefined): Promise<Proof> {
    const shown = shownBy(socket, dialled)
    if ('why' in shown) return refused(shown.why)
    let announced: Announced
    try {
      announced = place ? await this.#at(domain, [place]) : await this.#anywhere(domain)
    } catch {
      return refused('the DNS could not say which certificates this server may show (DANE)')
    }
    const pkix = (): Proof => this.#byAuthority(shown, domain)
    const { records, hosts, complete } = announced
    if (records.length === 0) return pkix()
    if (records.some((record) => this.#confirms(record, shown, [domain, ...hosts], pkix))) return { by: 'dane' }
    // RFC 7673 §4.1: what the DNS announces is all there is.
    return complete ? refused('the certificate is not one that the DNS announces for this server (DANE)') : pkix()
  }

  /** What is announced for all places of a domain, one of which its server may come from. */
  async #anywhere(domain: string): Promise<Announced> {
    const nothing: Announced = { records: [], hosts: [], complete: false }
    if (!this.#parts.resolver.validates) return nothing
    // If the DNS says nothing at all, it is as for a domain that announces nothing: an authority must vouch for it.
    const found = await placesOf(domain, this.#parts.resolver).catch(() => undefined)
    return found?.refused === false ? this.#at(domain, found.places.slice(0, MOST_PLACES)) : nothing
  }

  async #at(domain: string, places: readonly Place[]): Promise<Announced> {
    const lists = await Promise.all(places.map((place) => announcedAt(place, this.#parts.resolver)))
    return {
      records: lists.flat(),
      hosts: places.filter(({ secure, host }) => secure && host !== domain).map(({ host }) => host),
      complete: lists.every((list) => list.length > 0),
    }
  }

  /** RFC 7671 §5. */
  #confirms(record: Tlsa, shown: Shown, names: readonly string[], pkix: () => Proof): boolean {
    const { leaf, others } = shown
    if (record.usage === USAGE.daneEe) return isAbout(record, leaf) // neither names nor dates count (§5.1)
    if (record.usage === USAGE.pkixEe) return isAbout(record, leaf) && pkix().by !== undefined
    if (record.usage === USAGE.pkixTa) {
      const [domain = ''] = names
      const { path } = this.#chain(shown, domain)
      return path?.slice(1).some((one) => isAbout(record, one)) === true && pkix().by !== undefined
    }
    const anchors = others.filter((one) => isAbout(record, one))
    return names.some((name) => {
      const { clock } = this.#parts
      const question = { leaf, others, now: clock.now(), domains: [asciiDomain(name)], anchors: { for: () => anchors } }
      return anchors.length > 0 && isForDomain(leaf, name) && chainOf(question).path !== undefined
    })
  }

  #byAuthority(shown: Shown, domain: string): Proof {
    const chain = this.#chain(shown, domain)
    if (!chain.path) return refused(chain.why)
    if (shown.distrust !== undefined) return refused(`the certificate is not trusted (${shown.distrust})`)
    return isForDomain(shown.leaf, domain) ? { by: 'pkix' } : refused(mismatch(shown.leaf, domain))
  }

  #chain({ leaf, others }: Shown, domain: string): Chain {
    const { authorities: anchors, clock } = this.#parts
    const domains = ipOf(domain) === undefined ? [asciiDomain(domain)] : []
    return chainOf({ leaf, others, anchors, now: clock.now(), domains })
  }
}

/** What the DNS announces for a domain. */
interface Announced {
  readonly records: readonly Tlsa[]
  /** Where that is, if DNSSEC says that it is the domain's (RFC 7673 §4.2). */
  readonly hosts: readonly string[]
  /** Whether there is something for each place. */
  readonly complete: boolean
}

function refused(why: string): Proof {
  return { by: undefined, why }
}

/** What a peer showed, with what Node.js found to belong to it. */
function shownBy(socket: TLSSocket, dialled: boolean): Shown | { readonly why: string } {
  const raws: Buffer[] = []
  for (let one = socket.getPeerCertificate(true); one?.raw && raws.length < MOST_SHOWN; one = one.issuerCertificate) {
    if (raws.some((raw) => raw.equals(one.raw))) break // the one at the end is its own issuer
    raws.push(one.raw)
  }
  const [first, ...more] = raws
  if (!first) return { why: 'no certificate was shown' }
  const leaf = readable(first)
  if (!leaf) return { why: 'the certificate cannot be read' }
  const distrust = dialled && !socket.authorized ? String(socket.authorizationError ?? 'not trusted') : undefined
  return { leaf, others: more.flatMap((raw) => readable(raw) ?? []), distrust }
}
