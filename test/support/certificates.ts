// SPDX-License-Identifier: Apache-2.0
// Certificates that tests need, good and bad ones: with any names, times, purposes, and whoever signs.
import { webcrypto } from 'node:crypto'
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** Who may sign others. */
export interface Signer {
  readonly certificate: X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
}

/** A certificate with its key. */
export interface Issued extends Signer {
  /** PEM, with what was said to follow it. */
  readonly cert: string
  readonly key: string
  readonly raw: Buffer
}

/** What a certificate is like. */
export interface Wish {
  readonly dns?: readonly string[]
  readonly srv?: readonly string[]
  readonly xmpp?: readonly string[]
  readonly commonName?: string
  /** Whoever signs it; itself if not said. */
  readonly by?: Signer
  /** Days from today; from yesterday to next month if not said. */
  readonly days?: readonly [from: number, to: number]
  /** Extended key usages, by their identifiers. */
  readonly purposes?: readonly string[]
  /** Whether it may sign others. */
  readonly authority?: boolean
  readonly pathLength?: number
  readonly keyUsage?: number
  readonly hash?: 'SHA-1' | 'SHA-256'
  /** An RSA key of so many bits; one of ECDSA if not said. */
  readonly rsa?: number
  readonly extensions?: readonly Extension[]
  /** PEM certificates that are shown behind it. */
  readonly chain?: readonly Issued[]
}

/** RFC 5280 §4.2.1.12. */
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
/** As above. */
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const
const RSA = { name: 'RSASSA-PKCS1-v1_5', publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' } as const
const DAY = 86_400_000
let serial = 0

/** Makes a certificate. */
export async function issue(wish: Wish): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(
    wish.rsa === undefined ? CURVE : { ...RSA, modulusLength: wish.rsa },
    true,
    ['sign', 'verify'],
  )
  const [from, to] = wish.days ?? [-1, 30]
  const subject = `CN=${wish.commonName ?? `${wish.dns?.[0] ?? 'someone'} ${++serial}`}`
  const names = namesExtension(wish)
  const certificate = await X509CertificateGenerator.create({
    serialNumber: (++serial + 0x4000).toString(16).padStart(8, '0'),
    subject,
    issuer: wish.by?.certificate.subjectName ?? subject,
    notBefore: new Date(Date.now() + from * DAY),
    notAfter: new Date(Date.now() + to * DAY),
    publicKey: keys.publicKey,
    signingKey: (wish.by?.keys ?? keys).privateKey,
    signingAlgorithm: { ...(wish.by?.keys ?? keys).privateKey.algorithm, hash: wish.hash ?? 'SHA-256' },
    extensions: [
      new BasicConstraintsExtension(wish.authority === true, wish.pathLength, true),
      new KeyUsagesExtension(wish.keyUsage ?? usageOf(wish), true),
      ...(wish.purposes ? [new ExtendedKeyUsageExtension([...wish.purposes])] : []),
      ...(names ? [names] : []),
      ...(wish.extensions ?? []),
    ],
  })
  const own = `${certificate.toString('pem')}\n`
  return {
    certificate,
    keys,
    cert: own + (wish.chain ?? []).map((one) => `${one.certificate.toString('pem')}\n`).join(''),
    key: await exported(keys.privateKey),
    raw: Buffer.from(certificate.rawData),
  }
}

/** One that is trusted to sign others. */
export function authority(wish: Wish = {}): Promise<Issued> {
  return issue({ commonName: `authority ${++serial}`, authority: true, ...wish })
}

/** Name constraints (RFC 5280 §4.2.1.10) on DNS names. */
export function dnsConstraints(permitted: readonly string[], excluded: readonly string[] = []): Extension {
  const trees = (tag: number, list: readonly string[]): Buffer =>
    list.length === 0 ? Buffer.alloc(0) : der(tag, ...list.map((name) => der(0x30, der(0x82, Buffer.from(name)))))
  return new Extension('2.5.29.30', true, der(0x30, trees(0xa0, permitted), trees(0xa1, excluded)))
}

/** An extension that nobody knows. */
export function unknownExtension(critical: boolean): Extension {
  return new Extension('1.2.3.4', critical, der(0x05))
}

/** What a key may be used for that may not sign certificates. */
export const SIGNS_NO_CERTIFICATES: number = KeyUsageFlags.digitalSignature

/** What a key may be used for that signs certificates. */
export const SIGNS_CERTIFICATES: number = KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature

/** A value in DER. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const length =
    content.length < 128 ? Buffer.of(content.length) : Buffer.of(0x82, content.length >> 8, content.length & 0xff)
  return Buffer.concat([Buffer.of(tag), length, content])
}

function usageOf({ authority: signs }: Wish): number {
  return signs ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature
}

function namesExtension({ dns = [], srv = [], xmpp = [] }: Wish): Extension | undefined {
  const other = (id: Buffer, tag: number, text: string) =>
    der(0xa0, der(0x06, id), der(0xa0, der(tag, Buffer.from(text))))
  const names = [
    ...dns.map((name) => der(0x82, Buffer.from(name))),
    ...srv.map((name) => other(Buffer.from('2b06010505070807', 'hex'), 0x16, name)),
    ...xmpp.map((name) => other(Buffer.from('2b06010505070805', 'hex'), 0x0c, name)),
  ]
  return names.length === 0 ? undefined : new Extension('2.5.29.17', false, der(0x30, ...names))
}

async function exported(key: webcrypto.CryptoKey): Promise<string> {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${(base64.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`
}
