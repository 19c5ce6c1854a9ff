// SPDX-License-Identifier: Apache-2.0
// A certificate with what Node.js does not tell of it: all names that it is for, in a form that cannot be mistaken, and the
// extensions that limit what it may be used for (RFC 5280 §4.2).
import { X509Certificate } from 'node:crypto'
import { context, type Der, derList, derOf, inside, isTrue, numberOf, oidOf, SEQUENCE, TAG } from './der.ts'

/** The names in a certificate (RFC 5280 §4.2.1.6); the common name is none (RFC 9525 §2). */
export interface CertificateNames {
  /** DNS-ID: A-labels, `*` at most as the left-most one. */
  readonly dns: readonly string[]
  /** SRV-ID (RFC 4985), such as `_xmpp-server.example.org`. */
  readonly srv: readonly string[]
  /** XMPP-Addr (RFC 6120 §13.7.1.4). */
  readonly xmpp: readonly string[]
  /** IP addresses: 4 or 16 octets. */
  readonly ip: readonly Buffer[]
  /** The kinds of all names, by their context tags. */
  readonly kinds: ReadonlySet<number>
}

/** Which names an authority may or may not certify (RFC 5280 §4.2.1.10). Each is what it is by its context tag. */
export interface NameConstraints {
  readonly permitted: readonly Der[]
  readonly excluded: readonly Der[]
}

/** A certificate, read. */
export interface Certificate {
  readonly x509: X509Certificate
  readonly names: CertificateNames
  /** The name of its owner: the RDNs, each as it stands. */
  readonly subject: readonly Buffer[]
  /** SubjectPublicKeyInfo as it stands. */
  readonly publicKey: Buffer
  /** The algorithm of its signature; the hash of RSASSA-PSS, which has many, stands behind a colon. */
  readonly signature: string
  /** Intermediate authorities that may stand below it. */
  readonly pathLength: number
  readonly constraints: NameConstraints | undefined
  /** What its key may be used for (RFC 5280 §4.2.1.12); undefined: anything. */
  readonly purposes: readonly string[] | undefined
  /** Extensions that must be understood, and are not. */
  readonly unknown: readonly string[]
}

/** GeneralName (RFC 5280 §4.2.1.6). */
export const NAME = { other: 0, email: 1, dns: 2, directory: 4, uri: 6, ip: 7 } as const

const ID = {
  pss: '1.2.840.113549.1.1.10',
  keyUsage: '2.5.29.15',
  names: '2.5.29.17',
  basic: '2.5.29.19',
  constraints: '2.5.29.30',
  policies: '2.5.29.32',
  purposes: '2.5.29.37',
  srv: '1.3.6.1.5.5.7.8.7',
  xmpp: '1.3.6.1.5.5.7.8.5',
} as const

const NO_NAMES: CertificateNames = { dns: [], srv: [], xmpp: [], ip: [], kinds: new Set() }

/** Reads a certificate. @param raw DER @throws Error if it is none */
export function readCertificate(raw: Buffer): Certificate {
  const [body, algorithm] = inside(derOf(raw))
  const fields = inside(body)
  // The version is the only one that may be missing (RFC 5280 §4.1): it was 1 before there was a field for it.
  const versioned = fields[0]?.tag === context(0, true) ? 1 : 0
  const [subject, publicKey] = [fields[versioned + 4], fields[versioned + 5]]
  if (!publicKey) throw new Error('not a certificate')
  const extensions = extensionsOf(fields.find(({ tag }) => tag === context(3, true)))
  const find = (id: string): Der | undefined => extensions.get(id)?.value
  const known: readonly string[] = Object.values(ID)
  const [names, basic, constraints, purposes] = [
    find(ID.names),
    find(ID.basic),
    find(ID.constraints),
    find(ID.purposes),
  ]
  return {
    x509: new X509Certificate(raw),
    names: names ? readNames(names) : NO_NAMES,
    subject: inside(subject).map(({ whole }) => whole),
    publicKey: publicKey.whole,
    signature: signatureOf(algorithm),
    pathLength: basic ? pathLengthOf(basic) : Number.POSITIVE_INFINITY,
    constraints: constraints && readConstraints(constraints),
    purposes: purposes && inside(purposes).map(oidOf),
    unknown: [...extensions].filter(([id, { critical }]) => critical && !known.includes(id)).map(([id]) => id),
  }
}

/** RFC 4055 §3.1: the hash is SHA-1 if it is not named. */
function signatureOf(algorithm: Der | undefined): string {
  const [id, parameters] = inside(algorithm)
  if (oidOf(id) !== ID.pss) return oidOf(id)
  const hash = parameters?.tag === SEQUENCE ? inside(parameters).find(({ tag }) => tag === context(0, true)) : undefined
  return `${ID.pss}:${hash ? oidOf(inside(derOf(hash.content))[0]) : 'sha1'}`
}

interface Extension {
  readonly critical: boolean
  readonly value: Der
}

function extensionsOf(field: Der | undefined): ReadonlyMap<string, Extension> {
  const all = new Map<string, Extension>()
  if (!field) return all
  for (const one of inside(derList(field.content)[0])) {
    const [id, ...rest] = inside(one)
    const value = rest.at(-1)
    if (value?.tag !== TAG.octets || all.has(oidOf(id))) throw new Error('bad extension')
    all.set(oidOf(id), { critical: rest.length > 1 && isTrue(rest[0]), value: derOf(value.content) })
  }
  return all
}

function readNames(value: Der): CertificateNames {
  const [dns, srv, xmpp]: [string[], string[], string[]] = [[], [], []]
  const ip: Buffer[] = []
  const kinds = new Set<number>()
  for (const { tag, content } of inside(value)) {
    kinds.add(tag & 0x1f)
    if (tag === context(NAME.dns, false)) dns.push(textOf(content).toLowerCase())
    if (tag === context(NAME.ip, false)) ip.push(content)
    if (tag !== context(NAME.other, true)) continue
    const [id, wrapped] = derList(content)
    const inner = wrapped?.tag === context(0, true) ? derOf(wrapped.content) : undefined
    if (oidOf(id) === ID.srv && inner?.tag === TAG.ia5) srv.push(textOf(inner.content).toLowerCase())
    if (oidOf(id) === ID.xmpp && inner?.tag === TAG.utf8) xmpp.push(inner.content.toString('utf8'))
  }
  return { dns, srv, xmpp, ip, kinds }
}

/** Bytes of ASCII; anything else, and a zero octet, is a name of nobody. */
function textOf(content: Buffer): string {
  const text = content.toString('latin1')
  return /^[\x21-\x7e]*$/.test(text) ? text : ''
}

/** RFC 5280 §4.2.1.9. */
function pathLengthOf(value: Der): number {
  const length = inside(value).find(({ tag }) => tag === TAG.integer)
  return length ? numberOf(length) : Number.POSITIVE_INFINITY
}

/** `minimum` and `maximum` are not used (RFC 5280 §4.2.1.10): where they are, it is refused. */
function readConstraints(value: Der): NameConstraints {
  const read = (trees: Der | undefined): Der[] =>
    (trees ? derList(trees.content) : []).map((tree) => {
      const [base, more] = inside(tree, SEQUENCE)
      if (!base || more) throw new Error('bad name constraints')
      return base
    })
  const fields = inside(value)
  return {
    permitted: read(fields.find(({ tag }) => tag === context(0, true))),
    excluded: read(fields.find(({ tag }) => tag === context(1, true))),
  }
}
