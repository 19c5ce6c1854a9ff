// SPDX-License-Identifier: Apache-2.0
// What TLS agreed on with another server, and what certificate it showed: for administrators who look at a connection.
import { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { Secured } from '../../stream/link.ts'
import { readable } from './authorities.ts'
import { namesTold } from './server-names.ts'

/** Tells about a connection; undefined if it is gone. */
export function securedOf(socket: TLSSocket): Secured | undefined {
  // Of a socket that is gone Node.js tells nothing, whatever its types say.
  const cipher: { readonly standardName: string } | null | undefined = socket.getCipher()
  if (!cipher) return undefined
  return {
    version: socket.getProtocol() ?? 'TLS',
    cipher: cipher.standardName,
    // Read when it is asked for: many connections are listed, and few looked at.
    get certificate() {
      const shown: { readonly raw?: Buffer } | null | undefined = socket.getPeerCertificate()
      const raw = shown?.raw
      return raw && certificateOf(raw)
    },
  }
}

function certificateOf(raw: Buffer): Secured['certificate'] {
  const read = readable(raw)
  const x509 = read?.x509 ?? new X509Certificate(raw)
  return {
    names: read ? namesTold(read.names) : [],
    issuer: authorityName(x509.issuer),
    from: Date.parse(x509.validFrom),
    until: Date.parse(x509.validTo),
    fingerprint: x509.fingerprint256,
  }
}

/** The name of an authority as people know it: `R11 (Let's Encrypt)`. */
function authorityName(issuer: string): string {
  const part = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(issuer)?.[1]
  const [name, organisation] = [part('CN'), part('O')]
  if (name !== undefined && organisation !== undefined && name !== organisation) return `${name} (${organisation})`
  return name ?? organisation ?? issuer.replaceAll('\n', ', ')
}
