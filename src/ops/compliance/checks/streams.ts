// SPDX-License-Identifier: Apache-2.0
// Connecting, logging in, and what stands in the stream features.
import { createHash } from 'node:crypto'
import { type Element, el } from '../../../xml/element.ts'
import { hasFeature, type Lab, type Transport } from '../lab.ts'
import { authenticateByToken, authenticateQuickly } from '../login.ts'
import { Missing, needs, Refused } from '../missing.ts'

const NS_CAPS = 'http://jabber.org/protocol/caps'
const NS_REGISTER = 'http://jabber.org/features/iq-register'
const NS_DATA = 'jabber:x:data'

/** RFC 6120: a login, and a question that nobody knows gets an error. */
export async function streams(lab: Lab): Promise<string> {
  const client = await lab.main()
  try {
    await client.asks('get', 'a question that nobody knows', el('query', 'urn:example:unknown'), lab.domain)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return `logged in as ${client.bare}; a question that nobody knows gets ${error.condition.split(' ')[0]}`
  }
  throw new Missing('a question that nobody knows got a result')
}

/** A login over one of the ways in. */
export function transport(way: Transport): (lab: Lab) => Promise<string> {
  return async (lab) => {
    const client = await lab.session(lab.target.first, way)
    await client.settles()
    const { protocol, distrust } = client.pipe.tls ?? {}
    return `logged in with ${protocol}${distrust ? ` (the certificate is not trusted: ${distrust})` : ''}`
  }
}

/** RFC 7590: nothing but TLS before TLS, TLS 1.2 or newer, a certificate for the domain. */
export async function tls(lab: Lab): Promise<string> {
  const client = await lab.door()
  const { protocol = '', distrust } = client.pipe.tls ?? {}
  needs(['TLSv1.2', 'TLSv1.3'].includes(protocol), `the connection uses ${protocol || 'no TLS'}`)
  needs(!distrust, `the certificate is not trusted for ${lab.domain}: ${distrust}`)
  if (lab.target.places.starttls) {
    const before = await lab.once('features before TLS', async () => client.features)
    const other = before.elements.filter((one) => one.name !== 'starttls').map((one) => one.name)
    needs(!other.includes('mechanisms'), 'a login without TLS is offered')
  }
  return `${protocol}, the certificate is valid for ${lab.domain}, no login without TLS`
}

/** XEP-0368, as the Conversations tester looks at it. */
export async function directTls(lab: Lab): Promise<string> {
  const client = await lab.session(lab.target.first, 'tls')
  await client.settles()
  const { alpn, distrust } = client.pipe.tls ?? {}
  needs(alpn === undefined || alpn === 'xmpp-client', `the server agrees on ${alpn} by ALPN`)
  needs(!distrust, `the certificate is not trusted for ${lab.domain}: ${distrust}`)
  needs(lab.target.announced !== false, `there is no SRV record _xmpps-client._tcp.${lab.domain}`)
  const srv = lab.target.announced ? 'announced in the DNS' : 'SRV record not checked here'
  return `logged in by direct TLS ${alpn ? 'with' : 'without'} ALPN, the certificate is valid; ${srv}`
}

/** XEP-0115: capabilities in the features, and their hash is right. */
export async function caps(lab: Lab): Promise<string> {
  const client = await lab.main()
  const said = client.features.child('c', NS_CAPS)
  needs(said, 'the stream features have no capabilities')
  const { node, ver, hash } = said.attrs
  needs(hash === 'sha-1', `the hash is ${hash ?? 'missing'}, clients know sha-1`)
  const info = await lab.infoNow(lab.domain, `${node}#${ver}`)
  needs(capsHash(info) === ver, 'what the server says that it is has another hash than its capabilities')
  return 'announced, and the hash is right'
}

/** RFC 6121 §2.6: a roster that is known already is not sent again. */
export async function rosterVersions(lab: Lab): Promise<string> {
  const client = await lab.main()
  needs(client.features.child('ver', 'urn:xmpp:features:rosterver'), 'the stream features have no roster versions')
  const ask = (ver: string) => client.asks('get', 'the roster', el('query', 'jabber:iq:roster', { ver }))
  const ver = (await ask('')).child('query', 'jabber:iq:roster')?.attrs.ver
  needs(ver, 'the roster came without a version')
  needs(!(await ask(ver)).child('query', 'jabber:iq:roster'), 'the roster was sent again though it had not changed')
  return 'a roster that is known is not sent again'
}

/** XEP-0077: registration is offered before the login. */
export async function registration(lab: Lab): Promise<string> {
  const client = await lab.door()
  needs(client.features.child('register', NS_REGISTER), 'registration is not open to everybody (a good default)')
  const form = await client.asks('get', 'the form to register', el('query', 'jabber:iq:register'))
  const fields = form.child('query', 'jabber:iq:register')?.elements.length ?? 0
  needs(fields > 0, 'the form to register is empty')
  return 'offered, and the form came'
}

/** XEP-0388: a login in one round trip less. */
export async function sasl2(lab: Lab): Promise<string> {
  const { success } = await quickly(lab)
  return `logged in as ${success.childText('authorization-identifier') ?? ''}`
}

/** XEP-0386: bound together with the login. */
export async function bind2(lab: Lab): Promise<string> {
  const { success } = await quickly(lab)
  needs(success.child('bound', 'urn:xmpp:bind:0'), 'the login bound no resource')
  needs(success.childText('authorization-identifier')?.includes('/'), 'the login did not tell the full address')
  return `bound ${success.childText('authorization-identifier')}`
}

/** XEP-0484: a token instead of the password at the next login. */
export async function fast(lab: Lab): Promise<string> {
  const { token } = await quickly(lab)
  needs(token, 'no token was given')
  const client = await lab.door()
  await authenticateByToken(client, lab.target.first.username, token)
  return 'logged in by a token'
}

function quickly(lab: Lab): ReturnType<typeof authenticateQuickly> {
  return lab.once('sasl2', async () => authenticateQuickly(await lab.door(), lab.target.first))
}

/** XEP-0368 asks only that direct TLS works; the rest is the tester's own. */
export async function directTlsWorks(lab: Lab): Promise<string> {
  const client = await lab.session(lab.target.first, 'tls')
  await client.settles()
  return 'logged in by direct TLS'
}

/** XEP-0115 §5.1. */
export function capsHash(info: Element): string {
  const attr = (one: Element, name: string): string => one.attrs[name] ?? ''
  const identities = info
    .childrenNamed('identity')
    .map((one) => `${attr(one, 'category')}/${attr(one, 'type')}/${attr(one, 'xml:lang')}/${attr(one, 'name')}<`)
  const features = info.childrenNamed('feature').map((one) => `${attr(one, 'var')}<`)
  const forms = info.childrenNamed('x', NS_DATA).map(formText)
  const text = [identities, features, forms].map((list) => list.sort(byBytes).join('')).join('')
  return createHash('sha1').update(text).digest('base64')
}

function formText(form: Element): string {
  const fields = form.childrenNamed('field').map((field) => ({
    name: field.attrs.var ?? '',
    values: field.childrenNamed('value').map((value) => value.text),
  }))
  const type = fields.find(({ name }) => name === 'FORM_TYPE')?.values[0] ?? ''
  const rest = fields.filter(({ name }) => name !== 'FORM_TYPE').sort((a, b) => byBytes(a.name, b.name))
  const texts = rest.map(({ name, values }) => [name, ...values.sort(byBytes)].map((part) => `${part}<`).join(''))
  return `${type}<${texts.join('')}`
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** XEP-0030. */
export async function disco(lab: Lab): Promise<string> {
  const info = await lab.info(lab.domain)
  needs(info.childrenNamed('identity').length > 0, 'the domain does not say what it is')
  needs(hasFeature(info, 'http://jabber.org/protocol/disco#info'), 'the domain does not name disco#info')
  await lab.services('none', 'none') // asks for the items
  return `the domain names ${info.childrenNamed('feature').length} features`
}
