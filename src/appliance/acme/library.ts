// SPDX-License-Identifier: Apache-2.0
// The library acme-client, loaded when it is first needed, and patient within bounds.

/** How long an authority may take to answer one request, in ms; how often it is asked, and the seconds between. */
const REQUEST_TIME = 30_000
const PERSISTENCE = { acmeSettings: { retryMaxAttempts: 2, retryDefaultDelay: 1 } }
/** How long is waited for one that asks for a moment, in seconds. */
const LONGEST_WAIT = 30
/** Bytes of one answer. */
const ANSWER_MAX = 1024 * 1024

/** The library. */
export async function library() {
  const { default: acme } = await import('acme-client')
  const { defaults } = acme.axios
  const before = [defaults.transformResponse ?? []].flat().filter((one) => one !== notNow)
  const bounds = { timeout: REQUEST_TIME, maxContentLength: ANSWER_MAX, ...PERSISTENCE }
  Object.assign(defaults, { ...bounds, transformResponse: [...before, notNow] })
  return acme
}

/** The library would wait as long as the authority likes, a day for instance: there are others to see to. */
function notNow(data: unknown, headers: Readonly<Record<string, unknown>>, status = 0): unknown {
  const wait = String(headers['retry-after'] ?? '')
  const seconds = /^\d+$/.test(wait) ? Number(wait) : (Date.parse(wait) - Date.now()) / 1000
  if ((status === 429 || status >= 500) && seconds > LONGEST_WAIT)
    throw new Error(`the certificate authority wants to be left alone for ${Math.round(seconds)} s`)
  return data
}

/** A new key for an account or a certificate (PEM): ECDSA P-256. */
export async function newKey(): Promise<string> {
  const { crypto } = await library()
  return (await crypto.createPrivateEcdsaKey('P-256')).toString()
}
