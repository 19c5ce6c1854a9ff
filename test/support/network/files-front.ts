// SPDX-License-Identifier: Apache-2.0
// A program that gives out files by HTTPS, each at a path of its own.
import { createReadStream, readFileSync } from 'node:fs'
import { createServer } from 'node:https'

const [cert = '', key = '', table = '{}'] = process.argv.slice(2)
const files: Readonly<Record<string, string>> = JSON.parse(table)

const front = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, ({ url = '' }, response) => {
  const file = files[url]
  response.writeHead(file === undefined ? 404 : 200)
  if (file === undefined) response.end()
  else createReadStream(file).pipe(response)
})
front.listen(443, '::', () => console.log('ready'))
