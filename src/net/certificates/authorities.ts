// SPDX-License-Identifier: Apache-2.0
// Whom this machine trusts to vouch for certificates: the authorities that Node.js comes with (and those that
// NODE_EXTRA_CA_CERTS adds), and those that the configuration names. They are read when the first chain is checked.
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { getCACertificates } from 'node:tls'
import { type Certificate, readCertificate } from './certificate.ts'
import type { Anchors } from './chain.ts'

const PEM = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g

/** The authorities in force. */
export class Authorities implements Anchors {
  #added: readonly string[] = []
  #bySubject: ReadonlyMap<string, readonly X509Certificate[]> | undefined
  readonly #read = new WeakMap<X509Certificate, Certificate | undefined>()

  /**
   * Puts newer ones in force, and reads those of Node.js anew. Rejects, and changes nothing, if the file cannot be used.
   * @param file PEM certificates beside those of Node.js
   */
  async load(file: string | undefined): Promise<void> {
    this.#added = file === undefined ? [] : certificatesIn(await readFile(file, 'utf8'), file)
    this.#bySubject = undefined
  }

  /** All of them as PEM, for TLS; undefined if those of Node.js are all. */
  get pem(): string[] | undefined {
    return this.#added.length === 0 ? undefined : [...getCACertificates('default'), ...this.#added]
  }

  for({ x509 }: Certificate): readonly Certificate[] {
    this.#bySubject ??= index([...this.#added, ...getCACertificates('default')])
    const found = [...(this.#bySubject.get(x509.issuer) ?? []), ...(this.#bySubject.get(x509.subject) ?? [])]
    return [...new Set(found)].flatMap((one) => this.#certificate(one) ?? [])
  }

  #certificate(x509: X509Certificate): Certificate | undefined {
    if (!this.#read.has(x509)) this.#read.set(x509, readable(x509.raw))
    return this.#read.get(x509)
  }
}

/** A certificate, if it can be read. */
export function readable(raw: Buffer): Certificate | undefined {
  try {
    return readCertificate(raw)
  } catch {
    return undefined // whoever made it, it proves nothing
  }
}

function certificatesIn(text: string, file: string): readonly string[] {
  const found = text.match(PEM) ?? []
  if (found.length === 0) throw new Error(`there is no certificate (PEM) in ${file}`)
  for (const one of found) {
    if (!x509Of(one)) throw new Error(`there is a certificate in ${file} that cannot be read`)
  }
  return found
}

function index(pems: readonly string[]): ReadonlyMap<string, readonly X509Certificate[]> {
  return Map.groupBy(
    pems.flatMap((pem) => x509Of(pem) ?? []),
    ({ subject }) => subject,
  )
}

function x509Of(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}
