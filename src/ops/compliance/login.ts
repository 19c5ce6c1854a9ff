// SPDX-License-Identifier: Apache-2.0
// Logging in: SASL (RFC 6120 §6) with SCRAM, then binding; and the way of XEP-0388 and XEP-0386 in one round trip.
import { createHmac, randomUUID } from 'node:crypto'
import { preparePassword } from '../../accounts/password.ts'
import { keysFor, ScramClient, type ScramLogin, type ScramName } from '../../accounts/scram-client.ts'
import type { BindingType } from '../../net/tls-bindings.ts'
import { type Element, el } from '../../xml/element.ts'
import { type Client, NS_CLIENT } from './client.ts'
import { Missing, needs } from './missing.ts'

const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const NS_SASL2 = 'urn:xmpp:sasl:2'
const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind'
const NS_BIND2 = 'urn:xmpp:bind:0'
const NS_FAST = 'urn:xmpp:fast:0'

/** Most wanted first. */
export const MECHANISMS: readonly ScramName[] = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1']
/** FAST without channel binding (XEP-0484 §3.1), which every server offers. */
const TOKEN_MECHANISM = 'HT-SHA-256-NONE'

/** FAST with each kind of channel binding. */
export const TOKEN_BINDINGS: Readonly<Record<string, BindingType>> = {
  'HT-SHA-256-EXPR': 'tls-exporter',
  'HT-SHA-256-ENDP': 'tls-server-end-point',
}

/** One way to log in. */
export interface Way {
  readonly mechanism: ScramName | 'PLAIN'
  /** What ties it to the connection: makes it `-PLUS`. */
  readonly binding?: BindingType
}

/** Who logs in. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/** A token for the next login (XEP-0484 §3.2). */
export interface Token {
  readonly secret: string
  /** XEP-0388 §2.4: the client that got it. */
  readonly agent: string
  readonly mechanism: string
}

/** Logs in on a stream whose features have come, and opens the stream anew. @param way the only one that is tried */
export async function authenticate(client: Client, credentials: Credentials, way?: Way): Promise<void> {
  const offered = client.features.child('mechanisms', NS_SASL)
  needs(offered, 'logging in is not offered')
  if (way?.mechanism === 'PLAIN') return authenticatePlainly(client, credentials)
  const names = way ? [way.mechanism] : offered.childrenNamed('mechanism').map((one) => one.text)
  const login = { ...loginOf(credentials, names), ...boundBy(client, way?.binding) }
  const scram = new ScramClient(login)
  client.sends(el('auth', NS_SASL, { mechanism: scram.mechanism }, scram.first))
  const challenge = await answer(client, NS_SASL, 'challenge')
  client.sends(el('response', NS_SASL, null, scram.final(challenge.text, await keysFor(login, challenge.text))))
  const success = await answer(client, NS_SASL, 'success')
  needs(scram.trusts(success.text), 'the server did not prove that it knows the password')
  await client.opens()
}

/** RFC 4616. */
async function authenticatePlainly(client: Client, { username, password }: Credentials): Promise<void> {
  const message = Buffer.from(`\0${username}\0${password}`).toString('base64')
  client.sends(el('auth', NS_SASL, { mechanism: 'PLAIN' }, message))
  await answer(client, NS_SASL, 'success')
  await client.opens()
}

function boundBy(client: Client, type: BindingType | undefined): Pick<ScramLogin, 'binding'> {
  if (type === undefined) return {}
  const data = client.pipe.binding?.(type)
  needs(data, `this connection has no ${type}`)
  return { binding: { type, data } }
}

/** Binds a resource (RFC 6120 §7). */
export async function bind(client: Client, resource: string): Promise<void> {
  const request = el('bind', NS_BIND, null, el('resource', NS_BIND, null, resource))
  const bound = await client.asks('set', 'binding a resource', request)
  client.jid = bound.child('bind', NS_BIND)?.childText('jid') ?? ''
  needs(client.jid, 'the server bound no address')
}

/** What a login by XEP-0388 brought. */
export interface QuickLogin {
  readonly success: Element
  /** If one was asked for and given. */
  readonly token: Token | undefined
}

/** Logs in by XEP-0388 and binds by XEP-0386, asking for a token (XEP-0484) if that is offered. @param tokenFor how it will be used */
export async function authenticateQuickly(
  client: Client,
  credentials: Credentials,
  tokenFor: string = TOKEN_MECHANISM,
): Promise<QuickLogin> {
  const offered = client.features.child('authentication', NS_SASL2)
  needs(offered, 'the stream features have no SASL2')
  const login = loginOf(
    credentials,
    offered.childrenNamed('mechanism').map((one) => one.text),
  )
  const scram = new ScramClient(login)
  const inline = offered.child('inline')
  const agent = randomUUID()
  const binds = inline?.child('bind', NS_BIND2) !== undefined
  const fast = inline?.child('fast', NS_FAST)?.elements.some((one) => one.text === tokenFor) ?? false
  client.sends(
    el(
      'authenticate',
      NS_SASL2,
      { mechanism: scram.mechanism },
      el('initial-response', NS_SASL2, null, scram.first),
      el('user-agent', NS_SASL2, { id: agent }, el('software', NS_SASL2, null, 'aenigma compliance')),
      binds && el('bind', NS_BIND2, null, el('tag', NS_BIND2, null, 'compliance')),
      fast && el('request-token', NS_FAST, { mechanism: tokenFor }),
    ),
  )
  const challenge = await answer(client, NS_SASL2, 'challenge')
  client.sends(el('response', NS_SASL2, null, scram.final(challenge.text, await keysFor(login, challenge.text))))
  const success = await answer(client, NS_SASL2, 'success')
  needs(scram.trusts(success.childText('additional-data') ?? ''), 'the server did not prove that it knows the password')
  const secret = success.child('token', NS_FAST)?.attrs.token
  return { success, token: secret === undefined ? undefined : { secret, agent, mechanism: tokenFor } }
}

/** Logs in by a token alone (XEP-0484 §3.3). */
export async function authenticateByToken(client: Client, username: string, token: Token): Promise<Element> {
  const type = TOKEN_BINDINGS[token.mechanism]
  const bound = boundBy(client, type).binding?.data ?? Buffer.alloc(0)
  const proof = createHmac('sha256', token.secret).update('Initiator').update(bound).digest()
  const response = Buffer.concat([Buffer.from(`${username}\0`), proof]).toString('base64')
  client.sends(
    el(
      'authenticate',
      NS_SASL2,
      { mechanism: token.mechanism },
      el('initial-response', NS_SASL2, null, response),
      el('user-agent', NS_SASL2, { id: token.agent }, el('software', NS_SASL2, null, 'aenigma compliance')),
      el('fast', NS_FAST),
    ),
  )
  const success = await answer(client, NS_SASL2, 'success')
  const proved = Buffer.from(success.childText('additional-data') ?? '', 'base64')
  const expected = createHmac('sha256', token.secret).update('Responder').update(bound).digest()
  needs(proved.equals(expected), 'the server did not prove that it knows the token')
  return success
}

/** Says that this session is there. */
export function becomesAvailable(client: Client, ...children: readonly Element[]): void {
  client.sends(el('presence', NS_CLIENT, null, ...children))
}

function loginOf({ username, password }: Credentials, offered: readonly string[]): ScramLogin {
  const hash = MECHANISMS.find((one) => offered.includes(one))
  if (!hash) throw new Missing(`no kind of SCRAM is offered, only ${offered.join(', ') || 'nothing'}`)
  const escaped = username.replaceAll('=', '=3D').replaceAll(',', '=2C') // RFC 5802 §5.1
  return { hash, username: escaped, password: preparePassword(password) ?? password }
}

async function answer(client: Client, ns: string, wanted: 'challenge' | 'success'): Promise<Element> {
  const element = await client.hears(`logging in: ${wanted}`, (one) => one.ns === ns)
  if (element.name === wanted) return element
  const why = element.elements.map((one) => one.text || one.name).join(', ')
  throw new Missing(`logging in: the server answered ${element.name}${why && ` (${why})`}`)
}
