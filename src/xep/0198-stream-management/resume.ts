// SPDX-License-Identifier: Apache-2.0
// Sessions that outlive their connection (XEP-0198 §5): they wait for their client, within bounds, and go on where they were.
import { createHash, randomBytes } from 'node:crypto'
import type { Cancel } from '../../clock.ts'
import type { FeatureContext, Hooks, MaybeAsync } from '../../core/feature.ts'
import type { Session } from '../../core/session.ts'
import { type Element, el } from '../../xml/element.ts'
import { StreamError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { becomeActive } from '../0352-csi.ts'
import { connectionLost } from '../0357-push/feature.ts'
import { type Managed, NS, type Resume } from './managed.ts'

/** Sessions of one account that may wait for their clients; beyond this the one that waits longest ends. */
const DETACHED_MAX = 5
/** Sessions that ended of which the last count is remembered. */
const ENDED_MAX = 1000

/** What is asked of `Hooks.resume`, and its answer. */
type Request = Parameters<NonNullable<Hooks['resume']>>[0]
type Resumption = NonNullable<Awaited<ReturnType<NonNullable<Hooks['resume']>>>>

/** The sessions that can be resumed. */
export class Resumptions {
  readonly #ctx: FeatureContext
  readonly #byKey = new Map<string, Managed>()
  readonly #byClient = new Map<Session, Managed>()
  /** Those without a connection, those first that lost it first, with what stops their time. */
  readonly #waiting = new Map<Session, Cancel>()
  readonly #ended = new Map<string, { readonly owner: Jid; readonly h: string }>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** What an `<enable/>` asks for: undefined, or how to resume and what the client is told about it. */
  offer({ attrs }: Element): { readonly resume: Resume; readonly id: string } | undefined {
    if (attrs.resume !== 'true' && attrs.resume !== '1') return undefined
    const { resumeTimeout } = this.#ctx.limits
    const wanted = /^[1-9]\d{0,8}$/.test(attrs.max ?? '') ? Number(attrs.max) * 1000 : resumeTimeout
    const id = randomBytes(18).toString('base64url')
    return { id, resume: { key: keyOf(id), timeout: Math.min(wanted, resumeTimeout) } }
  }

  /** From now on the session waits for its client when the connection is lost. */
  add(managed: Managed): void {
    if (!managed.resume) return
    const { client, resume } = managed
    this.#byKey.set(resume.key, managed)
    this.#byClient.set(client, managed)
    client.onLost = () => this.#lost(managed)
  }

  /** The session has no connection: its time begins. */
  wait({ client, resume }: Managed): void {
    this.#waiting.get(client)?.()
    this.#waiting.delete(client)
    this.#waiting.set(
      client,
      this.#ctx.clock.after(resume?.timeout ?? 0, () => client.close()),
    )
  }

  /** The session is over. */
  end({ client, resume, h }: Managed): void {
    if (!resume) return
    this.#waiting.get(client)?.()
    this.#waiting.delete(client)
    this.#byKey.delete(resume.key)
    this.#byClient.delete(client)
    client.onLost = undefined
    this.#ended.set(resume.key, { owner: client.account.jid, h })
    if (this.#ended.size <= ENDED_MAX) return
    for (const oldest of this.#ended.keys()) {
      this.#ended.delete(oldest)
      return
    }
  }

  /** As `Hooks.resume`. */
  resume(request: Request): MaybeAsync<Resumption | undefined> {
    const { element, jid } = request
    if (!element.is('resume', NS)) return undefined
    const key = keyOf(element.attrs.previd ?? '')
    const managed = this.#byKey.get(key)
    // Of somebody else's session nobody learns that it exists.
    if (!managed?.client.account.jid.equals(jid)) return this.#unknown(key, jid)
    return this.#goOn(managed, key, request)
  }

  /** Stops all timers. */
  stop(): void {
    for (const cancel of this.#waiting.values()) cancel()
  }

  #lost(managed: Managed): boolean {
    becomeActive(managed.client) // what was held back waits with all the rest (XEP-0352 §5.2)
    connectionLost(this.#ctx, managed.client, managed.unacknowledged())
    this.wait(managed)
    const detached = [...managed.client.account.sessions.values()].filter((one) => this.#waiting.has(one))
    if (detached.length <= DETACHED_MAX) return true
    for (const client of this.#waiting.keys()) {
      if (!detached.includes(client)) continue
      client.close()
      break
    }
    return true
  }

  async #goOn(managed: Managed, key: string, { element, jid, link }: Request): Promise<Resumption> {
    const { client } = managed
    this.#takeOver(managed)
    // The count that the client is told must be the last one, and on disk.
    await client.handling
    await this.#ctx.store.durable().catch(() => {
      throw new StreamError('internal-server-error')
    })
    if (this.#byKey.get(key) !== managed) return this.#unknown(key, jid)
    managed.acknowledged(element)
    return {
      answer: el('resumed', NS, { previd: element.attrs.previd, h: managed.h }),
      session: client,
      replay: () => this.#replay(managed, link),
    }
  }

  /** A connection that hangs is not to be waited for: the client knows better. */
  #takeOver(managed: Managed): void {
    const { client } = managed
    const old = client.detach(() => this.#ctx.directory.end(client))
    becomeActive(client) // what was held back comes with all the rest (XEP-0352 §5.2)
    this.wait(managed)
    old?.close(new StreamError('conflict', 'Resumed by a newer stream.'))
  }

  /** Only here the session gets its connection: nothing can be written to it before `<resumed/>`. */
  #replay(managed: Managed, link: Request['link']): void {
    const { client } = managed
    if (this.#byClient.get(client) !== managed) {
      link.close(new StreamError('reset'))
      return
    }
    this.#takeOver(managed)
    this.#waiting.get(client)?.()
    this.#waiting.delete(client)
    client.attach(link)
    managed.replay()
  }

  #unknown(key: string, jid: Jid): Resumption {
    const ended = this.#ended.get(key)
    const h = ended?.owner.equals(jid) ? ended.h : undefined
    return { answer: failed('item-not-found', h), session: undefined, replay: () => undefined }
  }
}

/** A refusal (§3, §5). @param h what is known of the session that is gone */
export function failed(condition: string, h?: string): Element {
  return el('failed', NS, h === undefined ? null : { h }, el(condition, 'urn:ietf:params:xml:ns:xmpp-stanzas'))
}

/** What is kept of the secret that the client holds. */
function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url')
}
