// SPDX-License-Identifier: Apache-2.0
// XEP-0441: Message Archive Management Preferences. Whose messages an account wants kept. They are in memory while the
// account is: only the first message that it sends or gets waits for them. And the deletion of what is kept.
import type { Command } from '../core/command.ts'
import type { LocalAccount } from '../core/directory.ts'
import {
  type Feature,
  type FeatureContext,
  type IqRequest,
  type MaybeAsync,
  PASS,
  type Verdict,
} from '../core/feature.ts'
import { type Element, el } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import type { Form } from '../xmpp/0004-data-forms.ts'
import { NS_MAM } from '../xmpp/0313-archive-queries.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** The command that deletes messages. No XEP has one. */
const DELETE = 'aenigma:archive#delete'
const DELETE_FORM: Form = {
  formType: DELETE,
  title: 'Delete messages from your archive',
  instructions: 'They are gone for all your devices that have not fetched them, and cannot be brought back.',
  fields: [
    { name: 'with', type: 'jid-single', label: 'Only those exchanged with this address' },
    { name: 'sure', type: 'boolean', label: 'Delete them', required: true, values: ['0'] },
  ],
}

/** The key of the stored document. */
const DOCUMENT = 'archive-preferences'
/** How many addresses both lists may have together. */
const MOST = 500

type Default = 'always' | 'never' | 'roster'

interface Preferences {
  readonly default: Default
  readonly always: ReadonlySet<string>
  readonly never: ReadonlySet<string>
}

/** What holds for who has said nothing. */
const UNSAID: Preferences = { default: 'always', always: new Set(), never: new Set() }

// Hangs on the account, so it is gone with it; the archive and the offline queue both ask.
const known = new WeakMap<LocalAccount, Preferences>()

/** Whether the account wants messages exchanged with this address kept. One whose preferences nobody asked for wants all. */
export function wantsKept(account: LocalAccount | undefined, peer: Jid): boolean {
  const preferences = account && known.get(account)
  if (!account || !preferences || preferences === UNSAID) return true
  // §2.4.1: an entry without a resource means all resources. What is listed twice is not kept: doubt means no.
  if (preferences.never.has(peer.key) || preferences.never.has(peer.bare.key)) return false
  if (preferences.always.has(peer.key) || preferences.always.has(peer.bare.key)) return true
  if (preferences.default !== 'roster') return preferences.default === 'always'
  return peer.bare.equals(account.jid) || account.roster.item(peer.bare)?.listed === true
}

/** XEP-0441: Message Archive Management Preferences. */
export const archivePreferences: Feature = {
  name: 'archive-preferences',
  implements: [{ xep: 441, version: '0.2.0', name: 'Message Archive Management Preferences' }],
  setup(ctx) {
    const shelf = new Shelf(ctx)
    return {
      iq: [
        { at: ['account'], type: 'get', ns: NS_MAM, name: 'prefs', answer: (request) => shelf.tell(request) },
        { at: ['account'], type: 'set', ns: NS_MAM, name: 'prefs', answer: (request) => shelf.change(request) },
      ],
      only: { onSend: ['message'], onReceive: ['message'] },
      onSend: (stanza, { account }) => (mayBeKept(stanza) ? shelf.ready(account) : PASS),
      onReceive: (stanza, account) => (mayBeKept(stanza) ? shelf.ready(account) : PASS),
      disco: { commands: [deletion(ctx)] },
    }
  },
}

/** Nothing else is archived, so nothing else has to wait (`keepingOf`). */
function mayBeKept({ kind, type }: Stanza): boolean {
  return kind === 'message' && (type === 'chat' || type === 'normal')
}

/** A user deletes what their own archive has, all or one conversation. What the others have stays theirs. */
function deletion({ hosts, store }: FeatureContext): Command {
  return {
    node: DELETE,
    name: DELETE_FORM.title ?? '',
    allowed: (from) => from.local !== undefined && hosts.has(from.domain),
    start: () => ({
      form: DELETE_FORM,
      async answered(answers, { from }) {
        if (answers.flag('sure') !== true) return { notes: [{ type: 'info', text: 'Nothing was deleted.' }] }
        const contact = answers.jids('with')[0]
        const deleted = await store.messages.erase(from.bare, contact?.bare)
        return { notes: [{ type: 'info', text: `Messages deleted: ${deleted}.` }] }
      },
    }),
  }
}

/** Gets preferences into memory. */
class Shelf {
  readonly #ctx: FeatureContext
  readonly #loading = new WeakMap<LocalAccount, Promise<Preferences>>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** Passes at once when they are in memory. */
  ready(account: LocalAccount): MaybeAsync<Verdict> {
    return known.has(account) ? PASS : this.#of(account).then(() => PASS)
  }

  async tell(request: IqRequest): Promise<Element> {
    return prefsElement(await this.#of(accountOf(request)))
  }

  /** §2.1: answered once they are on disk. */
  async change(request: IqRequest): Promise<Element> {
    const account = accountOf(request)
    const preferences = readPreferences(request.payload)
    await this.#of(account)
    await this.#ctx.store.documents.put(account.jid, DOCUMENT, prefsElement(preferences).xml(''))
    known.set(account, preferences)
    return prefsElement(preferences)
  }

  #of(account: LocalAccount): Promise<Preferences> {
    const loaded = known.get(account)
    if (loaded) return Promise.resolve(loaded)
    const loading = this.#loading.get(account) ?? this.#load(account)
    this.#loading.set(account, loading)
    return loading
  }

  async #load(account: LocalAccount): Promise<Preferences> {
    try {
      const text = await this.#ctx.store.documents.get(account.jid, DOCUMENT)
      const preferences = text === undefined ? UNSAID : readPreferences(parseElement(text, ''))
      known.set(account, preferences)
      return preferences
    } finally {
      this.#loading.delete(account)
    }
  }
}

function accountOf({ account }: IqRequest): LocalAccount {
  if (!account) throw new StanzaError('cancel', 'service-unavailable')
  return account
}

function prefsElement({ default: fallback, always, never }: Preferences): Element {
  const list = (name: string, keys: ReadonlySet<string>): Element =>
    el(name, NS_MAM, null, ...[...keys].map((key) => el('jid', NS_MAM, null, key)))
  return el('prefs', NS_MAM, { default: fallback }, list('always', always), list('never', never))
}

/** Throws `bad-request`, `jid-malformed`, or `policy-violation` if there is too much of it. */
function readPreferences(prefs: Element): Preferences {
  const fallback = prefs.attrs.default
  if (fallback !== 'always' && fallback !== 'never' && fallback !== 'roster')
    throw new StanzaError('modify', 'bad-request', 'The default is always, never or roster.')
  const [always, never] = [keysIn(prefs.child('always')), keysIn(prefs.child('never'))]
  if (always.size + never.size > MOST)
    throw new StanzaError('modify', 'policy-violation', `At most ${MOST} addresses, please.`)
  return { default: fallback, always, never }
}

function keysIn(list: Element | undefined): ReadonlySet<string> {
  return new Set((list?.childrenNamed('jid') ?? []).map((jid) => Jid.parse(jid.text.trim()).key))
}
