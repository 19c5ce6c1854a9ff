// SPDX-License-Identifier: Apache-2.0
// The questions of XEP-0060 that accounts and services answer.
import type { IqRoute } from '../../core/feature.ts'
import { type Act, dispatch } from './asked.ts'
import type { Pubsub } from './engine.ts'
import { NS_OWNER, NS_PUBSUB, refusal, unsupported } from './errors.ts'
import { items } from './items.ts'
import * as owner from './owner.ts'
import { publish, retract } from './publish.ts'
import { affiliations, subscribe, subscriptions, unsubscribe } from './subscribe.ts'

const GETS: Readonly<Record<string, Act>> = { items, subscriptions, affiliations }
const SETS: Readonly<Record<string, Act>> = { publish, retract, subscribe, unsubscribe, create: owner.create }
const OWNER_GETS: Readonly<Record<string, Act>> = {
  configure: owner.configuration,
  default: owner.defaults,
  subscriptions: owner.subscriptions,
  affiliations: owner.affiliations,
}
const OWNER_SETS: Readonly<Record<string, Act>> = {
  configure: owner.configure,
  delete: owner.remove,
  purge: owner.purge,
  subscriptions: owner.setSubscriptions,
  affiliations: owner.setAffiliations,
}

/** @param at where they are asked @param engine of this server; asked for with each request */
export function routes(at: 'account' | 'pubsub', engine: () => Pubsub): readonly IqRoute[] {
  const route = (type: 'get' | 'set', ns: string, acts: Readonly<Record<string, Act>>): IqRoute => {
    const answer = dispatch(acts, ({ name }) =>
      name === 'options' || name === 'default' ? unsupported('subscription-options') : refusal('modify', 'bad-request'),
    )
    return {
      at: [at],
      type,
      ns,
      name: 'pubsub',
      strangers: true,
      answer: (request) => answer(request, engine()),
    }
  }
  return [
    route('get', NS_PUBSUB, GETS),
    route('set', NS_PUBSUB, SETS),
    route('get', NS_OWNER, OWNER_GETS),
    route('set', NS_OWNER, OWNER_SETS),
  ]
}
