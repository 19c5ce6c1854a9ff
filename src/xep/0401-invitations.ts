// SPDX-License-Identifier: Apache-2.0
// XEP-0401: Ad-hoc Account Invitation Generation, and the server's part of XEP-0379: whoever asks for a subscription with an
// invitation of ours gets it. Who has no account yet makes one by `0077-registration/preauth.ts`, or on the page behind the link.

import * as v from 'valibot'
import type { Arrival, InvitationWish, MadeInvitation } from '../accounts/invitations.ts'
import type { Command, CommandRequest, Done } from '../core/command.ts'
import type { LocalAccount } from '../core/directory.ts'
import { type Feature, type FeatureContext, type MaybeAsync, PASS, type Verdict } from '../core/feature.ts'
import { presence } from '../core/presence-stanza.ts'
import { newItem, seesUs, weSee } from '../core/roster.ts'
import { pushRoster } from '../core/subscriptions.ts'
import { type Answers, type Form, resultElement } from '../xmpp/0004-data-forms.ts'
import { invitePath, inviteUri, NS_PREAUTH } from '../xmpp/0401-invitation.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'

const NS = 'urn:xmpp:invite'
const DAY = 86_400_000

/** Who may invite whom. */
const WHO = v.picklist(['users', 'contacts', 'admins'])
const DEFAULTS = { invitationsPerDay: 10, invitationsPerUser: 30, invitationDays: 7 } as const

const FORM: Form = {
  formType: `${NS}#create-account`,
  title: 'Invite somebody to make an account',
  instructions: 'You get a link that lets one person in.',
  fields: [
    { name: 'username', type: 'text-single', label: 'User name, if it is to be a certain one' },
    { name: 'roster-subscription', type: 'boolean', label: 'Become contacts of each other', values: ['1'] },
    { name: 'note', type: 'text-single', label: 'A line that the invited person reads' },
  ],
}

/** XEP-0401: Ad-hoc Account Invitation Generation, with XEP-0379: Pre-Authenticated Roster Subscription. */
export const invitations: Feature = {
  name: 'invitations',
  implements: [
    { xep: 401, version: '0.6.0', name: 'Ad-hoc Account Invitation Generation' },
    { xep: 379, version: '0.3.3', name: 'Pre-Authenticated Roster Subscription' },
  ],
  options: {
    invitations: v.optional(
      v.pipe(
        WHO,
        v.metadata({
          description:
            'Whom the users may invite with their apps: people who then make an account here (users), only people who have one somewhere (contacts), or nobody (admins). Administrators may invite always.',
        }),
      ),
      'users',
    ),
    invitationsPerDay: v.optional(
      v.pipe(
        v.number(),
        v.safeInteger(),
        v.minValue(1),
        v.metadata({
          description: 'Invitations that one user may make in 24 hours.',
          kind: 'number',
        }),
      ),
      DEFAULTS.invitationsPerDay,
    ),
    invitationsPerUser: v.optional(
      v.pipe(
        v.number(),
        v.safeInteger(),
        v.minValue(1),
        v.metadata({
          description: 'Invitations of one user that may wait to be used.',
          kind: 'number',
        }),
      ),
      DEFAULTS.invitationsPerUser,
    ),
    invitationDays: v.optional(
      v.pipe(
        v.number(),
        v.safeInteger(),
        v.minValue(1),
        v.maxValue(366),
        v.metadata({
          description: 'How many days an invitation can be used, if nothing else is said when it is made.',
          kind: 'number',
        }),
      ),
      DEFAULTS.invitationDays,
    ),
  },
  setup(ctx) {
    const desk = new Desk(ctx)
    const door = new Door(ctx)
    let leave = (): void => undefined
    return {
      disco: { commands: commandsOf(desk) },
      only: { onReceive: ['presence'] },
      onReceive: (stanza, owner) => door.received(stanza, owner),
      async start() {
        leave = ctx.accounts.invitations.onArrival((arrival) => door.arrived(arrival))
        await ctx.accounts.invitations.load()
      },
      stop: () => leave(),
    }
  },
}

function commandsOf(desk: Desk): readonly Command[] {
  return [
    {
      node: `${NS}#invite`,
      name: 'Invite somebody',
      allowed: (from) => desk.mayInvite(from),
      start: (request) => desk.invite(request),
    },
    {
      node: `${NS}#create-account`,
      name: 'Invite somebody to make an account',
      allowed: (from) => desk.mayCreate(from),
      start: () => ({ form: FORM, answered: (answers, request) => desk.create(answers, request) }),
    },
  ]
}

/** Gives out invitations. */
class Desk {
  readonly #ctx: FeatureContext

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  mayInvite(from: Jid): boolean {
    return this.#isOurs(from) && (this.#who !== 'admins' || this.#ctx.isAdmin(from))
  }

  mayCreate(from: Jid): boolean {
    return this.#isOurs(from) && this.#ctx.isAdmin(from)
  }

  /** XEP-0401 §5.1: nothing is asked. */
  async invite({ from, owner }: CommandRequest): Promise<Done> {
    const accounts = this.#who === 'users' || this.#ctx.isAdmin(from)
    return this.#make({ from, owner }, { contact: from.bare, accounts })
  }

  /** XEP-0401 §5.4. */
  async create(answers: Answers, { from, owner }: CommandRequest): Promise<Done> {
    const name = answers.text('username')?.trim() || undefined
    const note = answers.text('note')?.trim() || undefined
    const contact = answers.flag('roster-subscription') === false ? undefined : from.bare
    return this.#make({ from, owner }, { name, note, contact })
  }

  async #make(
    { from, owner }: Pick<CommandRequest, 'from' | 'owner'>,
    wish: Pick<InvitationWish, 'name' | 'note' | 'contact' | 'accounts'>,
  ): Promise<Done> {
    if (owner.domain !== from.domain) throw new StanzaError('cancel', 'not-allowed', `Ask ${from.domain} for that.`)
    const made = await this.#ctx.accounts.invitations.create(
      { ...wish, domain: owner.domain, creator: from.bare, uses: 1, lifetime: this.#number('invitationDays') * DAY },
      { perDay: this.#number('invitationsPerDay'), waiting: this.#number('invitationsPerUser') },
    )
    return { result: this.#result(made) }
  }

  /** XEP-0401 §5.1. */
  #result(made: MadeInvitation): ReturnType<typeof resultElement> {
    const { domain, token, name, accounts, expires } = made
    const { publicUrl } = this.#ctx.options
    const base = typeof publicUrl === 'function' ? (publicUrl(domain) as string | undefined) : undefined
    const uri = inviteUri({ domain, contact: made.contact?.key, name, accounts }, token)
    const field = (key: string, label: string, value: string) => ({
      name: key,
      type: 'text-single' as const,
      label,
      values: [value],
    })
    return resultElement({
      formType: `${NS}#invitation`,
      title: 'Invitation',
      fields: [
        field('uri', 'For an app', uri),
        ...(base === undefined
          ? []
          : [field('landing-url', 'For a browser: send this', `${base}${invitePath(token)}`)]),
        field('expire', 'It can be used until', new Date(expires).toISOString()),
      ],
    })
  }

  #isOurs({ local, domain }: Jid): boolean {
    return local !== undefined && this.#ctx.hosts.has(domain)
  }

  get #who(): v.InferOutput<typeof WHO> {
    return v.parse(v.fallback(WHO, 'users'), this.#ctx.options.invitations)
  }

  #number(name: keyof typeof DEFAULTS): number {
    const value = this.#ctx.options[name]
    return typeof value === 'number' ? value : DEFAULTS[name]
  }
}

/** Lets in who was invited. */
class Door {
  readonly #ctx: FeatureContext

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** XEP-0379 §3.5: a request with a token of ours is granted, and returned; any other is as if it had none (§4.1). */
  received(stanza: Stanza, owner: LocalAccount): MaybeAsync<Verdict> {
    if (stanza.kind !== 'presence' || stanza.type !== 'subscribe') return PASS
    const token = stanza.element.child('preauth', NS_PREAUTH)?.attrs.token
    const from = stanza.from?.bare
    if (token === undefined || !from || from.equals(owner.jid) || seesUs(owner.roster.item(from))) return PASS
    return this.#admit(token, from, owner)
  }

  async #admit(token: string, from: Jid, { jid, roster }: LocalAccount): Promise<Verdict> {
    const { accounts, limits } = this.#ctx
    if (!roster.item(from) && roster.size >= limits.rosterItems) return PASS // then it is refused as any other
    if (!(await accounts.invitations.use(token, jid))) return PASS
    const change = await roster.change(from, (item = newItem(from)) => {
      const ask = item.ask || !weSee(item)
      return { ...item, ask, approved: true, listed: true }
    })
    const ask = change?.after?.ask && !change.before?.ask
    if (ask) await this.#ctx.router.route(presence('subscribe', jid, from))
    return PASS // as one that was approved in advance, which sends the pushes, too (RFC 6121 §3.4)
  }

  /** XEP-0401 §5.5: the store has it already; the host's clients learn of it now, or at their next login. */
  async arrived(arrival: Arrival): Promise<void> {
    try {
      await this.#introduce(arrival)
    } catch (error) {
      this.#ctx.log.error('newcomer not announced', { error })
    }
  }

  async #introduce({ jid, contact }: Arrival): Promise<void> {
    const { directory, router } = this.#ctx
    const host = contact && (await directory.find(contact))
    const guest = await directory.find(jid)
    if (!host || !guest || !seesUs(guest.roster.item(host.jid))) return
    const both = { subscription: 'both', ask: false, approved: false, request: undefined, listed: true } as const
    const change = await host.roster.change(jid, (item = newItem(jid)) => ({ ...item, ...both }))
    if (change) pushRoster(router, host, change)
  }
}
