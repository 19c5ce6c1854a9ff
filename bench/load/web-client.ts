// SPDX-License-Identifier: Apache-2.0
// A client over WebSocket (RFC 7395) that logs in and then does nothing.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import { WebSocket } from 'ws'
import { ScramClient, type ScramLogin } from '../../src/accounts/scram-client.ts'
import { PASSWORD } from '../accounts.ts'
import { rememberedKeys } from './client.ts'
import type { Target } from './target.ts'

const SM = 'urn:xmpp:sm:3'
const LIMIT = 60_000
let context: SecureContext | undefined

/** One connection. */
export class WebClient {
  closed = false
  readonly #ws: WebSocket
  readonly #domain: string
  readonly #heard: string[] = []
  #wake: () => void = () => {}

  constructor(target: Target, port: number) {
    context ??= createSecureContext({ ca: readFileSync(target.ca), minVersion: 'TLSv1.3' })
    this.#domain = target.domain
    const options = { secureContext: context, servername: target.domain, perMessageDeflate: false }
    this.#ws = new WebSocket(`wss://127.0.0.1:${port}/xmpp-websocket`, ['xmpp'], options)
    this.#ws.on('message', (data) => this.#hear(String(data)))
    this.#ws.on('error', () => this.#ws.terminate())
    this.#ws.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  /** Logs in as `Client.login` does. */
  async login(user: string): Promise<void> {
    await once(this.#ws, 'open')
    await this.#opens()
    const login: ScramLogin = { hash: 'SCRAM-SHA-256', username: user, password: PASSWORD }
    const scram = new ScramClient(login)
    this.#ws.send(scram.auth)
    const challenge = contentOf(await this.#reads(/<challenge/))
    this.#ws.send(scram.response(challenge, await rememberedKeys(login, challenge)))
    if (!scram.trusts(contentOf(await this.#reads(/<success/)))) throw new Error(`wrong server signature for ${user}`)
    await this.#opens()
    this.#ws.send("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    await this.#reads(/<jid>/)
    this.#ws.send(`<enable xmlns='${SM}' resume='true'/>`)
    await this.#reads(/<enabled/)
    this.#ws.send("<presence xmlns='jabber:client'/>")
    this.#ws.send(`<r xmlns='${SM}'/>`)
    await this.#reads(/<a /)
  }

  /** Closes the stream and waits until the connection is gone. */
  async close(): Promise<void> {
    this.#ws.send("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>")
    if (!this.closed) await once(this.#ws, 'close')
  }

  async #opens(): Promise<void> {
    this.#ws.send(`<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${this.#domain}' version='1.0'/>`)
    await this.#reads(/<stream:features/)
  }

  #hear(text: string): void {
    if (/^<r /.test(text)) this.#ws.send(`<a xmlns='${SM}' h='1'/>`)
    this.#heard.push(text)
    this.#wake()
  }

  /** The next message that has this; those before it are forgotten. */
  async #reads(pattern: RegExp): Promise<string> {
    const late = setTimeout(() => this.#ws.terminate(), LIMIT)
    for (;;) {
      const text = this.#heard.shift()
      if (text === undefined && this.closed) throw new Error(`closed before ${pattern}`)
      if (text === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      } else if (pattern.test(text)) {
        clearTimeout(late)
        return text
      }
    }
  }
}

function contentOf(element: string): string {
  return />([^<]*)</.exec(element)?.[1] ?? ''
}
