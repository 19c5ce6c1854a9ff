// SPDX-License-Identifier: Apache-2.0
// The HTTP server on a free port, with parts that a test replaces as it needs.
import { startWeb, type Web, type WebParts } from '../../src/web/server.ts'

/** A server for one test. */
export interface TestWeb {
  readonly origin: string
  stop(): Promise<void>
}

/** Starts it. */
export async function testWeb(pages: Partial<WebParts['pages']> = {}): Promise<TestWeb> {
  const web: Web = await startWeb({
    addresses: [{ host: '127.0.0.1', port: 0 }],
    metrics: () => Promise.resolve(''),
    health: () => Promise.resolve({}),
    pages: {
      hosts: ['montague.lit', 'capulet.lit'],
      firstAccount: {
        host: 'montague.lit',
        open: () => Promise.resolve(false),
        usable: () => Promise.resolve(false),
        create: () => Promise.resolve('link'),
      },
      ...pages,
    },
  })
  return { origin: `http://127.0.0.1:${web.listening[0]?.port}`, stop: () => web.stop() }
}

/** One request without a browser's manners: the path goes out as it is. */
export async function rawGet(origin: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  const { request } = await import('node:http')
  const { port } = new URL(origin)
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer }>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      )
    })
    asked.on('error', reject).end()
  })
}
