// SPDX-License-Identifier: Apache-2.0
// When an authority wishes a certificate to be renewed (ARI, RFC 9773), which may be earlier than we would: before it is revoked.
import { X509Certificate } from 'node:crypto'
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
export function certificateId(pem: string): string | undefined {
  const { raw, serialNumber } = new X509Certificate(pem)
  const issuer = authorityKey(raw)
  if (!issuer) return undefined
  const serial = Buffer.from(serialNumber.length % 2 ? `0${serialNumber}` : serialNumber, 'hex')
  // As DER has it: positive, so with a zero in front of a high bit.
  const der = ((serial[0] ?? 0) & 0x80) === 0 ? serial : Buffer.concat([Buffer.of(0), serial])
  return `${issuer.toString('base64url')}.${der.toString('base64url')}`
}

/** The object identifier of the extension, with its tag (RFC 5280 §4.2.1.1). */
const AUTHORITY_KEY = Buffer.from('0603551d23', 'hex')

/** The authority's key identifier, which is the first field of its extension. */
function authorityKey(raw: Buffer): Buffer | undefined {
  const at = raw.indexOf(AUTHORITY_KEY)
  if (at < 0) return undefined
  let rest: Buffer | undefined = raw.subarray(at + AUTHORITY_KEY.length)
  for (const tag of [0x04, 0x30, 0x80]) rest = rest && inside(rest, tag)
  return rest
}

/** What is in the value that something begins with, if that has this tag. */
function inside(der: Buffer, tag: number): Buffer | undefined {
  const [found, short = 0] = der
  const more = short & 0x80 ? short & 0x7f : 0
  if (found !== tag || more > 2 || der.length < 2 + more) return undefined
  const length = more > 0 ? der.readUIntBE(2, more) : short
  return der.subarray(2 + more, 2 + more + length)
}

/** Asks. Never rejects: whoever does not answer has no wish. @param now in ms since 1970 */
export async function renewalInfo(directory: string, pem: string, now: number): Promise<RenewalInfo> {
  try {
    const { axios } = await library()
    const get = (url: string) => axios.get<unknown>(url, { validateStatus: null })
    const { data: known } = await get(directory)
    const base = textIn(known, 'renewalInfo')
    const id = base === undefined ? undefined : certificateId(pem)
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
