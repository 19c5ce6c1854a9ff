// SPDX-License-Identifier: Apache-2.0
// Services beside the messages: files, calls, contacts.
import { createHash, randomUUID } from 'node:crypto'
import { SocksClient } from '../../../net/socks-client.ts'
import { type Element, el } from '../../../xml/element.ts'
import type { Lab } from '../lab.ts'
import { Missing, needs } from '../missing.ts'

const NS_BYTESTREAMS = 'http://jabber.org/protocol/bytestreams'
const NS_UPLOAD = 'urn:xmpp:http:upload:0'
const NS_SERVICES = 'urn:xmpp:extdisco:2'
const NS_DATA = 'jabber:x:data'

/** XEP-0065: a proxy that tells where it is, and through which two send to each other. */
export async function proxy(lab: Lab): Promise<string> {
  const [jid] = await lab.services('proxy', 'bytestreams')
  if (jid === undefined) throw new Missing('there is no proxy for file transfers')
  const client = await lab.main()
  const answer = await client.asks('get', 'asking the proxy', el('query', NS_BYTESTREAMS), jid)
  const host = answer.child('query', NS_BYTESTREAMS)?.child('streamhost')
  needs(host, 'the proxy does not tell where it is')
  const place = { host: host.attrs.host ?? '', port: Number(host.attrs.port ?? 1080) }
  const [sid, target] = [randomUUID(), (await lab.other()).jid]
  const hash = createHash('sha1').update(`${sid}${client.jid}${target}`).digest('hex')
  const sides: SocksClient[] = []
  try {
    for (let side = 0; side < 2; side++) sides.push(await SocksClient.join(place, hash))
    const wish = el('query', NS_BYTESTREAMS, { sid }, el('activate', NS_BYTESTREAMS, null, target))
    await client.asks('set', 'activating the bytestream', wish, jid)
    sides[0]?.write(CONTENT)
    const heard = await sides[1]?.hears(CONTENT.length)
    needs(heard?.toString() === CONTENT, 'the proxy passed on something else than was sent')
  } finally {
    for (const side of sides) side.leaves()
  }
  return `two sent to each other through ${jid} at ${place.host} port ${place.port}`
}

/** A place for a file (XEP-0363 §4), asked for once. */
export function slotOf(
  lab: Lab,
): Promise<{ readonly put: string; readonly get: string; readonly headers: Readonly<Record<string, string>> }> {
  return lab.once('slot', async () => {
    const [jid] = await lab.services('store', 'file')
    if (jid === undefined) throw new Missing('there is no upload service')
    const client = await lab.main()
    const attrs = { filename: 'compliance.txt', size: String(CONTENT.length), 'content-type': 'text/plain' }
    const answer = await client.asks('get', 'asking for a place to upload', el('request', NS_UPLOAD, attrs), jid)
    const slot = answer.child('slot', NS_UPLOAD)
    const [put, get] = [slot?.child('put'), slot?.child('get')?.attrs.url]
    if (!put?.attrs.url || !get) throw new Missing('the upload service gave no place')
    const headers: Record<string, string> = { 'content-type': 'text/plain' }
    for (const {
      attrs: { name },
      text,
    } of put.childrenNamed('header'))
      if (name) headers[name.toLowerCase()] = text
    return { put: put.attrs.url, get, headers }
  })
}
const CONTENT = 'compliance\n'

/** XEP-0363: a file is uploaded and downloaded. */
export async function upload(lab: Lab): Promise<string> {
  const { put, get, headers } = await slotOf(lab)
  const stored = await lab.fetches(put, { method: 'PUT', headers, body: CONTENT })
  needs(isGood(stored), `uploading: the web server answered ${stored.status}`)
  const read = await lab.fetches(get)
  needs(isGood(read) && read.text === CONTENT, `downloading: the web server answered ${read.status}`)
  return 'a file was uploaded and downloaded'
}

function isGood({ status }: { readonly status: number }): boolean {
  return status >= 200 && status < 300
}

/** XEP-0363 from a web page: the upload's address lets others ask. */
export async function uploadFromPages(lab: Lab): Promise<string> {
  const { put } = await slotOf(lab)
  const headers = { origin: 'https://chat.example', 'access-control-request-method': 'PUT' }
  const answer = await lab.fetches(put, { method: 'OPTIONS', headers })
  for (const name of ['origin', 'methods', 'headers']) {
    needs(answer.header(`access-control-allow-${name}`), `the web server does not tell Access-Control-Allow-${name}`)
  }
  return 'web pages may upload'
}

/** XEP-0215: STUN or TURN is named. TURN needs a user and a password. */
export function relay(kind: 'stun' | 'turn'): (lab: Lab) => Promise<string> {
  return async (lab) => {
    const found = (await servicesOf(lab)).filter(({ attrs: { type } }) => type === kind || type === `${kind}s`)
    const [first] = found
    needs(first, `no ${kind.toUpperCase()} server is named`)
    const usable = found.find(({ attrs }) => ['udp', 'tcp'].includes(attrs.transport ?? 'udp'))
    needs(usable, `the ${kind.toUpperCase()} server is neither for UDP nor for TCP`)
    const { host, port, username, password } = usable.attrs
    needs(kind === 'stun' || (username && password), 'the TURN server is named without a user and a password')
    return `${host} port ${port ?? 'unknown'}`
  }
}

/** XEP-0215: something is named. */
export async function externalServices(lab: Lab): Promise<string> {
  const found = await servicesOf(lab)
  needs(found.length > 0, 'the server names no services')
  return found.map(({ attrs: { type, host } }) => `${type} ${host}`).join(', ')
}

/** All that the server names (XEP-0215). */
export function servicesOf(lab: Lab): Promise<readonly Element[]> {
  return lab.once('external services', async () => {
    const client = await lab.main()
    const answer = await client.asks('get', 'asking for services', el('services', NS_SERVICES), lab.domain)
    return answer.child('services', NS_SERVICES)?.childrenNamed('service') ?? []
  })
}

/** XEP-0157: whom to tell about abuse. */
export async function abuseContact(lab: Lab): Promise<string> {
  const info = await lab.info(lab.domain)
  const fields = info.childrenNamed('x', NS_DATA).flatMap((form) => form.childrenNamed('field'))
  const field = fields.find(({ attrs }) => attrs.var === 'abuse-addresses')
  const addresses = field?.childrenNamed('value').map((value) => value.text) ?? []
  needs(addresses.length > 0, 'no address is named for reports of abuse')
  return addresses.join(', ')
}
