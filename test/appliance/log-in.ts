// SPDX-License-Identifier: Apache-2.0
// A client on another host: finds the server by its domain's DNS records, trusts what the test trusts, logs in, and leaves.
import { client } from '@xmpp/client'

const [domain = '', username = '', password = ''] = process.argv.slice(2)
const xmpp = client({ service: domain, domain, username, password })
xmpp.on('error', (error: unknown) => {
  process.stderr.write(`${error}\n`)
})
const jid = await xmpp.start()
process.stdout.write(`${jid}\n`)
await xmpp.stop()
