// SPDX-License-Identifier: Apache-2.0
// One device of one account that wants to be woken: at most one notification is on its way to its app server at a time,
// then there is a pause, which errors make longer. What comes meanwhile goes with the next one.
import type { LocalAccount } from '../../core/directory.ts'
import type { FeatureContext } from '../../core/feature.ts'
import type { PushRegistration } from '../../store/store.ts'
import { type Element, el } from '../../xml/element.ts'
import { parseElement } from '../../xml/reader.ts'
import type { Stanza } from '../../xmpp/stanza.ts'

/** The namespace of XEP-0357. */
export const NS_PUSH = 'urn:xmpp:push:0'
const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
const NS_DATA = 'jabber:x:data'

/** The time between two notifications, in ms. */
const PAUSE = 5000
/** The longest time that errors make of it. */
const PAUSE_MAX = 3_600_000
/** After so many errors in a row, the last of which was for good, nothing more is sent (§7.1). */
const ERRORS_MAX = 3

/** A device and its app server. */
export class Device {
  readonly #ctx: FeatureContext
  readonly #account: LocalAccount
  #registration: PushRegistration
  /** What came since the device was seen last. */
  readonly #waiting = { message: 0, request: 0 }
  #busy = false
  #again = false
  #gone = false

  constructor(ctx: FeatureContext, account: LocalAccount, registration: PushRegistration) {
    this.#ctx = ctx
    this.#account = account
    this.#registration = registration
  }

  /** Whose device it is, as the client calls itself. */
  get resource(): string {
    return this.#registration.device
  }

  /** Takes what was enabled anew. */
  renew(registration: PushRegistration): void {
    this.#registration = registration
  }

  /** Nothing more is sent. */
  forget(): void {
    this.#gone = true
  }

  /** The device is here and sees for itself. */
  seen(): void {
    this.#waiting.message = 0
    this.#waiting.request = 0
    this.#again = false
  }

  /** Whether the device has a connection. Without one what is sent to it waits (XEP-0198 §5), or it is not here at all. */
  get awake(): boolean {
    return this.#account.sessions.get(this.resource)?.attached === true
  }

  /** Something important came. */
  wake(kind: 'message' | 'request' = 'message'): void {
    this.#waiting[kind]++
    if (this.#gone || this.#registration.disabled) return
    if (this.#busy) this.#again = true
    else void this.#push()
  }

  /** Something important waits: wakes the device unless that was tried since it was seen last. */
  remind(): void {
    if (this.#waiting.message === 0 && !this.awake) this.wake()
  }

  /** Never rejects. */
  async #push(): Promise<void> {
    this.#busy = true
    this.#again = false
    const { jid } = this.#account
    const { service } = this.#registration
    try {
      const answer = await this.#ctx.router.ask(jid, service, 'set', notification(this.#registration, this.#waiting))
      if (!this.#gone) await this.#note(answer)
    } catch (error) {
      this.#ctx.log.error('push failed', { error })
    }
    const pause = Math.min(PAUSE * 2 ** Math.min(this.#registration.errors, 16), PAUSE_MAX)
    this.#ctx.clock.after(pause, () => {
      this.#busy = false
      if (this.#again && !this.#gone && !this.awake && !this.#registration.disabled) void this.#push()
    })
  }

  /** What became of it is kept, for the administrator. */
  async #note(answer: Stanza): Promise<void> {
    const { pushes } = this.#ctx.store
    const now = this.#ctx.clock.now()
    if (answer.type === 'result') {
      this.#registration = { ...this.#registration, errors: 0 }
      return pushes.succeeded(this.#registration, now)
    }
    const { condition, lasting } = errorOf(answer)
    const errors = this.#registration.errors + 1
    const disabled = lasting && errors >= ERRORS_MAX
    this.#registration = { ...this.#registration, errors, disabled }
    return pushes.failed(this.#registration, now, condition, disabled)
  }
}

/**
 * XEP-0357 §7, with numbers and nothing else: app servers, and whoever stands behind them, must not learn who
 * writes, let alone what.
 */
function notification(
  { node, options }: PushRegistration,
  { message, request }: { readonly message: number; readonly request: number },
): Element {
  const summary = el(
    'x',
    NS_DATA,
    { type: 'submit' },
    el('field', NS_DATA, { var: 'FORM_TYPE', type: 'hidden' }, el('value', NS_DATA, null, 'urn:xmpp:push:summary')),
    countField('message-count', message),
    request > 0 && countField('pending-subscription-count', request),
  )
  const item = el('item', NS_PUBSUB, null, el('notification', NS_PUSH, null, summary))
  return el(
    'pubsub',
    NS_PUBSUB,
    null,
    el('publish', NS_PUBSUB, node === '' ? null : { node }, item),
    options !== undefined && el('publish-options', NS_PUBSUB, null, parseElement(options)),
  )
}

function countField(name: string, count: number): Element {
  return el('field', NS_DATA, { var: name }, el('value', NS_DATA, null, String(count)))
}

/**
 * Its condition, and whether trying again is no use (RFC 6120 §8.3.2): a server that is not found today may be tomorrow, and
 * the device cannot know. Only names that we know are kept.
 */
function errorOf(answer: Stanza): { readonly condition: string; readonly lasting: boolean } {
  const error = answer.element.child('error')
  const condition = error?.elements.find(
    ({ ns, name }) => ns === 'urn:ietf:params:xml:ns:xmpp-stanzas' && name !== 'text',
  )
  const name = (condition?.name ?? 'undefined-condition').slice(0, 64)
  return { condition: name, lasting: error?.attrs.type !== 'wait' && !name.startsWith('remote-server-') }
}
