// SPDX-License-Identifier: Apache-2.0
// The one certificate that every server under test uses: self-signed, ECDSA P-256.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const OPENSSL = 'openssl'

/** Files with a certificate and its key, both PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Makes a certificate for domains and their rooms in `dir`, valid for a week. */
export function makeCertificate(dir: string, ...domains: readonly string[]): Certificate {
  const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') }
  const all = domains.flatMap((domain) => [domain, `conference.${domain}`, `rooms.${domain}`])
  const names = `subjectAltName=${all.map((name) => `DNS:${name}`).join(',')}`
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '7']
  const what = ['-subj', `/CN=${domains[0]}`, '-addext', names, '-keyout', files.key, '-out', files.cert]
  execFileSync(OPENSSL, ['req', '-x509', ...kind, ...what], { stdio: 'pipe', timeout: 30_000 })
  return files
}
