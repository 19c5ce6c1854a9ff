// SPDX-License-Identifier: Apache-2.0
// Asks once whether a server speaks already.

import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { FEATURES, streamHeader } from './client.ts'
import type { Target } from './target.ts'

/** Whether the server gives stream features on a new TLS connection (or, the relay, its `ok`). */
export async function probe(target: Target): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({
    host: '127.0.0.1',
    port: target.port,
    servername: target.domain,
    ca: readFileSync(target.ca),
    ALPNProtocols: ['xmpp-client'],
  })
  const wanted = target.protocol === 'xmpp' ? FEATURES : /ok\n/
  let text = ''
  socket.setTimeout(5_000, () => resolve(false))
  socket.on('secureConnect', () => socket.write(target.protocol === 'xmpp' ? streamHeader(target.domain) : 'P 0\n'))
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    if (wanted.test(text)) resolve(true)
  })
  socket.on('error', () => resolve(false))
  socket.on('close', () => resolve(false))
  const speaks = await promise
  socket.destroy()
  return speaks
}
