// SPDX-License-Identifier: Apache-2.0
// A program before pebble: its directory has another path than Let's Encrypt's. Prints the root of pebble's certificates, as one
// line of JSON, when it is ready.
import { readFileSync } from 'node:fs'
import { createServer, get, request } from 'node:https'
import { text } from 'node:stream/consumers'

const [cert = '', key = '', ca = '', port = '', management = ''] = process.argv.slice(2)
const behind = { host: '127.0.0.1', port, ca: readFileSync(ca), checkServerIdentity: () => undefined }

const front = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (asked, answered) => {
  const { method, headers, url } = asked
  const path = url === '/directory' ? '/dir' : url
  const further = request({ ...behind, method, headers, path }, (answer) => {
    answered.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(answered)
  })
  further.on('error', () => answered.destroy())
  asked.pipe(further)
})
front.listen(443, '::', () => {
  get({ ...behind, port: management, path: '/roots/0' }, async (answer) =>
    console.log(JSON.stringify({ root: await text(answer) })),
  )
})
