// SPDX-License-Identifier: Apache-2.0
// A client on another host: finds the server by the SRV record of its domain, trusts what the test trusts, and does what it reads,
// a line of JSON each: `{"to": …, "body": …}` is sent, and it leaves when there is no more. Prints what happens to it.
import { resolveSrv } from 'node:dns/promises'
import { createInterface } from 'node:readline'
import { client, type XmlElement, type XmppAddress, xml } from '@xmpp/client'

const [domain = '', username = '', password = '', kind = 'xmpps'] = process.argv.slice(2)
const tell = (fact: object): void => console.log(JSON.stringify(fact))

const [place] = await resolveSrv(`_${kind}-client._tcp.${domain}`)
if (!place) throw new Error(`${domain} has no record for ${kind}`)
const service = `${kind}://${place.name}:${place.port}`
const xmpp = client({ service, domain, username, password })
xmpp.on('error', (error) => console.error(`${error}`))
xmpp.on('stanza', (stanza) => {
  const body = stanza.getChildText('body')
  if (body !== null) tell({ heard: body })
})
xmpp.streamManagement.on('resumed', () => tell({ resumed: true }))
xmpp.streamManagement.on('fail', () => tell({ lost: true }))
const { promise: online, resolve } = Promise.withResolvers<XmppAddress>()
xmpp.on('online', resolve)
// The library waits for answers after it has asked; a server that is faster than that leaves it waiting.
xmpp.start().catch(() => undefined)
const jid = await online
await xmpp.send(xml('presence'))
tell({ jid: String(jid), service })
for await (const line of createInterface({ input: process.stdin })) {
  const { to, body } = JSON.parse(line)
  const acknowledged = new Promise<void>((resolve) => {
    xmpp.streamManagement.on('ack', ({ attrs }: XmlElement) => attrs.id === body && resolve())
  })
  await xmpp.send(xml('message', { to, type: 'chat', id: body }, xml('body', {}, body)))
  await acknowledged
  tell({ said: body })
}
await xmpp.stop().catch(() => undefined)
process.exit()
