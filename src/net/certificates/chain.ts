// SPDX-License-Identifier: Apache-2.0
// Whether a certificate leads to an authority that is trusted (RFC 5280 §6.1, without policies). OpenSSL, by way of Node.js,
// checks signatures and reads certificates; but it cannot be asked to check what a client shows for any other purpose than
// that of a client, and servers have certificates of servers (XEP-0178, RFC 6120 §13.7.1).
import type { KeyObject } from 'node:crypto'
import type { Certificate } from './certificate.ts'
import { allows } from './name-constraints.ts'

/** Whose word is taken. */
export interface Anchors {
  /** Certificates that may have signed this one; it may be one of them itself. */
  for(certificate: Certificate): readonly Certificate[]
}

/** A chain, and what it is to be checked for. */
export interface ChainQuestion {
  readonly leaf: Certificate
  /** What else the peer sent, in any order. */
  readonly others: readonly Certificate[]
  readonly anchors: Anchors
  /** ms since 1970. */
  readonly now: number
  /** What the certificate is taken to be for, in A-labels. */
  readonly domains: readonly string[]
}

/** From the certificate to the authority, or why not. */
export type Chain = { readonly path: readonly Certificate[] } | { readonly path: undefined; readonly why: string }

/** Certificates in a chain. */
const LONGEST = 8
/** Pairs of certificates that are compared: those of a peer that wants to keep us busy. */
const MOST_STEPS = 64
/** Bits of an RSA key (RFC 9325 §4.5 of what is worth something). */
const RSA_BITS = 2048
/** More than these, and it takes long to check a signature: nobody has them but who wants that. */
const MOST_RSA_BITS = 8192
const MOST_EXPONENT = 2n ** 32n

const SERVER = '1.3.6.1.5.5.7.3.1'
const CLIENT = '1.3.6.1.5.5.7.3.2'

/** Signatures that are worth something: none with MD5 or SHA-1. */
const SIGNATURES = new Set([
  ...[11, 12, 13].map((last) => `1.2.840.113549.1.1.${last}`), // RSA with SHA-256, -384, -512
  ...[1, 2, 3].map((last) => `1.2.840.113549.1.1.10:2.16.840.1.101.3.4.2.${last}`), // RSASSA-PSS with the same
  ...[2, 3, 4].map((last) => `1.2.840.10045.4.3.${last}`), // ECDSA with the same
  ...[112, 113].map((last) => `1.3.101.${last}`), // Ed25519, Ed448
  ...[17, 18, 19].map((last) => `2.16.840.1.101.3.4.3.${last}`), // ML-DSA
])

const NOBODY = 'nobody that this machine trusts vouches for the certificate'

/** Looks for a chain. */
export function chainOf(question: ChainQuestion): Chain {
  const { leaf, now } = question
  const why = outOfTime(leaf, now, 'the certificate') ?? unusable(leaf, 'the certificate')
  return why === undefined ? new Search(question).run() : { path: undefined, why }
}

class Search {
  readonly #question: ChainQuestion
  #steps = 0
  /** What spoke against the authority that did sign. */
  #why: string | undefined

  constructor(question: ChainQuestion) {
    this.#question = question
  }

  run(): Chain {
    const { leaf } = this.#question
    const path = this.#continue([leaf])
    if (path) return { path }
    if (this.#why !== undefined) return { path: undefined, why: this.#why }
    const own = leaf.x509.subject === leaf.x509.issuer
    return { path: undefined, why: own ? 'the certificate is self-signed: nobody else vouches for it' : NOBODY }
  }

  #continue(path: readonly Certificate[]): readonly Certificate[] | undefined {
    const last = path.at(-1)
    if (!last) return undefined
    const { anchors, others } = this.#question
    const trusted = anchors.for(last)
    if (trusted.some((one) => isSame(one, last))) return this.#checked(path)
    for (const anchor of trusted) {
      if (!this.#signed(anchor, path, true)) continue
      const whole = this.#checked([...path, anchor])
      if (whole) return whole
    }
    if (path.length >= LONGEST) return undefined
    for (const other of others) {
      if (path.some((one) => isSame(one, other)) || !this.#signed(other, path)) continue
      const whole = this.#continue([...path, other])
      if (whole) return whole
    }
    return undefined
  }

  /** Whether a certificate may be the next one. @param trusted whether it needs nobody who signed it */
  #signed(issuer: Certificate, path: readonly Certificate[], trusted = false): boolean {
    const child = path.at(-1)
    if (!child || ++this.#steps > MOST_STEPS || !isChecked(issuer) || !isSignedBy(child, issuer)) return false
    const name = 'the certificate of an authority that vouches for it'
    const why =
      outOfTime(issuer, this.#question.now, name) ??
      unusable(issuer, name, trusted) ??
      (mayIssue(issuer, path.length - 1) ? undefined : `${name} does not allow to vouch for it`)
    this.#why ??= why
    return why === undefined
  }

  /** What can be said when the whole path is known. */
  #checked(path: readonly Certificate[]): readonly Certificate[] | undefined {
    const { domains } = this.#question
    const fits = [SERVER, CLIENT].some((purpose) => path.every((one) => isFor(one, purpose)))
    const within = path.every(
      ({ constraints }, at) =>
        !constraints || path.slice(0, at).every((one, below) => allows(constraints, one, below === 0 ? domains : [])),
    )
    if (!fits) this.#why ??= 'the certificate is not one of a server'
    if (!within) this.#why ??= 'the authority that vouches for the certificate may not do so for this domain'
    return fits && within ? path : undefined
  }
}

function isSame(one: Certificate, other: Certificate): boolean {
  return one.x509.raw.equals(other.x509.raw)
}

/** Whether it takes no longer than usual to check what it signed. */
function isChecked({ x509 }: Certificate): boolean {
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: key }: KeyObject = x509.publicKey
    if (!type?.startsWith('rsa')) return true
    return (key?.modulusLength ?? 0) <= MOST_RSA_BITS && (key?.publicExponent ?? 0n) <= MOST_EXPONENT
  } catch {
    return false // a key that OpenSSL cannot use
  }
}

function isSignedBy(child: Certificate, issuer: Certificate): boolean {
  try {
    return child.x509.checkIssued(issuer.x509) && child.x509.verify(issuer.x509.publicKey)
  } catch {
    return false // a key that OpenSSL cannot use proves nothing
  }
}

function outOfTime({ x509 }: Certificate, now: number, name: string): string | undefined {
  const [from, to] = [x509.validFromDate, x509.validToDate]
  if (now < from.getTime()) return `${name} is not valid before ${dayOf(from)}`
  if (now > to.getTime()) return `${name} expired on ${dayOf(to)}`
  // What is no time compares with nothing.
  return from.getTime() <= now && now <= to.getTime() ? undefined : `${name} does not say for how long it is valid`
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10)
}

function unusable(certificate: Certificate, name: string, trusted = false): string | undefined {
  if (certificate.unknown.length > 0) return `${name} has conditions that this server does not know`
  if (!isStrong(certificate)) return `${name} has a key that is too weak`
  return trusted || SIGNATURES.has(certificate.signature) ? undefined : `${name} has a signature that is too weak`
}

function isStrong({ x509 }: Certificate): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails }: KeyObject = x509.publicKey
    if (asymmetricKeyType === 'dsa') return false
    return asymmetricKeyDetails?.modulusLength === undefined || asymmetricKeyDetails.modulusLength >= RSA_BITS
  } catch {
    return false // a key that OpenSSL cannot use
  }
}

/** @param below intermediate authorities between it and the certificate at the end */
function mayIssue({ x509, pathLength }: Certificate, below: number): boolean {
  return x509.ca && pathLength >= below
}

/** That a key is for any purpose does not count, as OpenSSL has it. */
function isFor({ purposes }: Certificate, purpose: string): boolean {
  return purposes === undefined || purposes.includes(purpose)
}
