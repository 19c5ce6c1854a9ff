// SPDX-License-Identifier: Apache-2.0
// Where others find our HTTP server: the address that stands in links to uploads and in host-meta.

/** What decides it. */
export interface WebReach {
  /** The option `http.url`, without a slash at its end. */
  readonly url: string | undefined
  /** Whether everything is for this machine only: then it is plain HTTP, since no browser trusts our certificate. */
  readonly trial: boolean
  /** What listens; only `shared`, `https`, `http` and `onion` count. */
  readonly listening: readonly { readonly kind: string; readonly port: number }[]
  /** The domains whose certificate is not of our own making; asked for onion services only. */
  readonly given?: Pick<ReadonlyMap<string, unknown>, 'has'>
}

const NONE = new Map<string, unknown>()

/**
 * The address that the paths of a domain's pages are appended to, such as `https://example.org:5443`: no slash at the end.
 * @returns undefined if nobody but a proxy that we know nothing of could reach us
 */
export function publicUrl(host: string, { url, trial, listening, given = NONE }: WebReach): string | undefined {
  // Elsewhere the user shall not be led. Browsers trust no certificate of our own, but all is encrypted to a key that is the name.
  if (host.endsWith('.onion') && listening.some(({ kind }) => kind === 'onion'))
    return `${given.has(host) ? 'https' : 'http'}://${host}`
  if (url !== undefined) return url
  const plain = trial ? listening.find(({ kind }) => kind === 'http') : undefined
  if (plain) return `http://localhost:${plain.port}`
  const tls = listening.find(({ kind }) => kind === 'shared') ?? listening.find(({ kind }) => kind === 'https')
  return tls && `https://${host}${tls.port === 443 ? '' : `:${tls.port}`}`
}
