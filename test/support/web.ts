// SPDX-License-Identifier: Apache-2.0
// The HTTP server on a free port, with parts that a test replaces as it needs.
import { createServer, request } from 'node:http'
import { silentLog } from '../../src/log.ts'
import { type AppParts, createApp } from '../../src/web/app.ts'
import { NO_FIRST_ACCOUNT, NO_INVITATIONS } from './loopback.ts'

/** A server for one test. */
export interface TestWeb {
  readonly origin: string
  stop(): Promise<void>
}

/** Starts it. */
export async function testWeb(parts: Partial<AppParts> = {}): Promise<TestWeb> {
  const server = createServer(
    createApp({
      trust: { isProxy: () => false, isLocal: () => true },
      hosts: new Set(['montague.lit', 'capulet.lit']),
      url: undefined,
      firstAccount: NO_FIRST_ACCOUNT,
      invited: NO_INVITATIONS,
      log: silentLog,
      ...parts,
    }),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { origin: `http://127.0.0.1:${port}`, stop }
}

/** One request without a browser's manners: the path goes out as it is. */
export async function rawGet(origin: string, path: string, headers: Readonly<Record<string, string>> = {}) {
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
