// SPDX-License-Identifier: Apache-2.0
// Proving our domains in the DNS (RFC 8555 §8.4): by whoever keeps the zone, as the configuration says, or by the zone that this
// server answers for itself.
import { setTimeout as pause } from 'node:timers/promises'
import { byDns, type Place } from '../appliance/acme/dns-answer.ts'
import type { Answerer } from '../appliance/acme/order.ts'
import { normal, ProviderError } from '../appliance/dns/record.ts'
import type { Config } from '../config/config.ts'
import type { Log } from '../log.ts'
import type { DnsResponder } from '../net/dns/responder.ts'
import { delegatedLabel } from './delegation.ts'
import { authoritativeFor } from './dns.ts'
import { providerOf } from './dns-provider.ts'

/** How long the servers of a zone may take to show a record, the first pause between two looks, and the longest, in ms. */
const PATIENCE = 3 * 60_000
const PAUSE_FIRST = 1_000
const PAUSE_LAST = 10_000
/** How many aliases are followed. */
const MOST_ALIASES = 8

type Settings = Pick<Config, 'dns' | 'federation'>

/** By the provider of the section `dns`. */
export function byProvider(config: Settings, log: Log): Answerer {
  return byDns({
    provider: () => providerOf(config.dns, fetch),
    place: (name) => placeOf(config, name),
    shown: (place, text, signal) => untilShown(config, place, text, signal),
    left: (why) => log.warn('record of a proof was not removed', { reason: why instanceof Error ? why.message : why }),
    wait: (ms) => pause(ms),
  })
}

/** By our own name server; the aliases that lead there are told by `aenigma dns`. */
export function byResponder(responder: DnsResponder): Answerer {
  return {
    type: 'dns-01',
    async answer({ name, keyAuthorization }) {
      const problems = await responder.listen()
      if (responder.places.length === 0) throw new Error(`nobody can ask for the proof here: ${problems.join('; ')}`)
      return responder.put(delegatedLabel(name), keyAuthorization)
    },
  }
}

/** Where its aliases lead, and the zone there. */
async function placeOf(config: Settings, first: string): Promise<Place> {
  const dns = authoritativeFor(config)
  let name = first
  for (let jumps = 0; jumps < MOST_ALIASES; jumps++) {
    const said = await dns.ask(name, 'CNAME')
    const alias = said.flatMap(({ values }) => values)[0]
    if (alias === undefined) break
    name = normal('CNAME', alias).replace(/\.$/, '')
  }
  const { zone } = config.dns
  if (zone !== undefined && name.endsWith(`.${zone}`)) return { zone, name }
  // A zone cannot begin at the name itself: there would be none to put it into.
  const found = await dns.zoneOf(name.slice(name.indexOf('.') + 1))
  if (!found) throw new ProviderError(`The DNS knows of no zone that ${name} is in.`)
  return { zone: found.name, name }
}

/** Whoever is asked may be the one that lags behind. A server that does not answer at all is not waited for. */
async function untilShown(config: Settings, { name }: Place, text: string, signal: AbortSignal): Promise<void> {
  const end = performance.now() + PATIENCE
  for (let wait = PAUSE_FIRST; ; wait = Math.min(2 * wait, PAUSE_LAST)) {
    const said = await authoritativeFor(config).ask(name, 'TXT')
    const heard = said.filter(({ failed }) => failed === undefined)
    const lacking = heard.filter(({ values }) => !values.includes(text))
    if (heard.length > 0 && lacking.length === 0) return
    signal.throwIfAborted()
    if (performance.now() > end) {
      // Where some show it, or nobody can be asked from here, the authority may be luckier.
      if (heard.length > lacking.length || heard.length === 0) return
      throw new ProviderError(`${lacking.map(({ server }) => server.name).join(', ')} did not show the record.`)
    }
    await pause(wait, undefined, { signal })
  }
}
