// SPDX-License-Identifier: Apache-2.0
// The certificate of the trial mode: a little CA of our own, made on first start, and a certificate for `localhost` that it
// signs. The CA stays, so that a client that trusts it once trusts it always; the certificate is renewed in time.
import { X509Certificate } from 'node:crypto'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readPair, writePair } from './pem-files.ts'

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
async function pairOf(certFile: string, keyFile: string, now: number) {
  const pair = await readPair(certFile, keyFile)
  return pair && pair.until - now > RENEW_BEFORE && pair.from <= now ? pair : undefined
}

function isSignedBy(cert: string, ca: string): boolean {
  return new X509Certificate(cert).verify(new X509Certificate(ca).publicKey)
}
