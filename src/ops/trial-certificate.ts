// SPDX-License-Identifier: Apache-2.0
// The certificate of the trial mode: a little CA of our own, made on first start, and a certificate for `localhost` that it
// signs. The CA stays, so that a client that trusts it once trusts it always; the certificate is renewed in time.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'

/** The files of the trial mode, as full paths. */
export interface TrialCertificate {
  /** What a client must trust. */
  readonly ca: string
  /** The certificate followed by the CA's. */
  readonly cert: string
  readonly key: string
}

/** A certificate is renewed when so little of its time is left, in ms. */
const RENEW_BEFORE = 30 * 86_400_000

/** Makes what is missing and renews what ends soon. @param data the data directory @param now in ms since 1970 */
export async function trialCertificate(data: string, now: number): Promise<TrialCertificate> {
  const directory = join(data, 'tls')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  const file = (name: string): string => join(directory, name)
  const files = { ca: file('ca.crt'), cert: file('localhost.crt'), key: file('localhost.key') }
  const caKey = file('ca.key')
  const ca = await pairOf(files.ca, caKey, now)
  const host = await pairOf(files.cert, files.key, now)
  if (ca && host && isSignedBy(host.cert, ca.cert)) return files
  const { makeAuthority, makeHostCertificate } = await import('./x509.ts')
  const authority = ca ?? (await makeAuthority(now))
  if (!ca) await writePair(files.ca, authority.cert, caKey, authority.key)
  const made = await makeHostCertificate(authority, now)
  await writePair(files.cert, made.cert + authority.cert, files.key, made.key)
  return files
}

/** A certificate and its key if both are there, belong together and last long enough. */
async function pairOf(
  certFile: string,
  keyFile: string,
  now: number,
): Promise<{ cert: string; key: string } | undefined> {
  const [cert, key] = await Promise.all(
    [certFile, keyFile].map((file) => readFile(file, 'utf8').catch(() => undefined)),
  )
  if (cert === undefined || key === undefined) return undefined
  try {
    const parsed = new X509Certificate(cert)
    const lasts = Date.parse(parsed.validTo) - now > RENEW_BEFORE && Date.parse(parsed.validFrom) <= now
    return lasts && parsed.checkPrivateKey(createPrivateKey(key)) ? { cert, key } : undefined
  } catch {
    return undefined // damaged: made anew
  }
}

function isSignedBy(cert: string, ca: string): boolean {
  return new X509Certificate(cert).verify(new X509Certificate(ca).publicKey)
}

/** The key first: a certificate without its key would be renewed at the next start, the other way round is the same. */
async function writePair(certFile: string, cert: string, keyFile: string, key: string): Promise<void> {
  await writeWhole(keyFile, key, 0o600)
  await writeWhole(certFile, cert, 0o644)
}

/** Either the whole new file is there after a crash, or the old one. */
async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  const fresh = `${file}.new`
  const handle = await open(fresh, 'w', mode)
  try {
    await handle.chmod(mode)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(fresh, file)
}
