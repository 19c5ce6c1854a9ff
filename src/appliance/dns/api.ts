// SPDX-License-Identifier: Apache-2.0
// What the interfaces of providers have in common: JSON over HTTPS with a token, refusals, and being asked to wait.
import { ProviderError } from './record.ts'

/** As `fetch` of the platform; handed in, so that tests answer themselves. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** What an interface needs. */
export interface ApiParts {
  readonly fetch: Fetch
  /** A secret: it is never part of an error. */
  readonly token: string
  /** Waits so many ms when the provider asks for patience. */
  readonly wait?: (ms: number) => Promise<void>
}

/** How long one answer may take, in ms. */
const PATIENCE = 20_000
/** How often one is asked that wants to be left alone for a moment, and for how long it is left alone at most, in ms. */
const TRIES = 4
const LONGEST_WAIT = 30_000
/** How much of a refusal is shown, in UTF-16 units. */
const REFUSAL_MAX = 300
/** Bytes of one answer. */
const ANSWER_MAX = 4 * 1024 * 1024

/** One provider's interface. */
export class Api {
  readonly #name: string
  readonly #base: string
  readonly #authorization: string
  readonly #parts: ApiParts

  /** @param scheme what stands before the token in the header */
  constructor(name: string, base: string, scheme: string, parts: ApiParts) {
    // Whoever sends it would quote it.
    if (!/^[\x21-\x7e]+$/.test(parts.token))
      throw new ProviderError(`This is no token for ${name}: it must be one word.`)
    this.#name = name
    this.#base = base
    this.#authorization = `${scheme} ${parts.token}`
    this.#parts = parts
  }

  /** Asks. @returns what came, as JSON; undefined where there is no such thing, or nothing to say */
  async ask(method: string, path: string, body?: unknown): Promise<unknown> {
    for (let tries = 1; ; tries++) {
      const answer = await this.#send(method, path, body)
      if (answer.status === 429 && tries < TRIES) {
        await this.#wait(answer.headers.get('retry-after'), tries)
        continue
      }
      if (answer.status === 404) return undefined
      const text = await this.#textOf(answer)
      if (!answer.ok) throw new ProviderError(`${this.#name} refused (${answer.status}): ${told(text)}`)
      if (text === '') return undefined
      try {
        return JSON.parse(text)
      } catch {
        throw new ProviderError(`${this.#name} answered what is no JSON.`)
      }
    }
  }

  async #textOf({ body }: Response): Promise<string> {
    const pieces: Uint8Array[] = []
    let length = 0
    try {
      for await (const piece of body ?? []) {
        length += piece.length
        if (length > ANSWER_MAX) break
        pieces.push(piece)
      }
    } catch (error) {
      throw new ProviderError(`${this.#name} did not end its answer: ${error instanceof Error ? error.message : error}`)
    }
    if (length > ANSWER_MAX) throw new ProviderError(`${this.#name} answered too much.`)
    return Buffer.concat(pieces).toString()
  }

  async #send(method: string, path: string, body: unknown): Promise<Response> {
    const headers = { authorization: this.#authorization, 'content-type': 'application/json' }
    const init = { method, headers, signal: AbortSignal.timeout(PATIENCE), redirect: 'error' as const }
    try {
      return await this.#parts.fetch(
        `${this.#base}${path}`,
        body === undefined ? init : { ...init, body: JSON.stringify(body) },
      )
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ProviderError(`${this.#name} was not reached: ${why}`)
    }
  }

  #wait(asked: string | null, tries: number): Promise<void> {
    const seconds = Number(asked ?? 2 ** tries)
    const ms = Math.min((Number.isFinite(seconds) ? seconds : 2 ** tries) * 1000, LONGEST_WAIT)
    return this.#parts.wait?.(ms) ?? new Promise((resolve) => setTimeout(resolve, ms))
  }
}

/** Without what would command a terminal. */
function told(text: string): string {
  const plain = text.replace(/\p{C}+/gu, ' ')
  return plain.length > REFUSAL_MAX ? `${plain.slice(0, REFUSAL_MAX)}…` : plain
}

/** A TXT record as these interfaces want it (RFC 1035 §5.1). */
export function quotedText(text: string): string {
  const pieces = text.match(/.{1,255}/gs) ?? ['']
  return pieces.map((piece) => `"${piece.replace(/["\\]/g, '\\$&')}"`).join(' ')
}
