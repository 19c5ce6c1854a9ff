// SPDX-License-Identifier: Apache-2.0
// How certificates are got that the configuration does not name.
import * as v from 'valibot'
import { choice, flag, group, section, told } from './kinds.ts'

/** Authorities that are known by name. */
const KNOWN: Readonly<Record<string, { readonly directory: string; readonly staging?: string }>> = {
  letsencrypt: {
    directory: 'https://acme-v02.api.letsencrypt.org/directory',
    staging: 'https://acme-staging-v02.api.letsencrypt.org/directory',
  },
  'letsencrypt-staging': { directory: 'https://acme-staging-v02.api.letsencrypt.org/directory' },
}

/** How certificates are got. */
export interface AcmeOptions {
  readonly directory: string
  readonly staging?: string | undefined
  readonly fallback?: string | undefined
  readonly email?: string | undefined
  readonly challenge: 'auto' | 'tls-alpn-01' | 'http-01' | 'dns-01' | 'delegated'
  /** Whether one name with `*.` stands for all services. */
  readonly wildcard: boolean
  readonly keepKey: boolean
  readonly eab?: AccountBinding | undefined
  readonly fallbackEab?: AccountBinding | undefined
}

/** What an authority gave to those whom it knows already (RFC 8555 §7.3.4). */
export interface AccountBinding {
  readonly kid: string
  /** In base64url. */
  readonly key: string
}

function directory(help: string) {
  return v.pipe(
    v.string(),
    v.check(
      (text) => text in KNOWN || /^https:\/\/[^\s/?#@]+\/\S*$/.test(text),
      `must be one of ${Object.keys(KNOWN).join(', ')}, or the URL of a directory`,
    ),
    told(help, `${Object.keys(KNOWN).join(', ')}, or a URL`),
  )
}

const binding = (help: string) =>
  v.optional(
    v.pipe(
      group({
        kid: v.pipe(v.string(), v.nonEmpty(), told('The name of the key.', 'text')),
        key: v.pipe(
          v.string(),
          v.regex(/^[A-Za-z0-9+/_-]{22,}={0,2}$/, 'must be a key in base64url'),
          told('The key: a secret.', 'base64url'),
        ),
      }),
      told(help),
    ),
  )

/** The section. */
export const acme = section(
  {
    authority: v.optional(
      directory('Who gives the certificates, by ACME (RFC 8555). Its terms are agreed to.'),
      'letsencrypt',
    ),
    fallback: v.optional(directory('Who is asked when the authority gives none.')),
    email: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address'),
        told('Where the authority may write to.', 'e-mail address'),
      ),
    ),
    eab: binding('The key that the authority gave to bind our account to one there (RFC 8555 §7.3.4).'),
    fallbackEab: binding('The same of the fallback.'),
    challenge: choice(['auto', 'tls-alpn-01', 'http-01', 'dns-01', 'delegated'], {
      default: 'auto',
      help: 'How the domains are proved: on port 443 (`tls-alpn-01`, by `listen.shared`), on port 80 (`http-01`, by `listen.redirect`), or one after the other (`auto`); in the DNS, by the provider of the section `dns` (`dns-01`), or by aliases that lead to this server (`delegated`, by `listen.dns`): see docs/certificates.md.',
    }),
    wildcard: v.optional(
      v.pipe(
        v.boolean(),
        told(
          'Whether the certificate is for a domain and `*.` before it, instead of for each service; takes a proof in the DNS. With `delegated` it is the default, since it makes do with one alias for each domain.',
          'true or false',
        ),
      ),
    ),
    keepKey: flag({
      default: false,
      help: 'Whether renewed certificates keep their key, as TLSA records of usage 3 want it.',
    }),
  },
  'How certificates are got, where neither `certificate` nor `certificates` is given.',
)

/** With what the names of authorities stand for. */
export function acmeOptions({ authority, fallback, wildcard, ...rest }: v.InferOutput<typeof acme>): AcmeOptions {
  const known = KNOWN[authority]
  const inDns = rest.challenge === 'dns-01' || rest.challenge === 'delegated'
  return {
    wildcard: inDns && (wildcard ?? rest.challenge === 'delegated'),
    directory: known?.directory ?? authority,
    staging: known?.staging,
    ...(fallback === undefined ? {} : { fallback: KNOWN[fallback]?.directory ?? fallback }),
    ...rest,
  }
}
