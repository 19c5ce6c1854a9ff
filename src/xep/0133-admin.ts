// SPDX-License-Identifier: Apache-2.0
// XEP-0133: Service Administration. What administrators do to the accounts of our domains by ad-hoc commands, which
// `0050-commands.ts` carries out. Nobody else sees them. None of them shows a password or reads anybody's messages.
import { randomUUID } from 'node:crypto'
import type { Command, CommandRequest, Done, Question } from '../core/command.ts'
import type { Feature, FeatureContext } from '../core/feature.ts'
import type { Session } from '../core/session.ts'
import { el } from '../xml/element.ts'
import { type Answers, type Field, type Form, resultElement, tableElement } from '../xmpp/0004-data-forms.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, Stanza } from '../xmpp/stanza.ts'
import { badPayload } from './0050-commands.ts'

const NS = 'http://jabber.org/protocol/admin'
/** How many accounts one command takes, and how many a list shows at most. */
const ACCOUNTS_MAX = 100
const LIST_MAX = 1000

const ACCOUNT: Field = { name: 'accountjid', type: 'jid-single', label: 'The address of the account', required: true }
const ACCOUNTS: Field = {
  name: 'accountjids',
  type: 'jid-multi',
  label: 'The addresses of the accounts',
  required: true,
}
const PASSWORD: Field = { name: 'password', type: 'text-private', label: 'The password', required: true }
const PASSWORD_AGAIN: Field = { name: 'password-verify', type: 'text-private', label: 'The password again' }
const ANNOUNCEMENT: Field = { name: 'announcement', type: 'text-multi', label: 'Announcement', required: true }
const MAX_ITEMS: Field = {
  name: 'max_items',
  type: 'list-single',
  label: 'How many to show',
  values: ['100'],
  options: [...['25', '50', '75', '100', '150', '200'].map((value) => ({ value })), { label: 'None', value: 'none' }],
}

const DONE: Done = {}

/** XEP-0133: Service Administration. */
export const admin: Feature = {
  name: 'admin',
  implements: [{ xep: 133, version: '1.3.1', name: 'Service Administration', note: 'accounts, lists, announcements' }],
  setup: (ctx) => ({ disco: { commands: adminCommands(new Deeds(ctx)) } }),
}

function adminCommands(deeds: Deeds): readonly Command[] {
  const { allowed } = deeds
  const command = (id: string, name: string, start: Command['start']): Command => ({
    node: `${NS}#${id}`,
    name,
    allowed,
    start,
  })
  /** A command with one form. */
  const form = (id: string, title: string, fields: readonly Field[], answered: Question['answered']): Command => {
    const asked: Form = { formType: NS, title, instructions: 'Fill out this form.', fields }
    return command(id, title, () => ({ form: asked, answered }))
  }
  return [
    form('add-user', 'Add a user', [ACCOUNT, PASSWORD, PASSWORD_AGAIN], (...a) => deeds.add(...a)), // §4.1
    form('delete-user', 'Delete users', [ACCOUNTS], (...a) => deeds.remove(...a)), // §4.2
    form('disable-user', 'Disable users', [ACCOUNTS], (...a) => deeds.setDisabled(true, ...a)), // §4.3
    form('reenable-user', 'Re-enable users', [ACCOUNTS], (...a) => deeds.setDisabled(false, ...a)), // §4.4
    form('end-user-session', 'End sessions', [ACCOUNTS], (...a) => deeds.endSessions(...a)), // §4.5
    form('change-user-password', 'Change a password', [ACCOUNT, PASSWORD], (...a) => deeds.setPassword(...a)), // §4.7
    form('get-user-lastlogin', 'Last logins', [ACCOUNTS], (...a) => deeds.lastLogins(...a)), // §4.9
    command('get-registered-users-num', 'How many users there are', (request) => deeds.countRegistered(request)), // §4.13
    command('get-online-users-num', 'How many users are online', (request) => deeds.countOnline(request)), // §4.15
    form('get-registered-users-list', 'List of users', [MAX_ITEMS], (...a) => deeds.listRegistered(...a)), // §4.18
    form('get-online-users-list', 'List of users online', [MAX_ITEMS], (...a) => deeds.listOnline(...a)), // §4.20
    form('announce', 'Announcement to users online', [ANNOUNCEMENT], (...a) => deeds.announce(...a)), // §4.23
  ]
}

/** What the commands do. Whoever calls has been found to be an administrator. */
class Deeds {
  readonly #ctx: FeatureContext

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  readonly allowed = (from: Jid): boolean => this.#ctx.isAdmin(from)

  async add(answers: Answers, { owner }: CommandRequest): Promise<Done> {
    const password = answers.text('password') ?? ''
    const again = answers.text('password-verify')
    if (again !== undefined && again !== password) throw badPayload('The passwords are not the same.')
    await this.#ctx.accounts.add(only(jidsIn('accountjid', answers, owner)), password)
    return DONE
  }

  async remove(answers: Answers, request: CommandRequest): Promise<Done> {
    for (const jid of await this.#others(answers, request)) await this.#ctx.accounts.remove(jid)
    return DONE
  }

  async setDisabled(disabled: boolean, answers: Answers, request: CommandRequest): Promise<Done> {
    for (const jid of await this.#others(answers, request)) await this.#ctx.accounts.setDisabled(jid, disabled)
    return DONE
  }

  /** XEP-0133 §4.5: of a full JID that session, of a bare one all of them. */
  endSessions(answers: Answers, { owner, session: own }: CommandRequest): Done {
    const ended = new Set<Session>()
    for (const jid of jidsIn('accountjids', answers, owner)) {
      const found = this.#ctx.directory.loaded(jid.bare.key)?.sessions
      const sessions = [...(found?.values() ?? [])].filter((one) => jid.isBare || one.resource === jid.resource)
      if (sessions.length === 0) throw new StanzaError('cancel', 'item-not-found', `${jid} is not online.`)
      for (const session of sessions) ended.add(session)
    }
    if (own && ended.has(own)) throw new StanzaError('cancel', 'not-allowed', 'This would end the session you use.')
    for (const session of ended) session.close(new StreamError('reset', 'Ended by an administrator.'))
    return DONE
  }

  async setPassword(answers: Answers, { owner, session }: CommandRequest): Promise<Done> {
    const jid = only(jidsIn('accountjid', answers, owner))
    await this.#ctx.accounts.setPassword(jid, answers.text('password') ?? '', session?.id)
    return DONE
  }

  /** Whoever is online logged in at its last login; of others the end of the last session is known. */
  async lastLogins(answers: Answers, { owner }: CommandRequest): Promise<Done> {
    const jids = await this.#existing(jidsIn('accountjids', answers, owner))
    const rows: { readonly accountjids: string; readonly lastlogin: string }[] = []
    for (const jid of jids) rows.push({ accountjids: jid.key, lastlogin: await this.#lastLogin(jid) })
    const columns: readonly Field[] = [
      { name: 'accountjids', label: 'Account' },
      { name: 'lastlogin', label: 'Last login' },
    ]
    const [first] = rows
    if (rows.length > 1 || !first) return { result: tableElement({ columns, rows }) }
    return {
      result: result(...columns.map((field) => ({ ...field, values: [first[field.name as keyof typeof first]] }))),
    }
  }

  async countRegistered({ owner }: CommandRequest): Promise<Done> {
    const values = [String(await this.#ctx.accounts.count(owner.domain))]
    return { result: result({ name: 'registeredusersnum', label: 'The number of registered users', values }) }
  }

  countOnline({ owner }: CommandRequest): Done {
    const values = [String(this.#online(owner).length)]
    return { result: result({ name: 'onlineusersnum', label: 'The number of online users', values }) }
  }

  async listRegistered(answers: Answers, { owner }: CommandRequest): Promise<Done> {
    const most = mostItems(answers)
    const accounts = await this.#ctx.accounts.list({ domain: owner.domain, limit: most + 1 })
    return listed('registereduserjids', accounts, most)
  }

  listOnline(answers: Answers, { owner }: CommandRequest): Done {
    return listed('onlineuserjids', this.#online(owner), mostItems(answers))
  }

  /** XEP-0133 §4.23: to those who are there now; nobody gets it later. */
  async announce(answers: Answers, { owner }: CommandRequest): Promise<Done> {
    const text = answers.texts('announcement').join('\n')
    const subject = el('subject', NS_CLIENT, null, `Announcement from ${owner}`)
    const message = el('message', NS_CLIENT, { type: 'headline' }, subject, el('body', NS_CLIENT, null, text))
    for (const { jid } of this.#online(owner)) {
      await this.#ctx.router.route(Stanza.of(message, owner, jid, randomUUID()))
    }
    return DONE
  }

  #online(owner: Jid): readonly { readonly jid: Jid }[] {
    return [...this.#ctx.directory.online()].filter(({ jid }) => jid.domain === owner.domain)
  }

  async #lastLogin(jid: Jid): Promise<string> {
    const sessions = [...(this.#ctx.directory.loaded(jid.key)?.sessions.values() ?? [])]
    const time = sessions.length > 0 ? Math.max(...sessions.map(({ login }) => login.since)) : undefined
    const last = time ?? (await this.#ctx.accounts.find(jid))?.lastSeen
    return last === undefined ? '' : new Date(last).toISOString()
  }

  /** The accounts meant, all of which exist, so that nothing is done by halves; nobody does away with oneself. */
  async #others(answers: Answers, { owner, from }: CommandRequest): Promise<readonly Jid[]> {
    const jids = await this.#existing(jidsIn('accountjids', answers, owner))
    if (jids.some((jid) => jid.equals(from.bare)))
      throw new StanzaError('cancel', 'not-allowed', 'This cannot be done to your own account.')
    return jids
  }

  async #existing(jids: readonly Jid[]): Promise<readonly Jid[]> {
    const accounts = [...new Map(jids.map((jid) => [jid.bare.key, jid.bare])).values()]
    for (const jid of accounts) {
      if (await this.#ctx.accounts.find(jid)) continue
      throw new StanzaError('cancel', 'item-not-found', `There is no account ${jid}.`)
    }
    return accounts
  }
}

/** The addresses of a field: accounts of the domain that is asked. */
function jidsIn(name: string, answers: Answers, { domain }: Jid): readonly Jid[] {
  const jids = answers.jids(name)
  if (jids.length > ACCOUNTS_MAX) throw badPayload(`At most ${ACCOUNTS_MAX} accounts at a time, please.`)
  const stranger = jids.find((jid) => jid.local === undefined || jid.domain !== domain)
  if (stranger) throw badPayload(`${stranger} is no account of ${domain}.`)
  return jids
}

function only([jid]: readonly Jid[]): Jid {
  if (!jid) throw badPayload('Which account?')
  return jid.bare
}

function mostItems(answers: Answers): number {
  const given = answers.text('max_items') || '100'
  return given === 'none' ? LIST_MAX : Number(given)
}

/** XEP-0133 §4.18: as much of the list as was asked for; a note says if there is more. */
function listed(name: string, accounts: readonly { readonly jid: Jid }[], most: number): Done {
  const values = accounts.slice(0, most).map(({ jid }) => jid.key)
  const shown = { result: result({ name, type: 'jid-multi', label: 'Users', values }) }
  return accounts.length > most ? { ...shown, notes: [{ type: 'warn', text: 'There are more.' }] } : shown
}

function result(...fields: readonly Field[]): ReturnType<typeof resultElement> {
  return resultElement({ formType: NS, fields })
}
