// SPDX-License-Identifier: Apache-2.0
// What the pages have in common on which people make accounts: whose requests are taken, how many, and in which language.
import type { Context } from 'hono'
import { networkOf } from '../accounts/throttle.ts'

/** The languages of our pages. */
export const LANGUAGES = ['en', 'it'] as const
/** One of them. */
export type Language = (typeof LANGUAGES)[number]

/** Bytes of a request; names and passwords have at most 1 KiB each, and what JSON adds. */
export const MAX_BODY = 8192
/** Requests of one network in `WINDOW`. */
const MAX_REQUESTS = 60
const WINDOW = 10 * 60_000
/** Networks that are counted; with more of them the longest known are forgotten. Whoever has many must not shut others out. */
const MAX_NETWORKS = 4096

/** Whether a request is JSON, which no other page can send without our leave. */
export function isJson(context: Context): boolean {
  return /^application\/json\s*(?:;|$)/i.test(context.req.header('content-type') ?? '')
}

/**
 * A browser says where a request comes from; no other page may make it. Where our page tells nobody its address, the origin of
 * its forms is `null`, and only the browser's other word counts.
 */
export function fromOurPage(context: Context, host: string | undefined): boolean {
  const site = context.req.header('sec-fetch-site')
  const origin = context.req.header('origin')
  if (site !== undefined && site !== 'same-origin') return false
  if (origin === 'null' && site === 'same-origin') return !isJson(context)
  return origin === undefined || URL.parse(origin)?.host === host
}

/** The members of a JSON object that are texts. */
export async function textsOf<K extends string>(
  context: Context,
  names: readonly K[],
): Promise<Partial<Record<K, string>>> {
  let body: unknown
  try {
    body = JSON.parse(await context.req.text())
  } catch {
    return {} // then everything is missing, and that is answered
  }
  const all = typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {}
  const found: Partial<Record<K, string>> = {}
  for (const name of names) {
    const value = Object.hasOwn(all, name) ? all[name] : undefined
    if (typeof value === 'string' && value !== '') found[name] = value
  }
  return found
}

/** Counts requests per network, in windows of fixed length. */
export class RequestCounter {
  #began = 0
  readonly #counts = new Map<string, number>()

  /** Whether there were too many already; counts nothing. */
  full(address: string): boolean {
    this.#turn()
    return (this.#counts.get(networkOf(address)) ?? 0) >= MAX_REQUESTS
  }

  /** Counts one. @returns whether there are too many */
  add(address: string): boolean {
    this.#turn()
    const network = networkOf(address)
    const count = (this.#counts.get(network) ?? 0) + 1
    this.#counts.set(network, count)
    const [oldest] = this.#counts.keys()
    if (oldest !== undefined && this.#counts.size > MAX_NETWORKS) this.#counts.delete(oldest)
    return count > MAX_REQUESTS
  }

  #turn(): void {
    const now = performance.now()
    if (now - this.#began <= WINDOW) return
    this.#counts.clear()
    this.#began = now
  }
}

/** The best of ours, as the browser weighs them (RFC 9110 §12.5.4). */
export function languageOf(accepted = ''): Language {
  const wanted = accepted
    .split(',')
    .map((one, index) => {
      const [tag = '', weight] = one
        .trim()
        .toLowerCase()
        .split(/\s*;\s*q=/)
      return { language: tag.split('-')[0], weight: weight === undefined ? 1 : Number(weight) || 0, index }
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || a.index - b.index)
  for (const { language } of wanted) for (const ours of LANGUAGES) if (ours === language) return ours
  return 'en'
}
