// SPDX-License-Identifier: Apache-2.0
// Where certificates that are ours to get are kept, with what belongs to them: our accounts at authorities, and the keys of the
// certificates after these. The server writes, the command line reads.
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import { newKey } from '../appliance/acme/library.ts'
import type { CertificateFiles } from '../net/tls.ts'
import { textIn, writeWhole } from './pem-files.ts'

/** Where they are below the data directory. */
export function certificateFolder(data: string): string {
  return join(data, 'tls')
}

/** A directory of them. */
export class CertificateStore {
  readonly #directory: string

  /** @param directory as of `certificateFolder` */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** The certificate of a domain in force, and its key. */
  filesOf(host: string): CertificateFiles {
    const folder = this.#folder(host)
    return { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  }

  /** Makes the place for them. */
  async makeFolder(host: string): Promise<void> {
    await mkdir(this.#folder(host), { recursive: true, mode: 0o700 })
  }

  /** The directory of the authority that gave the one in force. */
  origin(host: string): Promise<string | undefined> {
    return textOf(join(this.#folder(host), 'origin'))
  }

  async setOrigin(host: string, directory: string): Promise<void> {
    await writeWhole(join(this.#folder(host), 'origin'), `${directory}\n`, 0o600)
  }

  /** The key of the next certificate, if that is known already (RFC 7671 §8.1: it is announced before it is used). */
  nextKey(host: string): Promise<string | undefined> {
    return textIn(this.#next(host))
  }

  /** Makes the key of the one after this, or, where keys are kept, forgets it. */
  async renewNextKey(host: string, keepKey: boolean): Promise<void> {
    if (keepKey) await rm(this.#next(host), { force: true })
    else await writeWhole(this.#next(host), await newKey(), 0o600)
  }

  /** The key of our account, made if there is none; one for each authority: what one knows of us is nobody else's business. */
  async accountKey(directory: string): Promise<string> {
    const file = this.#account(directory, 'key')
    const known = await textIn(file)
    if (known !== undefined) return known
    const key = await newKey()
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    await writeWhole(file, key, 0o600)
    return key
  }

  /** The URL of our account there, if there is one. */
  account(directory: string): Promise<string | undefined> {
    return textOf(this.#account(directory, 'url'))
  }

  async setAccount(directory: string, url: string): Promise<void> {
    if ((await this.account(directory)) !== url) await writeWhole(this.#account(directory, 'url'), `${url}\n`, 0o600)
  }

  /** What TLSA records say of a domain (RFC 6698 §2.1: SPKI, SHA-256): of the key that is shown, and of the next one. */
  async keyHashes(host: string): Promise<readonly string[]> {
    const pem = await readFile(this.filesOf(host).cert).catch(() => undefined)
    if (!pem) return []
    const { issuer, subject, publicKey } = new X509Certificate(pem)
    if (issuer === subject) return [] // made by ourselves, for the time being
    const next = await this.nextKey(host)
    const keys = [publicKey, ...(next === undefined ? [] : [createPublicKey(createPrivateKey(next))])]
    return [...new Set(keys.map((key) => hashOf(key.export({ type: 'spki', format: 'der' }))))]
  }

  #next(host: string): string {
    return join(this.#folder(host), 'next.key')
  }

  /** In A-labels, which are names of files everywhere. */
  #folder(host: string): string {
    return join(this.#directory, domainToASCII(host))
  }

  #account(directory: string, ending: string): string {
    const name = createHash('sha256').update(directory).digest('hex').slice(0, 16)
    return join(this.#directory, `account-${name}.${ending}`)
  }
}

/** SHA-256, in hexadecimal digits. */
export function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function textOf(file: string): Promise<string | undefined> {
  const text = (await readFile(file, 'utf8').catch(() => ''))?.trim()
  return text === '' ? undefined : text
}
