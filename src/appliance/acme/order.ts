// SPDX-License-Identifier: Apache-2.0
// Gets a certificate from an authority that speaks ACME (RFC 8555), by the library acme-client, which is loaded when it is needed.

/** Proves to an authority that a name is ours. */
export interface Answerer {
  readonly type: 'http-01' | 'tls-alpn-01' | 'dns-01'
  /**
   * Makes the answer visible to whoever looks.
   * @param keyAuthorization what the answer is made of (RFC 8555 §8.1); for dns-01 the content of the TXT record
   * @returns takes it away again
   */
  answer(challenge: OpenChallenge): Promise<() => void | Promise<void>>
}

/** What is to be answered. */
export interface OpenChallenge {
  /** The name, in A-labels, without `*.`. */
  readonly name: string
  /** Empty for dns-01. */
  readonly token: string
  readonly keyAuthorization: string
  /** For tls-alpn-01: the certificate to be shown and its key (PEM), made when asked for (RFC 8737 §3). */
  certificate(): Promise<{ readonly cert: string; readonly key: string }>
}

/** Whom to ask, and as whom. */
export interface Authority {
  /** The URL of its directory. */
  readonly directory: string
  /** The key of our account there (PEM); the account is made if there is none. */
  readonly accountKey: string
  /** Where it may write to, if it does so. */
  readonly email: string | undefined
}

/** What is wanted. */
export interface Wanted {
  /** Names in A-labels, the most important one first. */
  readonly names: readonly string[]
  /** The key of the certificate (PEM). */
  readonly key: string
  /** How the names can be proved, the best way first. */
  readonly answerers: readonly Answerer[]
}

/** How often an answer is looked for, and how long at most between two looks, in ms. */
const LOOKS = 12
const LOOK_FIRST = 1_000
const LOOK_LAST = 10_000

/**
 * Gets a certificate. Rejects with the words of the authority if it does not give one; every answer is taken away again.
 * @returns the certificate with its chain (PEM)
 */
export async function orderCertificate(authority: Authority, { names, key, answerers }: Wanted): Promise<string> {
  const { Client, crypto } = await library()
  const client = new Client({
    directoryUrl: authority.directory,
    accountKey: authority.accountKey,
    backoffAttempts: LOOKS,
    backoffMin: LOOK_FIRST,
    backoffMax: LOOK_LAST,
  })
  const [, csr] = await crypto.createCsr({ altNames: [...names] }, key)
  const open = new Map<string, () => void | Promise<void>>()
  const ordered = client.auto({
    csr,
    ...(authority.email === undefined ? {} : { email: authority.email }),
    termsOfServiceAgreed: true,
    skipChallengeVerification: true, // it would look from here, where it may see something else
    challengePriority: answerers.map(({ type }) => type),
    async challengeCreateFn(authz, challenge, keyAuthorization) {
      const answerer = answerers.find(({ type }) => type === challenge.type)
      if (!answerer) throw new Error(`${authz.identifier.value} cannot be proved in any way that the authority takes`)
      const end = await answerer.answer({
        name: authz.identifier.value,
        token: 'token' in challenge && challenge.type !== 'dns-01' ? challenge.token : '',
        keyAuthorization,
        async certificate() {
          const [secret, cert] = await crypto.createAlpnCertificate(authz, keyAuthorization)
          return { cert: cert.toString(), key: secret.toString() }
        },
      })
      open.set(challenge.url, end)
    },
    async challengeRemoveFn(_, challenge) {
      const end = open.get(challenge.url)
      open.delete(challenge.url)
      await end?.()
    },
  })
  // The library falls over itself where there was no answer at all.
  return ordered.catch((error: unknown) => {
    throw error instanceof TypeError ? new Error('the certificate authority did not answer') : error
  })
}

/** How long the authority may take to answer one request, in ms; how often it is asked, and the seconds between. */
const REQUEST_TIME = 30_000
const PERSISTENCE = { acmeSettings: { retryMaxAttempts: 2, retryDefaultDelay: 1 } }

async function library() {
  const { default: acme } = await import('acme-client')
  Object.assign(acme.axios.defaults, { timeout: REQUEST_TIME, ...PERSISTENCE })
  return acme
}

/** A new key for an account or a certificate (PEM): ECDSA P-256. */
export async function newKey(): Promise<string> {
  const { crypto } = await library()
  return (await crypto.createPrivateEcdsaKey('P-256')).toString()
}
