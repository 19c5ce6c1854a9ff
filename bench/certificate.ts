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

/** Makes a certificate for `domain` and its rooms in `dir`, valid for a week. */
export function makeCertificate(dir: string, domain: string): Certificate {
  const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') }
  const names = `subjectAltName=DNS:${domain},DNS:conference.${domain},DNS:rooms.${domain}`
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '7']
  const what = ['-subj', `/CN=${domain}`, '-addext', names, '-keyout', files.key, '-out', files.cert]
  execFileSync(OPENSSL, ['req', '-x509', ...kind, ...what], { stdio: 'pipe', timeout: 30_000 })
  return files
}
