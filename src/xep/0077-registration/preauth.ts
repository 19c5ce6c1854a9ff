// SPDX-License-Identifier: Apache-2.0
// XEP-0445: Pre-Authenticated In-Band Registration. A stream that has shown an invitation may register by
// `feature.ts`, which uses this; showing it does not use it up.
import type { BeforeLogin, FeatureContext } from '../../core/feature.ts'
import { NS_PREAUTH } from '../../xmpp/0401-invitation.ts'
import { DiscreetError, StanzaError } from '../../xmpp/errors.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { RegistrationThrottle } from './feature.ts'

/** Of the stream feature (XEP-0445 §3). */
export const NS_IBR_TOKEN = 'urn:xmpp:ibr-token:0'

/** An invitation that a stream has shown. */
export interface Shown {
  readonly token: string
  /** When: whether it had expired counts at that moment alone (XEP-0445 §4). */
  readonly at: number
  /** The only name that it can be used for, if there is one. */
  readonly name: string | undefined
}

/** The invitations that streams have shown. */
export class Preauth {
  readonly #ctx: FeatureContext
  readonly #throttle: RegistrationThrottle
  readonly #shown = new WeakMap<object, Shown>()

  constructor(ctx: FeatureContext, throttle: RegistrationThrottle) {
    this.#ctx = ctx
    this.#throttle = throttle
  }

  /** Whether this is somebody who shows an invitation. */
  concerns({ payload, stanza }: BeforeLogin): boolean {
    return stanza.type === 'set' && payload.is('preauth', NS_PREAUTH)
  }

  /** The answer to who shows one; never rejects. */
  async answer(request: BeforeLogin): Promise<Stanza> {
    try {
      await this.#show(request)
      return request.stanza.result()
    } catch (error) {
      return request.stanza.bounce(new DiscreetError(this.#ctx.router.wireError(error)))
    }
  }

  /** What a stream has shown. */
  of(stream: object): Shown | undefined {
    return this.#shown.get(stream)
  }

  /** It was used: one account for each time that an invitation is shown. */
  spent(stream: object): void {
    this.#shown.delete(stream)
  }

  async #show({ stanza, payload, host, network, stream }: BeforeLogin): Promise<void> {
    if (stanza.to && stanza.to.key !== host) throw new StanzaError('cancel', 'service-unavailable')
    const failed = this.#throttle.enter(network)
    if (!failed) throw new StanzaError('wait', 'resource-constraint', 'Too many tries. Try again in an hour.')
    failed()
    const { token = '' } = payload.attrs
    const at = this.#ctx.clock.now()
    const found = await this.#ctx.accounts.invitations.find(token)
    if (!found?.accounts || found.domain !== host) {
      this.#shown.delete(stream)
      throw new StanzaError('cancel', 'item-not-found', 'The provided token is invalid or expired.')
    }
    this.#shown.set(stream, { token, at, name: found.name })
  }
}
