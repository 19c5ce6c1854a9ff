// SPDX-License-Identifier: Apache-2.0
// When an authority wishes a certificate to be renewed (ARI, RFC 9773), which may be earlier than we would: before it is revoked.
import { library } from './library.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** When it is asked again if it says nothing of that, or nothing sensible (RFC 9773 §4.3.3), in ms. */
const ASK_AGAIN = 6 * HOUR

/** What it says. */
export interface RenewalInfo {
  /** When to renew, in ms since 1970; undefined if it does not say. */
  readonly window: { readonly from: number; readonly until: number } | undefined
  /** How long not to ask again, in ms. */
  readonly askAfter: number
  /** A page that tells why. */
  readonly explanation?: string
  /** How it is called in an order that replaces it (RFC 9773 §5); undefined if it speaks no ARI. */
  readonly replaces: string | undefined
}

const NOTHING: RenewalInfo = { window: undefined, askAfter: ASK_AGAIN, replaces: undefined }

/** The name of a certificate: its authority's key and its serial number (RFC 9773 §4.1). @param pem the certificate, perhaps with its chain */
export async function certificateId(pem: string): Promise<string | undefined> {
  const { X509Certificate, AuthorityKeyIdentifierExtension } = await import('@peculiar/x509')
  const first = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(pem)?.[0]
  const certificate = new X509Certificate(first ?? pem)
  const issuer = certificate.getExtension(AuthorityKeyIdentifierExtension)?.keyId
  if (issuer === undefined) return undefined
  const serial = Buffer.from(certificate.serialNumber, 'hex')
  // As DER has it: positive, so with a zero in front of a high bit.
  const der = ((serial[0] ?? 0) & 0x80) === 0 ? serial : Buffer.concat([Buffer.of(0), serial])
  return `${Buffer.from(issuer, 'hex').toString('base64url')}.${der.toString('base64url')}`
}

/** Asks. Never rejects: whoever does not answer has no wish. @param now in ms since 1970 */
export async function renewalInfo(directory: string, pem: string, now: number): Promise<RenewalInfo> {
  try {
    const { axios } = await library()
    const get = (url: string) => axios.get<unknown>(url, { validateStatus: null })
    const { data: known } = await get(directory)
    const base = textIn(known, 'renewalInfo')
    const id = base === undefined ? undefined : await certificateId(pem)
    if (base === undefined || id === undefined) return NOTHING
    const { status, data, headers } = await get(`${base.replace(/\/$/, '')}/${id}`)
    if (status !== 200) return { ...NOTHING, replaces: id }
    const explanation = textIn(data, 'explanationURL')
    return {
      window: windowIn(data),
      askAfter: patience(headers['retry-after'], now),
      replaces: id,
      ...(explanation === undefined ? {} : { explanation }),
    }
  } catch {
    return NOTHING // it is asked again; the certificate is renewed in time without
  }
}

/** RFC 9773 §4.2: one that ends before it begins is none. */
function windowIn(data: unknown): RenewalInfo['window'] {
  const window =
    data !== null && typeof data === 'object' && 'suggestedWindow' in data ? data.suggestedWindow : undefined
  const from = Date.parse(textIn(window, 'start') ?? '')
  const until = Date.parse(textIn(window, 'end') ?? '')
  return until > from ? { from, until } : undefined
}

/** RFC 9773 §4.3.2: between a minute and a day. */
function patience(header: unknown, now: number): number {
  const text = String(header ?? '')
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? ASK_AGAIN : Math.min(DAY, Math.max(MINUTE, ms))
}

function textIn(value: unknown, key: string): string | undefined {
  const found =
    value !== null && typeof value === 'object' ? (value as Readonly<Record<string, unknown>>)[key] : undefined
  return typeof found === 'string' ? found : undefined
}
