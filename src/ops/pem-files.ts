// SPDX-License-Identifier: Apache-2.0
// Certificates with their keys, as files that are whole at any time.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A certificate with its chain and its key (PEM), and its time in ms since 1970. */
export interface KeptPair {
  readonly cert: string
  readonly key: string
  readonly from: number
  readonly until: number
}

/**
 * Reads both, and ends what a crash left half-way in `writePair`. Rejects if one is there but cannot be read: another one in its
 * place would be a loss.
 * @returns undefined if one is missing or damaged, or if they do not belong together
 */
export async function readPair(certFile: string, keyFile: string): Promise<KeptPair | undefined> {
  const [cert, key] = await Promise.all([textIn(certFile), textIn(keyFile)])
  const kept = pairOf(cert, key)
  if (kept || key === undefined) return kept
  const rest = pairOf(await textIn(freshOf(certFile)), key)
  if (rest) await renameAll([certFile])
  return rest
}

function pairOf(cert: string | undefined, key: string | undefined): KeptPair | undefined {
  if (cert === undefined || key === undefined) return undefined
  try {
    const parsed = new X509Certificate(cert)
    if (!parsed.checkPrivateKey(createPrivateKey(key))) return undefined
    return { cert, key, from: Date.parse(parsed.validFrom), until: Date.parse(parsed.validTo) }
  } catch {
    return undefined // damaged: made anew
  }
}

/** The text of a file; undefined if there is none. Rejects if it is there but cannot be read: another one in its place would be a loss. */
export async function textIn(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Both are on disk before one of them takes its place, so that whatever is there after a crash can be made whole. */
export async function writePair(certFile: string, cert: string, keyFile: string, key: string): Promise<void> {
  await writeFresh(certFile, cert, 0o644)
  await writeFresh(keyFile, key, 0o600)
  await renameAll([keyFile, certFile])
}

/** Either the whole new file is there after a crash, or the old one. */
export async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  await writeFresh(file, text, mode)
  await renameAll([file])
}

/** What a certificate was ordered for. */
export interface CertificateWish {
  /** PEM. */
  readonly key: string
  /** In A-labels; with `*.` for all below. */
  readonly names: readonly string[]
  /** In ms since 1970. */
  readonly now: number
}

/** Looks at what an authority sent. @throws Error if it would do worse than what we have */
export function assertAsWished(cert: string, { key, names, now }: CertificateWish): void {
  const parsed = parsedOf(cert)
  if (!parsed.checkPrivateKey(createPrivateKey(key))) throw new Error('the authority sent one for another key')
  const listed = new Set((parsed.subjectAltName ?? '').split(', '))
  const missing = names.find(
    (name) => !listed.has(`DNS:${name}`) && (name.startsWith('*.') || !parsed.checkHost(name, { subject: 'never' })),
  )
  if (missing !== undefined) throw new Error(`the authority sent one that is not for ${missing}`)
  if (Date.parse(parsed.validTo) <= now) throw new Error('the authority sent one that has expired')
}

function parsedOf(cert: string): X509Certificate {
  try {
    return new X509Certificate(cert)
  } catch {
    throw new Error('the authority sent what is no certificate')
  }
}

function freshOf(file: string): string {
  return `${file}.new`
}

async function writeFresh(file: string, text: string, mode: number): Promise<void> {
  const handle = await open(freshOf(file), 'w', mode)
  try {
    await handle.chmod(mode)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function renameAll(files: readonly string[]): Promise<void> {
  for (const file of files) await rename(freshOf(file), file)
  const directory = await open(dirname(files[0] ?? '.'))
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
