// SPDX-License-Identifier: Apache-2.0
// A certificate authority that speaks ACME (RFC 8555) as little as it takes, believes everything, and can be as bad as a test
// wants it.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { Pkcs10CertificateRequest } from '@peculiar/x509'
import { type Issued, issue } from './certificates.ts'

/** What it does otherwise than a good one. */
export interface Vices {
  /** What it sends as the certificate. */
  readonly certificate?: string
  /** The names in it, instead of those that were asked for. */
  readonly names?: readonly string[]
  /** Answers in its stead; true if it did. */
  readonly instead?: (path: string, response: ServerResponse) => boolean
}

/** An authority at a port of this machine. */
export class FakeAuthority {
  readonly directory: string
  /** The paths that were asked for. */
  readonly asked: string[] = []
  vices: Vices = {}
  readonly #base: string
  readonly #signer: Issued
  readonly #close: () => void
  #made = ''

  private constructor(base: string, signer: Issued, close: () => void) {
    this.#base = base
    this.directory = `${base}/directory`
    this.#signer = signer
    this.#close = close
  }

  static async start(): Promise<FakeAuthority> {
    const server = createServer((request, response) => void authority.#answer(request, response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const close = (): void => {
      server.close()
      server.closeAllConnections()
    }
    const authority = new FakeAuthority(`http://127.0.0.1:${port}`, await issue({ authority: true }), close)
    return authority
  }

  stop(): void {
    this.#close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    this.asked.push(path)
    const body = await text(request)
    response.setHeader('replay-nonce', 'bm9uY2U')
    if (this.vices.instead?.(path, response)) return
    const at = (name: string): string => `${this.#base}/${name}`
    const order = { identifiers: [], authorizations: [], finalize: at('finalize') }
    const json = (status: number, value: object): void => {
      response.writeHead(status, { 'content-type': 'application/json', location: at(path.slice(1)) })
      response.end(JSON.stringify(value))
    }
    if (path === '/directory')
      json(200, { newNonce: at('nonce'), newAccount: at('account'), newOrder: at('order'), meta: {} })
    else if (path === '/account') json(201, { status: 'valid' })
    else if (path === '/order') json(201, { ...order, status: 'ready' })
    else if (path === '/finalize') {
      this.#made = await this.#sign(body)
      json(200, { ...order, status: 'valid', certificate: at('certificate') })
    } else if (path === '/certificate') response.end(this.vices.certificate ?? this.#made)
    else response.end()
  }

  async #sign(body: string): Promise<string> {
    const { csr } = JSON.parse(Buffer.from(JSON.parse(body).payload, 'base64url').toString())
    const request = new Pkcs10CertificateRequest(Buffer.from(csr, 'base64url'))
    const asked = [...request.toString('text').matchAll(/DNS: (\S+)/g)].map(([, name]) => name ?? '')
    const dns = this.vices.names ?? asked
    return (await issue({ dns, by: this.#signer, days: [-1, 89], holder: await request.publicKey.export() })).cert
  }
}
