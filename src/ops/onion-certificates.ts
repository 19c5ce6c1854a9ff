// SPDX-License-Identifier: Apache-2.0
// Certificates of onion services. No authority gives them without ado, and none is needed: the name is a key already. Clients want TLS
// all the same, and people accept what they show once; so it lasts long.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CertificateFiles } from '../net/tls.ts'
import { readPair, writePair } from './pem-files.ts'

/** Made anew when so little is left, in ms. */
const RENEW_BEFORE = 90 * 86_400_000

/** The certificates of these onion services; those that are missing, or soon over, are made. @param now in ms since 1970 */
export async function onionCertificates(
  hosts: readonly string[],
  directory: string,
  now: number,
): Promise<ReadonlyMap<string, CertificateFiles>> {
  const all = new Map<string, CertificateFiles>()
  for (const host of hosts) {
    const folder = join(directory, host)
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
    const there = await readPair(files.cert, files.key)
    if (!there || there.until - now < RENEW_BEFORE) {
      const { makeOnionCertificate } = await import('./x509.ts')
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const { cert, key } = await makeOnionCertificate(host, now)
      await writePair(files.cert, cert, files.key, key)
    }
    all.set(host, files)
  }
  return all
}
