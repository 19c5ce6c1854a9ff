// SPDX-License-Identifier: Apache-2.0
// How certificates are got that the configuration does not name.
import * as z from '../shape.ts'
import { choice, flag, section, told } from './kinds.ts'

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
  readonly challenge: 'auto' | 'tls-alpn-01' | 'http-01'
  readonly keepKey: boolean
}

function directory(help: string) {
  return z
    .string()
    .refine(
      (text) => text in KNOWN || /^https:\/\/[^\s/?#@]+\/\S*$/.test(text),
      `must be one of ${Object.keys(KNOWN).join(', ')}, or the URL of a directory`,
    )
    .meta(told(help, `${Object.keys(KNOWN).join(', ')}, or a URL`))
}

/** The section. */
export const acme = section(
  {
    authority: directory('Who gives the certificates, by ACME (RFC 8555). Its terms are agreed to.').default(
      'letsencrypt',
    ),
    fallback: directory('Who is asked when the authority gives none.').optional(),
    email: z
      .string()
      .regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')
      .optional()
      .meta(told('Where the authority may write to.', 'e-mail address')),
    challenge: choice(['auto', 'tls-alpn-01', 'http-01'], {
      default: 'auto',
      help: 'How the domains are proved: on port 443 (`tls-alpn-01`, by `listen.shared`), on port 80 (`http-01`, by `listen.redirect`), or one after the other.',
    }),
    keepKey: flag({
      default: false,
      help: 'Whether renewed certificates keep their key, as TLSA records of usage 3 want it.',
    }),
  },
  'How certificates are got, where neither `certificate` nor `certificates` is given.',
)

/** With what the names of authorities stand for. */
export function acmeOptions({ authority, fallback, ...rest }: z.output<typeof acme>): AcmeOptions {
  const known = KNOWN[authority]
  return {
    directory: known?.directory ?? authority,
    staging: known?.staging,
    ...(fallback === undefined ? {} : { fallback: KNOWN[fallback]?.directory ?? fallback }),
    ...rest,
  }
}
