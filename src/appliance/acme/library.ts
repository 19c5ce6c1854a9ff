// SPDX-License-Identifier: Apache-2.0
// The library acme-client, loaded when it is first needed, and patient within bounds.

/** How long an authority may take to answer one request, in ms; how often it is asked, and the seconds between. */
const REQUEST_TIME = 30_000
const PERSISTENCE = { acmeSettings: { retryMaxAttempts: 2, retryDefaultDelay: 1 } }
/** Bytes of one answer. */
const ANSWER_MAX = 1024 * 1024

/** The library. */
export async function library() {
  const { default: acme } = await import('acme-client')
  Object.assign(acme.axios.defaults, { timeout: REQUEST_TIME, maxContentLength: ANSWER_MAX, ...PERSISTENCE })
  return acme
}

/** A new key for an account or a certificate (PEM): ECDSA P-256. */
export async function newKey(): Promise<string> {
  const { crypto } = await library()
  return (await crypto.createPrivateEcdsaKey('P-256')).toString()
}
