// SPDX-License-Identifier: Apache-2.0
// Certificates with their keys, as files that are whole at any time.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'

/** A certificate with its chain and its key (PEM), and its time in ms since 1970. */
export interface KeptPair {
  readonly cert: string
  readonly key: string
  readonly from: number
  readonly until: number
}

/** Reads both. @returns undefined if one is missing or damaged, or if they do not belong together */
export async function readPair(certFile: string, keyFile: string): Promise<KeptPair | undefined> {
  const pair = await pairIn(certFile, keyFile)
  if (pair) return pair
  // A crash between the two names of `writePair`: the new certificate is there, but not by its name yet.
  const fresh = await pairIn(freshOf(certFile), keyFile)
  if (fresh) await rename(freshOf(certFile), certFile)
  return fresh
}

async function pairIn(certFile: string, keyFile: string): Promise<KeptPair | undefined> {
  const [cert, key] = await Promise.all(
    [certFile, keyFile].map((file) => readFile(file, 'utf8').catch(() => undefined)),
  )
  if (cert === undefined || key === undefined) return undefined
  try {
    const parsed = new X509Certificate(cert)
    if (!parsed.checkPrivateKey(createPrivateKey(key))) return undefined
    return { cert, key, from: Date.parse(parsed.validFrom), until: Date.parse(parsed.validTo) }
  } catch {
    return undefined // damaged: made anew
  }
}

/** Both are on the disk before either gets its name: a full disk leaves the old ones, and after a crash `readPair` goes on. */
export async function writePair(certFile: string, cert: string, keyFile: string, key: string): Promise<void> {
  await writeFresh(keyFile, key, 0o600)
  await writeFresh(certFile, cert, 0o644)
  await rename(freshOf(keyFile), keyFile)
  await rename(freshOf(certFile), certFile)
}

/** Either the whole new file is there after a crash, or the old one. */
export async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  await writeFresh(file, text, mode)
  await rename(freshOf(file), file)
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
