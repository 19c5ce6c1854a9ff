// SPDX-License-Identifier: Apache-2.0
// XEP-0077: In-Band Registration. Strangers make an account where that is open (not by default), or with an invitation
// (`preauth.ts`); owners change their password and leave for good. Whoever leaves takes every subscription along, also when an administrator sees to it: the
// next owner of the name must not get to see what was meant for the last.

import * as v from 'valibot'
import type { Farewell } from '../../accounts/accounts.ts'
import type { Clock } from '../../clock.ts'
import { accountRefusal } from '../../core/account-error.ts'
import type { LocalAccount } from '../../core/directory.ts'
import type { BeforeLogin, Feature, FeatureContext, IqRequest } from '../../core/feature.ts'
import { presence } from '../../core/presence-stanza.ts'
import { stateOf } from '../../core/roster.ts'
import type { Session } from '../../core/session.ts'
import { removal } from '../../core/subscription.ts'
import { type Element, el } from '../../xml/element.ts'
import { type Form, formElement, readAnswers } from '../../xmpp/0004-data-forms.ts'
import { DiscreetError, StanzaError, StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { NS_IBR_TOKEN, Preauth } from './preauth.ts'

const NS = 'jabber:iq:register'
const NS_FEATURE = 'http://jabber.org/features/iq-register'
const HOUR = 3_600_000
/** Networks whose registrations are remembered; of more, the oldest go first. */
const NETWORKS_MAX = 10_000
/** Accounts that one network may make in an hour by invitations: a class in one room, for instance. */
const INVITED_PER_HOUR = 100
/** What an attempt that failed counts for, as part of an account: it told something about which names are taken. */
const FAILED = 0.1

const INSTRUCTIONS = 'Choose a username and password for use with this service.'
const FORM: Form = {
  formType: NS,
  title: 'Registration',
  instructions: INSTRUCTIONS,
  fields: [
    { name: 'username', type: 'text-single', label: 'Username', required: true },
    { name: 'password', type: 'text-private', label: 'Password', required: true },
  ],
}

const CLOSED = 'Registration is closed, but for those who show an invitation.'

/** The form for who was invited under one name. */
function formFor(name: string): Form {
  return {
    ...FORM,
    fields: FORM.fields.map((field) => (field.name === 'username' ? { ...field, values: [name] } : field)),
  }
}

/** XEP-0077: In-Band Registration. */
export const registration: Feature = {
  name: 'registration',
  implements: [
    { xep: 77, version: '2.4', name: 'In-Band Registration' },
    { xep: 445, version: '0.2.0', name: 'Pre-Authenticated In-Band Registration' },
  ],
  options: {
    registration: v.optional(
      v.pipe(
        v.picklist(['closed', 'open']),
        v.metadata({
          description:
            'Who may make an account with a chat program: only those who were invited (closed), or everybody (open).',
        }),
      ),
      'closed',
    ),
  },
  setup(ctx) {
    const invited = new RegistrationThrottle(ctx.clock, () => INVITED_PER_HOUR)
    const preauth = new Preauth(ctx, invited)
    const newcomers = new Newcomers(ctx, preauth, invited)
    const owners = new Owners(ctx)
    let forget: (() => void) | undefined
    return {
      streamFeatures: ({ encrypted, authenticated }) => (encrypted && !authenticated ? offer(ctx) : []),
      beforeLogin(request) {
        if (preauth.concerns(request)) return preauth.answer(request)
        return request.payload.is('query', NS) ? newcomers.answer(request) : undefined
      },
      iq: [
        { at: ['server', 'account'], type: 'get', ns: NS, name: 'query', answer: (request) => owners.get(request) },
        { at: ['server', 'account'], type: 'set', ns: NS, name: 'query', answer: (request) => owners.set(request) },
      ],
      disco: { server: { features: [NS] } },
      start() {
        forget = ctx.accounts.beforeRemove((jid) => owners.farewell(jid))
      },
      stop: () => forget?.(),
    }
  },
}

/** XEP-0445 §3 has both: clients look for the first before they show an invitation, and for the second before they register. */
function offer(ctx: FeatureContext): readonly Element[] {
  const invited = ctx.accounts.invitations.open
  return [
    ...(invited ? [el('register', NS_IBR_TOKEN)] : []),
    ...(invited || isOpen(ctx) ? [el('register', NS_FEATURE)] : []),
  ]
}

function isOpen({ options }: FeatureContext): boolean {
  return options.registration === 'open'
}

/** Those who have not logged in (XEP-0077 §3.1). */
class Newcomers {
  readonly #ctx: FeatureContext
  readonly #preauth: Preauth
  readonly #throttle: RegistrationThrottle
  readonly #invited: RegistrationThrottle

  constructor(ctx: FeatureContext, preauth: Preauth, invited: RegistrationThrottle) {
    this.#ctx = ctx
    this.#preauth = preauth
    this.#throttle = new RegistrationThrottle(ctx.clock, () => ctx.limits.registrationsPerHourPerAddress)
    this.#invited = invited
  }

  /** The answer to an iq; never rejects. */
  async answer(request: BeforeLogin): Promise<Stanza> {
    const { stanza } = request
    try {
      return stanza.result(await this.#answer(request))
    } catch (error) {
      return stanza.bounce(new DiscreetError(this.#ctx.router.wireError(accountRefusal(error))))
    }
  }

  async #answer(request: BeforeLogin): Promise<Element | undefined> {
    const { stanza, payload, host, stream } = request
    const shown = this.#preauth.of(stream)
    if (stanza.to && stanza.to.key !== host) throw new StanzaError('cancel', 'service-unavailable')
    if (stanza.type === 'get') {
      if (!shown && !isOpen(this.#ctx)) throw new StanzaError('cancel', 'service-unavailable', CLOSED)
      return el(
        'query',
        NS,
        null,
        el('instructions', NS, null, INSTRUCTIONS),
        el('username', NS, null, shown?.name),
        el('password', NS),
        formElement(shown?.name === undefined ? FORM : formFor(shown.name)),
      )
    }
    if (payload.child('remove')) throw new StanzaError('modify', 'unexpected-request', 'Log in first.')
    if (!shown && !isOpen(this.#ctx)) throw new StanzaError('cancel', 'not-allowed', CLOSED)
    await this.#register(request)
    return undefined
  }

  async #register({ payload, host, network, stream }: BeforeLogin): Promise<void> {
    const { username, password } = credentialsIn(payload)
    if (!username || !password) throw new StanzaError('modify', 'not-acceptable', 'Username and password are required.')
    const jid = Jid.tryParse(`${username}@${host}`)
    if (!jid || username.includes('@') || jid.resource !== undefined) {
      throw new StanzaError('modify', 'not-acceptable', 'This username has characters that cannot be used.')
    }
    const shown = this.#preauth.of(stream)
    const failed = (shown ? this.#invited : this.#throttle).enter(network)
    if (!failed) throw new StanzaError('wait', 'resource-constraint', 'Too many registrations. Try again in an hour.')
    try {
      if (!shown) return await this.#add(jid, password)
      await this.#ctx.accounts.invitations.redeem({ ...shown, jid, password })
      this.#preauth.spent(stream)
    } catch (error) {
      failed()
      throw error
    }
  }

  /** What can be refused cheaply is refused before the password is hashed. */
  async #add(jid: Jid, password: string): Promise<void> {
    const { accounts, isAdmin } = this.#ctx
    // A name that the configuration makes an administrator is not for whoever comes first.
    if (isAdmin(jid) || (await accounts.find(jid)) || (await accounts.invitations.reserved(jid)))
      throw new StanzaError('cancel', 'conflict', 'This name is taken.')
    await accounts.add(jid, password)
  }
}

/** Those who ask about the account they are logged in to (XEP-0077 §3.2, §3.3). */
class Owners {
  readonly #ctx: FeatureContext
  /** Clients that asked to remove their account, and what they sent. */
  readonly #leaving = new Map<Session, Stanza>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  get(request: IqRequest): Element {
    const { account } = ownClient(request)
    return el(
      'query',
      NS,
      null,
      el('registered', NS),
      el('instructions', NS, null, 'You are registered. A new password can be set here.'),
      el('username', NS, null, account.jid.local ?? ''),
      el('password', NS),
    )
  }

  async set(request: IqRequest): Promise<undefined> {
    try {
      const session = ownClient(request)
      if (request.payload.child('remove')) await this.#remove(request, session)
      else await this.#changePassword(request, session)
    } catch (error) {
      throw new DiscreetError(this.#ctx.router.wireError(accountRefusal(error)))
    }
    return undefined
  }

  /** XEP-0077 §3.3. The account's other clients have to log in with the new password. */
  async #changePassword({ payload }: IqRequest, { id, account: { jid } }: Session): Promise<void> {
    const { username, password } = credentialsIn(payload)
    if (!username || !password) throw new StanzaError('modify', 'bad-request', 'Username and password are required.')
    const meant = Jid.tryParse(username.includes('@') ? username : `${username}@${jid.domain}`)
    if (!meant?.equals(jid)) throw new StanzaError('cancel', 'not-allowed', 'This is not your username.')
    await this.#ctx.accounts.setPassword(jid, password, id)
  }

  /** XEP-0077 §3.2. The result is sent by the farewell, since it must come before the end of the stream. */
  async #remove({ payload, stanza }: IqRequest, session: Session): Promise<void> {
    if (payload.elements.length !== 1)
      throw new StanzaError('modify', 'bad-request', 'Nothing else may stand by remove.')
    this.#leaving.set(session, stanza)
    try {
      await this.#ctx.accounts.remove(session.account.jid, session.id)
    } finally {
      this.#leaving.delete(session)
    }
  }

  /** Before an account is removed: what remains to be done afterwards. */
  async farewell(jid: Jid): Promise<Farewell> {
    const account = await this.#ctx.directory.find(jid)
    return async () => {
      for (const [session, stanza] of [...this.#leaving]) {
        if (!session.account.jid.equals(jid)) continue
        await this.#ctx.router.toClient(stanza.result(), session)
        session.close(new StreamError('not-authorized', 'The account is gone.'))
      }
      if (account) await this.#endSubscriptions(account)
    }
  }

  /** XEP-0077 §3.2: for the contacts it is as if the account had removed them from its roster (RFC 6121 §2.5.2). */
  async #endSubscriptions({ jid, roster }: LocalAccount): Promise<void> {
    for (const item of [...roster.items]) {
      for (const type of removal(stateOf(item))) await this.#ctx.router.route(presence(type, jid, item.jid.bare))
    }
  }
}

/** The client that asks, if it is one of the account or of the domain that it asks. */
function ownClient({ session, own, owner }: IqRequest): Session {
  if (session && (own || owner.equals(Jid.of(undefined, session.jid.domain)))) return session
  throw new StanzaError('cancel', 'service-unavailable')
}

/** What was filled in: the form if there is one (XEP-0077 §4), else the fields. Throws `not-acceptable`. */
function credentialsIn(payload: Element): { readonly username?: string; readonly password?: string } {
  const answers = readAnswers(payload)
  const given = (name: string) => (answers ? answers.text(name) : payload.childText(name))
  const [username, password] = [given('username'), given('password')]
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
}

/** How many accounts each network made in the last hour. */
export class RegistrationThrottle {
  readonly #clock: Clock
  readonly #most: () => number
  /** In the order in which their hours end. */
  readonly #networks = new Map<string, { count: number; readonly until: number }>()

  constructor(clock: Clock, most: () => number) {
    this.#clock = clock
    this.#most = most
  }

  /** Counts an attempt; undefined if there were too many. @returns to be called if no account was made */
  enter(network: string): (() => void) | undefined {
    this.#expire()
    const entry = this.#networks.get(network) ?? { count: 0, until: this.#clock.now() + HOUR }
    if (entry.count >= this.#most()) return undefined
    this.#networks.set(network, entry)
    entry.count += 1
    return () => {
      entry.count -= 1 - FAILED
    }
  }

  #expire(): void {
    for (const [network, { until }] of this.#networks) {
      if (until > this.#clock.now() && this.#networks.size < NETWORKS_MAX) return
      this.#networks.delete(network)
    }
  }
}
