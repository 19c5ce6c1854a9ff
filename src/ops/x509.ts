// SPDX-License-Identifier: Apache-2.0
// Makes X.509 certificates (RFC 5280) with ECDSA P-256: a CA that may sign for this machine only, and certificates by it.
// Imported only when there is something to make: what stands behind it takes a tenth of a second to load.
import { webcrypto } from 'node:crypto'
import 'reflect-metadata'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** A certificate and its private key as PEM texts, each with a newline at its end. */
export interface Pair {
  readonly cert: string
  readonly key: string
}

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { ...CURVE, hash: 'SHA-256' } as const
const DAY = 86_400_000
/** Clocks differ a little. */
const BACKDATED = DAY
const CA_DAYS = 3650
/** Apple's clients take no certificate that is valid for longer than 825 days, even by a CA of one's own. */
const HOST_DAYS = 397

/** Makes a CA. @param now in ms since 1970 */
export async function makeAuthority(now: number): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: 'CN=aenigma trial CA',
    ...validity(now, CA_DAYS),
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new Extension('2.5.29.30', true, onlyThisMachine()),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await exported(keys.privateKey) }
}

/** Makes a certificate for this machine. @param now in ms since 1970 */
export async function makeHostCertificate(authority: Pair, now: number): Promise<Pair> {
  const issuer = new X509Certificate(authority.cert)
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: 'CN=localhost',
    issuer: issuer.subjectName,
    ...validity(now, HOST_DAYS, issuer.notAfter),
    publicKey: keys.publicKey,
    signingKey: await imported(authority.key),
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'dns', value: '*.localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export()),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await exported(keys.privateKey) }
}

/** How long one of our own making is shown at most, in days. */
const PROVISIONAL_DAYS = 90

/** Makes a certificate that nobody trusts, to be shown until there is a better one. @param name in A-labels @param now in ms since 1970 */
export function makeProvisional(name: string, now: number): Promise<Pair> {
  return makeOwn('CN=aenigma has no certificate yet', [name], now, PROVISIONAL_DAYS)
}

/** Makes one for an onion service and its services, which is looked at once and kept. @param now in ms since 1970 */
export function makeOnionCertificate(name: string, now: number): Promise<Pair> {
  return makeOwn('CN=onion service', [name, `*.${name}`], now, CA_DAYS)
}

async function makeOwn(subject: string, names: readonly string[], now: number, days: number): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: subject,
    ...validity(now, days),
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
    ],
  })
  return { cert: `${certificate.toString('pem')}\n`, key: await exported(keys.privateKey) }
}

/** Name constraints (RFC 5280 §4.2.1.10), so that whoever trusts this CA trusts it for nothing else. */
function onlyThisMachine(): Buffer {
  const tagged = (tag: number, content: Buffer) => Buffer.concat([Buffer.from([tag, content.length]), content])
  const [dns, ip, sequence, permitted] = [0x82, 0x87, 0x30, 0xa0]
  const loopback6 = Buffer.alloc(32, 0xff).fill(0, 0, 15)
  loopback6[15] = 1
  const names = [
    tagged(dns, Buffer.from('localhost')),
    tagged(ip, Buffer.from('7f000001ffffffff', 'hex')),
    tagged(ip, loopback6),
  ]
  const subtrees = Buffer.concat(names.map((name) => tagged(sequence, name)))
  return tagged(sequence, tagged(permitted, subtrees))
}

function validity(now: number, days: number, latest?: Date): { notBefore: Date; notAfter: Date } {
  const end = now + days * DAY
  return { notBefore: new Date(now - BACKDATED), notAfter: new Date(Math.min(end, latest?.getTime() ?? end)) }
}

/** RFC 5280 §4.1.2.2: positive, unique, at most 20 octets. */
function serial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}

async function exported(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`
}

function imported(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return webcrypto.subtle.importKey('pkcs8', der, CURVE, false, ['sign'])
}
