// SPDX-License-Identifier: Apache-2.0
// What a client that has proved who it is gets in the same round trip: a token for the next time (XEP-0484), the session it
// had (XEP-0198 §5) or a new one with a resource (XEP-0386).
import { newToken, tokenMechanisms, tokenText } from '../accounts/ht.ts'
import { type Hooks, nonzaKey } from '../core/feature.ts'
import type { LoginFacts, Session } from '../core/session.ts'
import type { NewToken, Token } from '../store/store.ts'
import { type Element, el } from '../xml/element.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { enterAccount } from './bind.ts'
import type { ClientParts } from './client-parts.ts'
import type { Link } from './link.ts'
import { clientOf, resourceFor, type UserAgent, userAgentOf } from './user-agent.ts'

/** XEP-0386. */
const NS_BIND2 = 'urn:xmpp:bind:0'
/** XEP-0484. */
export const NS_FAST = 'urn:xmpp:fast:0'

/** Clients of one account that may have tokens; the longest unused have to log in with the password again. */
const CLIENTS_MAX = 50
/** A token that is older than this, in ms, or than a quarter of its life, is replaced when it is used. */
const ROTATE_AFTER = 86_400_000

/** What an `<authenticate/>` asks for beside being let in. */
export interface Wishes {
  readonly authenticate: Element
  readonly agent: UserAgent
  readonly bind: Element | undefined
  /** The mechanism of the token that is asked for. */
  readonly token: string | undefined
  /** Whether the token in use is to be worth nothing afterwards. */
  readonly invalidate: boolean
}

/** Who has proved to be somebody. */
export interface Proved {
  readonly username: string
  readonly mechanism: string
  readonly wishes: Wishes
  /** What proved it: a verifier's stored key, or the seed of a token. */
  readonly proof: Buffer
  /** The token that was used. */
  readonly token: Token | undefined
}

/** What came of the wishes. */
export interface Arrival {
  /** Undefined if nothing was asked for, or could be had: the client binds as RFC 6120 §7 says. */
  readonly session: Session | undefined
  /** Bare, or full with a session. */
  readonly jid: Jid
  /** To be put into `<success/>`. */
  readonly elements: readonly Element[]
  /** To be called right after `<success/>` was sent. */
  readonly replay: () => void
}

/** Where somebody comes in. */
interface Door {
  readonly link: Link
  readonly host: string
  readonly parts: ClientParts
  /** Whether the stream has ended meanwhile. */
  readonly over: () => boolean
}

type Resumption = Awaited<ReturnType<NonNullable<Hooks['resume']>>>

/** Reads what an `<authenticate/>` asks for. */
export function wishesOf(authenticate: Element): Wishes {
  return {
    authenticate,
    agent: userAgentOf(authenticate),
    bind: authenticate.child('bind', NS_BIND2),
    token: authenticate.child('request-token', NS_FAST)?.attrs.mechanism,
    invalidate: /^(?:1|true)$/.test(authenticate.child('fast', NS_FAST)?.attrs.invalidate ?? ''),
  }
}

/** What is on offer for the same round trip (XEP-0388 §2.1): the `<inline/>`. */
export function inlineOffer(ns: string, link: Link, hooks: readonly Hooks[]): Element {
  const vars = hooks.flatMap((hook) => hook.inline?.bind ?? [])
  const features = vars.map((name) => el('feature', NS_BIND2, { var: name }))
  const tokens = tokenMechanisms(link).map((name) => el('mechanism', NS_FAST, null, name))
  return el(
    'inline',
    ns,
    null,
    el('bind', NS_BIND2, null, features.length > 0 && el('inline', NS_BIND2, null, ...features)),
    el('fast', NS_FAST, null, ...tokens),
    ...hooks.flatMap((hook) => hook.inline?.login ?? []),
  )
}

/** Lets somebody in. What comes for a session that has just begun waits until `replay`, so that nothing overtakes `<success/>`. */
export async function arrive(
  proved: Proved,
  { link, host, parts, over }: Door,
  arrived: (arrival: Arrival) => void,
): Promise<void> {
  const { username, mechanism, wishes } = proved
  const jid = Jid.of(username, host)
  const { encrypted } = link
  const login = { mechanism, encrypted, since: parts.clock.now(), client: clientOf(wishes.agent, jid) }
  const token = await giveToken(proved, jid, login, link, parts)
  if (over()) return
  const asked = resume(wishes.authenticate, jid, login, link, parts.hooks)
  const resumption = asked instanceof Promise ? await asked : asked
  const answers = [resumption?.answer, token].filter((element) => element !== undefined)
  if (resumption?.session) {
    const { session, replay } = resumption
    return arrived({ session, jid: session.jid, elements: answers, replay })
  }
  if (!wishes.bind) return arrived({ session: undefined, jid, elements: answers, replay: () => undefined })
  // Not before: while a resumption was waited for, the account may have been removed, and made again.
  const account = await parts.directory.find(jid)
  if (over()) return
  if (!account) throw new StreamError('not-authorized', 'The account is gone.')
  for (const older of [...account.sessions.values()]) {
    if (login.client && older.login.client?.id === login.client.id)
      older.close(new StreamError('conflict', 'Replaced by a newer stream.')) // XEP-0386 §3.2
  }
  const tag = wishes.bind.childText('tag')
  const resource = resourceFor(tag, wishes.agent, jid, parts.sasl.fakeSecret)
  const session = enterAccount(account, { jid, request: { resource }, login, link }, parts)
  session.hold()
  let told: Element[]
  try {
    const made = enable(wishes.bind, session, parts.hooks)
    told = made instanceof Promise ? await made : made
    for (const { inline } of parts.hooks) {
      const more = inline?.onBound?.(session)
      const element = more instanceof Promise ? await more : more
      if (element) told.push(element)
    }
  } catch (error) {
    parts.directory.end(session) // nobody else knows of it yet
    throw error
  }
  const bound = el('bound', NS_BIND2, null, ...told)
  arrived({ session, jid: session.jid, elements: [...answers, bound], replay: () => session.release() })
}

/** Asks each feature whether it takes one of the elements for a wish to resume. */
function resume(
  authenticate: Element,
  jid: Jid,
  login: LoginFacts,
  link: Link,
  hooks: readonly Hooks[],
): Resumption | Promise<Resumption> {
  for (const element of authenticate.elements) {
    if (element.ns === authenticate.ns || element.ns === NS_BIND2 || element.ns === NS_FAST) continue
    for (const hook of hooks) {
      const answer = hook.resume?.({ element, jid, login, link })
      if (answer) return answer // one element of one feature: nobody resumes two sessions
    }
  }
  return undefined
}

/** Gives each element in `<bind/>` to its feature, the first of its kind only. @returns what goes into `<bound/>` */
function enable(bind: Element, client: Session, hooks: readonly Hooks[]): Element[] | Promise<Element[]> {
  const done = new Set<string>()
  const answers = bind.elements.map((element) => {
    const key = nonzaKey(element.ns, element.name)
    if (done.has(key)) return undefined
    done.add(key)
    for (const { inline } of hooks) {
      const handle = inline?.onBind && Object.hasOwn(inline.onBind, key) ? inline.onBind[key] : undefined
      if (handle) return handle(element, client)
    }
    return undefined
  })
  const some = (all: readonly (Element | undefined)[]): Element[] => all.filter((element) => element !== undefined)
  const ready = answers.filter((answer): answer is Element | undefined => !(answer instanceof Promise))
  return ready.length === answers.length ? some(ready) : Promise.all(answers).then(some)
}

/** Keeps a new token if one was asked for or the old one is due, and makes the old one worthless if that was asked for. */
async function giveToken(
  { wishes, proof, token: used }: Proved,
  jid: Jid,
  { client }: LoginFacts,
  link: Link,
  { clock, sasl, store }: ClientParts,
): Promise<Element | undefined> {
  const { agent, invalidate } = wishes
  if (!client || agent.id === undefined) return undefined
  const now = clock.now()
  const due = used && now - used.issued > Math.min(ROTATE_AFTER, sasl.tokenLifetime / 4)
  const mechanism = wishes.token ?? (due && !invalidate ? used.mechanism : undefined)
  let element: Element | undefined
  if (mechanism !== undefined && tokenMechanisms(link).includes(mechanism)) {
    const token = newToken(mechanism, now, sasl.tokenLifetime)
    const request: NewToken = { client, token, proof, most: CLIENTS_MAX }
    if (!(await store.clients.give(jid, request))) throw new StreamError('not-authorized', 'The account was changed.')
    const expiry = new Date(token.expires).toISOString()
    element = el('token', NS_FAST, { token: tokenText(token.seed, agent.id), expiry })
  }
  if (!used || !invalidate) return element
  // Somebody who logs out wants to have no token left, not even one that got lost on its way.
  if (element) await store.clients.drop(jid, client.id, used)
  else await store.clients.revoke(jid, client.id)
  return element
}
