// SPDX-License-Identifier: Apache-2.0
// What a certificate authority that looks whether a name is ours finds here (RFC 8555 §8.3, RFC 8737), as long as it looks.
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { domainToASCII } from 'node:url'
import { handshake } from './tls.ts'

/** The only protocol of a connection that looks (RFC 8737 §6.1). */
const ALPN_ACME = 'acme-tls/1'

/** The answers to challenges that are open. */
export class Challenges {
  /** By token (RFC 8555 §8.3). */
  readonly #texts = new Map<string, string>()
  /** By A-labels. */
  readonly #contexts = new Map<string, SecureContext>()

  /** What `/.well-known/acme-challenge/` has under a token. */
  text(token: string): string | undefined {
    return this.#texts.get(token)
  }

  /** Answers http-01. @returns ends it */
  answerText(token: string, text: string): () => void {
    this.#texts.set(token, text)
    return () => void this.#texts.delete(token)
  }

  /** Answers tls-alpn-01 with a certificate made for it (PEM). @returns ends it */
  answerTls(name: string, cert: string, key: string): () => void {
    const context = createSecureContext({ cert, key, minVersion: 'TLSv1.2' })
    const ascii = domainToASCII(name)
    this.#contexts.set(ascii, context)
    return () => {
      if (this.#contexts.get(ascii) === context) this.#contexts.delete(ascii)
    }
  }

  /** Whether this is somebody who looks. */
  isLook(alpn: readonly string[]): boolean {
    return alpn.length === 1 && alpn[0] === ALPN_ACME
  }

  /** Shows the certificate for a name; nothing is said behind it (RFC 8737 §3). Never rejects. */
  async show(socket: Socket, name: string | undefined): Promise<void> {
    const secureContext = name === undefined ? undefined : this.#contexts.get(name)
    if (!secureContext) {
      socket.destroy()
      return
    }
    await handshake(socket, { secureContext, ALPNProtocols: [ALPN_ACME] }).then(
      (secured) => secured.end(() => secured.destroy()), // whether the other side ends it, too, or not
      () => undefined, // it looked, or did not: its order tells
    )
  }
}
