// SPDX-License-Identifier: Apache-2.0
// The certificates of the test network: an authority that its servers trust, others that nobody does, and certificates with every fault.
import { webcrypto } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { domainToASCII } from 'node:url'
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { ...CURVE, hash: 'SHA-256' } as const
const DAY = 86_400_000

/** Files of a certificate and its key. */
export interface Files {
  readonly cert: string
  readonly key: string
}

/** What a certificate says. */
export interface Wanted {
  /** Its DNS names. */
  readonly names: readonly string[]
  /** From when and until when it is valid, in days from now. */
  readonly days?: readonly [number, number]
  /** Whether it is for clients of TLS, too; public authorities do not give such any more. */
  readonly forClients?: boolean
}

/** Who signs. */
export class Authority {
  /** Its certificate. */
  readonly file: string
  readonly pem: string
  readonly #certificate: X509Certificate
  readonly #keys: webcrypto.CryptoKeyPair
  #count = 0

  private constructor(directory: string, name: string, certificate: X509Certificate, keys: webcrypto.CryptoKeyPair) {
    this.#certificate = certificate
    this.#keys = keys
    this.file = `${directory}/${name}.crt`
    this.pem = certificate.toString('pem')
    writeFileSync(this.file, this.pem)
  }

  static async create(directory: string, name: string): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: `CN=${name} of the test network`,
      ...validity([-365, 3650]),
      keys,
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    })
    return new Authority(directory, name, certificate, keys)
  }

  /** Makes a certificate. */
  async sign({ names, days = [-2, 90], forClients = false }: Wanted): Promise<Files> {
    const number = ++this.#count
    const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
    const certificate = await X509CertificateGenerator.create({
      serialNumber: String(1000 + number),
      subject: `CN=${names[0]}`,
      issuer: this.#certificate.subjectName,
      ...validity(days),
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([
          ExtendedKeyUsage.serverAuth,
          ...(forClients ? [ExtendedKeyUsage.clientAuth] : []),
        ]),
        new SubjectAlternativeNameExtension(names.map((name) => ({ type: 'dns', value: domainToASCII(name) }))),
      ],
    })
    return this.#write(number, certificate, keys.privateKey)
  }

  async #write(number: number, certificate: X509Certificate, key: webcrypto.CryptoKey): Promise<Files> {
    const stem = `${this.file.replace(/\.crt$/, '')}-${number}`
    const files = { cert: `${stem}.pem`, key: `${stem}.key` }
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
    const lines = der.toString('base64').match(/.{1,64}/g) ?? []
    writeFileSync(files.cert, `${certificate.toString('pem')}\n`)
    writeFileSync(files.key, `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`)
    return files
  }
}

function validity([from, to]: readonly [number, number]): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() + from * DAY), notAfter: new Date(Date.now() + to * DAY) }
}
