// SPDX-License-Identifier: Apache-2.0
// Gets a certificate from an authority that speaks ACME (RFC 8555), by the library acme-client, which is loaded when it is needed.
import type { Client } from 'acme-client'
import { library } from './library.ts'

/** Proves to an authority that a name is ours. */
export interface Answerer {
  readonly type: 'http-01' | 'tls-alpn-01' | 'dns-01'
  /**
   * Makes the answer visible to whoever looks. Leaves nothing behind if it rejects.
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
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
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
  /** What binds our account to one that it has otherwise (RFC 8555 §7.3.4): the key in base64url. */
  readonly eab?: { readonly kid: string; readonly key: string } | undefined
}

/** What is wanted. */
export interface Wanted {
  /** Names in A-labels, perhaps with `*.`, the most important one first. */
  readonly names: readonly string[]
  /** The key of the certificate (PEM). */
  readonly key: string
  /** How the names can be proved, the best way first. */
  readonly answerers: readonly Answerer[]
  /** The certificate that this one takes the place of, as `certificateId` names it (RFC 9773 §5). */
  readonly replaces?: string | undefined
  /** Ends the attempt; what was answered is taken away all the same. */
  readonly signal?: AbortSignal
}

/** What came of it. */
export interface Ordered {
  /** The certificate with its chain (PEM). */
  readonly cert: string
  /** The URL of our account, as CAA records name it (RFC 8657 §3). */
  readonly account: string
}

/** Nobody was there: that says nothing of us. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
}

/** How often an answer is looked for, and how long at most between two looks, in ms. */
const LOOKS = 12
const LOOK_FIRST = 1_000
const LOOK_LAST = 10_000
/** How long all of it may take, in ms: an authority may ask for any patience. */
const LONGEST = 15 * 60_000

/** Gets a certificate. Rejects with the words of the authority if it does not give one; every answer is taken away again. */
export async function orderCertificate(authority: Authority, wanted: Wanted): Promise<Ordered> {
  const { Client, crypto } = await library()
  const { eab } = authority
  const client = new Client({
    directoryUrl: authority.directory,
    accountKey: authority.accountKey,
    backoffAttempts: LOOKS,
    backoffMin: LOOK_FIRST,
    backoffMax: LOOK_LAST,
    ...(eab ? { externalAccountBinding: { kid: eab.kid, hmacKey: eab.key } } : {}),
  })
  // The library changes an account that is there: to nothing, without an address, which authorities may refuse (RFC 8555 §7.3.2).
  if (authority.email === undefined) client.updateAccount = async () => ({ status: 'valid', orders: '' })
  if (wanted.replaces !== undefined) replacing(client, wanted.replaces)
  const [, csr] = await crypto.createCsr({ altNames: [...wanted.names] }, wanted.key)
  const late = AbortSignal.timeout(LONGEST)
  const answers = new Answers(wanted, wanted.signal ? AbortSignal.any([wanted.signal, late]) : late)
  const ordered = client.auto({
    csr,
    ...(authority.email === undefined ? {} : { email: authority.email }),
    termsOfServiceAgreed: true,
    skipChallengeVerification: true, // it would look from here, where it may see something else
    challengePriority: wanted.answerers.map(({ type }) => type),
    challengeCreateFn: (authz, challenge, keyAuthorization) =>
      answers.open(challenge.url, {
        type: challenge.type,
        name: authz.identifier.value,
        token: 'token' in challenge && challenge.type !== 'dns-01' ? challenge.token : '',
        keyAuthorization,
        async certificate() {
          const [secret, cert] = await crypto.createAlpnCertificate(authz, keyAuthorization)
          return { cert: cert.toString(), key: secret.toString() }
        },
      }),
    challengeRemoveFn: (_, challenge) => answers.end(challenge.url),
  })
  try {
    return { cert: await Promise.race([ordered, answers.aborted()]), account: client.getAccountUrl() }
  } catch (error) {
    throw plain(error)
  } finally {
    ordered.catch(() => undefined) // of an attempt that nobody waits for any more
    await answers.endAll()
  }
}

/** RFC 9773 §5. An authority that does not like it (replaced already, another account) gives one without. */
function replacing(client: Client, replaces: string): void {
  const create = client.createOrder.bind(client)
  client.createOrder = async (order) => {
    const more = { ...order, replaces }
    return create(more).catch(() => create(order))
  }
}

type Open = Omit<OpenChallenge, 'signal'> & { readonly type: string }

/** The answers of one order. */
class Answers {
  readonly #answerers: readonly Answerer[]
  /** An authority may ask about others, which are none of its business. */
  readonly #names: ReadonlySet<string>
  readonly #signal: AbortSignal
  readonly #open = new Map<string, Promise<() => void | Promise<void>>>()

  constructor({ answerers, names }: Pick<Wanted, 'answerers' | 'names'>, signal: AbortSignal) {
    this.#answerers = answerers
    this.#names = new Set(names.map((name) => name.replace(/^\*\./, '')))
    this.#signal = signal
  }

  /** Answers, at a URL of a challenge. */
  async open(url: string, { type, ...challenge }: Open): Promise<void> {
    this.#signal.throwIfAborted()
    if (!this.#names.has(challenge.name))
      throw new Error(`the authority asks about ${challenge.name}, which nobody ordered`)
    const answerer = this.#answerers.find((one) => one.type === type)
    if (!answerer) throw new Error(`${challenge.name} cannot be proved in any way that the authority takes`)
    const answering = answerer.answer({ ...challenge, signal: this.#signal })
    this.#open.set(url, answering)
    await answering
  }

  /** Takes an answer away. */
  async end(url: string): Promise<void> {
    const answering = this.#open.get(url)
    this.#open.delete(url)
    const end = await answering?.catch(() => undefined)
    await end?.()
  }

  /** Takes all away. Never rejects. */
  async endAll(): Promise<void> {
    await Promise.allSettled([...this.#open.keys()].map((url) => this.end(url)))
  }

  /** Rejects when the attempt is to end. */
  aborted(): Promise<never> {
    const { promise, reject } = Promise.withResolvers<never>()
    const end = (): void => reject(new Error('it took too long, or the server stops'))
    if (this.#signal.aborted) end()
    else this.#signal.addEventListener('abort', end, { once: true })
    return promise
  }
}

/** The library falls over itself where there was no answer at all, and speaks of connections where there was none. */
function plain(error: unknown): unknown {
  if (error instanceof TypeError) return new Unanswered('the certificate authority did not answer')
  if (!(error instanceof Error) || !('isAxiosError' in error)) return error
  return new Unanswered(`the certificate authority did not answer: ${error.message || 'no connection'}`)
}
