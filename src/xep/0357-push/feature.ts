// SPDX-License-Identifier: Apache-2.0
// XEP-0357: Push Notifications. When something important comes for a device that is not connected, its app server is told
// that there is something, and never what or from whom. The path of a message does not wait for any of it.
import type { LocalAccount } from '../../core/directory.ts'
import { type Feature, type FeatureContext, type IqRequest, PASS, type Verdict } from '../../core/feature.ts'
import { seesUs } from '../../core/roster.ts'
import type { Router } from '../../core/router.ts'
import type { Session } from '../../core/session.ts'
import type { RosterItem } from '../../store/store.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { Device, NS_PUSH } from './device.ts'
import { wakesDevices } from './importance.ts'

/** How many registrations an account may have: each message for it makes as many of ours. */
const MOST = 10
const NODE_MAX = 1024
const OPTIONS_MAX = 4096

/** For `connectionLost`: what hangs on the server is gone with it. */
const byServer = new WeakMap<Router, Pushes>()

/**
 * For stream management (XEP-0198 §5): a client lost its connection, and may come back for what it did not acknowledge. The
 * connection was dead for a while before that was noticed, so what came meanwhile has woken nobody.
 */
export function connectionLost(ctx: FeatureContext, client: Session, unacknowledged: readonly Stanza[]): void {
  if (unacknowledged.some(wakesDevices)) byServer.get(ctx.router)?.lost(client)
}

/** For rooms (XEP-0045): something important was said where an account has its place and no client. Nobody waits for it. */
export function wakeAccount(ctx: FeatureContext, account: LocalAccount): void {
  byServer.get(ctx.router)?.wakeAll(account)
}

/** XEP-0357: Push Notifications. */
export const push: Feature = {
  name: 'push',
  implements: [
    { xep: 357, version: '0.4.1', name: 'Push Notifications', note: 'notifications never tell who wrote, or what' },
  ],
  setup(ctx) {
    const pushes = new Pushes(ctx)
    return {
      iq: [
        { at: ['account'], type: 'set', ns: NS_PUSH, name: 'enable', answer: (request) => pushes.enable(request) },
        { at: ['account'], type: 'set', ns: NS_PUSH, name: 'disable', answer: (request) => pushes.disable(request) },
      ],
      onReceive: (stanza, owner) => pushes.received(stanza, owner),
      onAvailable: (client) => pushes.seen(client),
      onEnd: (client) => pushes.ended(client),
      disco: { account: { features: [NS_PUSH] } },
      start() {
        byServer.set(ctx.router, pushes)
      },
    }
  },
}

/** The devices of one account by service and node. */
type Devices = Map<string, Device>

/** The devices of the accounts in memory. */
class Pushes {
  readonly #ctx: FeatureContext
  readonly #known = new WeakMap<LocalAccount, Devices>()
  readonly #loading = new WeakMap<LocalAccount, Promise<Devices>>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** XEP-0357 §5. */
  async enable({ payload, account, session }: IqRequest): Promise<undefined> {
    if (!account || !session) return undefined
    const service = serviceOf(payload, this.#ctx.hosts)
    const node = payload.attrs.node ?? ''
    const form = payload.child('x', 'jabber:x:data')
    const options = form?.xml('')
    if (Buffer.byteLength(node) > NODE_MAX || Buffer.byteLength(options ?? '') > OPTIONS_MAX) {
      throw new StanzaError('modify', 'policy-violation', 'The node or the form is too long.')
    }
    const wish = { owner: account.jid, service, node, device: session.resource, options }
    await this.#ctx.store.pushes.enable(wish, this.#ctx.clock.now(), MOST)
    await this.#reload(account)
    return undefined
  }

  /** XEP-0357 §6. */
  async disable({ payload, account }: IqRequest): Promise<undefined> {
    if (!account) return undefined
    const service = Jid.parse(payload.attrs.jid)
    await this.#ctx.store.pushes.disable(account.jid, service, payload.attrs.node)
    await this.#reload(account)
    return undefined
  }

  /** Wakes whom it concerns. What an account without devices gets costs no more than a look into a map. */
  received(stanza: Stanza, owner: LocalAccount): Verdict {
    if (stanza.kind === 'presence' && stanza.type !== 'subscribe') return PASS
    const devices = this.#known.get(owner)
    const from = stanza.from?.bare
    if (devices?.size === 0 || !from || from.equals(owner.jid) || !wakesDevices(stanza)) return PASS
    if (stanza.kind === 'presence' && isSettled(owner.roster.item(from))) return PASS
    if (devices) wake(devices, stanza, owner)
    else this.#wakeLater(stanza, owner)
    return PASS
  }

  /** By itself, since a closure would be paid for by every stanza. */
  #wakeLater(stanza: Stanza, owner: LocalAccount): void {
    this.#later(owner, (devices) => wake(devices, stanza, owner))
  }

  /** The device is here. */
  seen({ account, resource }: Session): void {
    for (const device of this.#known.get(account)?.values() ?? []) if (device.resource === resource) device.seen()
  }

  /** A client is gone, perhaps long before it was noticed: what it did not get waits now, and nobody has told it so. */
  ended({ account, resource }: Session): void {
    if (this.#known.get(account)?.size === 0 || this.#ctx.directory.loaded(account.jid.key) !== account) return
    this.#later(account, async (devices) => {
      const mine = [...devices.values()].filter((device) => device.resource === resource)
      if (mine.length === 0 || (await this.#ctx.store.messages.offlineCount(account.jid)) === 0) return
      for (const device of mine) device.remind()
    })
  }

  /** As the function `connectionLost`. */
  lost({ account, resource }: Session): void {
    this.#later(account, (devices) => {
      for (const device of devices.values()) if (device.resource === resource) device.remind()
    })
  }

  /** As the function `wakeAccount`. */
  wakeAll(account: LocalAccount): void {
    this.#later(account, (devices) => {
      for (const device of devices.values()) if (!device.awake) device.wake()
    })
  }

  /** Does it when the devices are known; nobody waits, and what fails is logged. */
  #later(account: LocalAccount, what: (devices: Devices) => unknown): void {
    this.#of(account)
      .then(what)
      .catch((error: unknown) => this.#ctx.log.error('push failed', { error }))
  }

  #of(account: LocalAccount): Promise<Devices> {
    const known = this.#known.get(account)
    return known ? Promise.resolve(known) : (this.#loading.get(account) ?? this.#reload(account))
  }

  /** Puts what is stored into memory; a device that is there already stays, with what it waits for. */
  #reload(account: LocalAccount): Promise<Devices> {
    const loading = this.#ctx.store.pushes.list(account.jid, MOST).then((registrations) => {
      if (this.#loading.get(account) !== loading) return this.#of(account) // a later one knows better
      this.#loading.delete(account)
      const before = this.#known.get(account)
      const devices: Devices = new Map()
      for (const registration of registrations) {
        const key = `${registration.service} ${registration.node}`
        const device = before?.get(key) ?? new Device(this.#ctx, account, registration)
        device.renew(registration)
        devices.set(key, device)
      }
      for (const [key, device] of before ?? []) if (!devices.has(key)) device.forget()
      this.#known.set(account, devices)
      return devices
    })
    this.#loading.set(account, loading)
    loading.catch(() => {
      if (this.#loading.get(account) === loading) this.#loading.delete(account)
    })
    return loading
  }
}

/**
 * What is for all clients of the account is also for those that are not here. What is for one alone (a room's message, a
 * call to a full JID) wakes that one.
 */
function wake(devices: Devices, stanza: Stanza, { sessions }: LocalAccount): void {
  const forOne = stanza.kind === 'iq' || stanza.type === 'groupchat'
  const target = stanza.to?.resource
  if (forOne && !sessions.has(target ?? '')) return
  for (const device of devices.values()) {
    if (forOne && device.resource !== target) continue
    if (device.awake) device.seen()
    else device.wake(stanza.kind === 'presence' ? 'request' : 'message')
  }
}

/** Whether a request is answered without the user, or was made before (RFC 6121 §3.1.3). */
function isSettled(item: RosterItem | undefined): boolean {
  return item !== undefined && (seesUs(item) || item.approved || item.request !== undefined)
}

/** Whom to notify: never one of our own users, who would get what they did not ask for. */
function serviceOf({ attrs }: Element, hosts: ReadonlySet<string>): Jid {
  const service = Jid.parse(attrs.jid)
  if (service.local !== undefined && hosts.has(service.domain)) {
    throw new StanzaError('cancel', 'not-allowed', 'This is an account, not a push service.')
  }
  return service
}
