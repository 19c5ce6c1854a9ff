// SPDX-License-Identifier: Apache-2.0
// The servers that calls need, used as a call does with what our users are told: an address from each, and a relay through which
// something passes.
import type { Check } from '../../appliance/check.ts'
import { askStun, RelayFailure, type RelayPlace, tryRelay } from '../../net/probes/turn-client.ts'
import type { Element } from '../../xml/element.ts'
import { servicesOf } from '../compliance/checks/services.ts'
import type { Lab } from '../compliance/lab.ts'
import { Unseen } from '../compliance/missing.ts'
import { bad, na, ok, type Seen } from './subject.ts'

/** How many of one kind are tried. */
const MOST = 8

const FIX: Readonly<Record<RelayFailure['kind'], string>> = {
  silent: 'Look whether it runs, and whether its ports are open (3478 by UDP and TCP, 5349 with TLS).',
  refused:
    'The `secret` in `externalServices` must be its `static-auth-secret`; else look at its log, and at the clocks of both.',
  'no-relay': 'Open its relay ports (UDP 49152-65535) in its firewall; behind NAT it must know its `external-ip`.',
}

/** Makes a check with an account that may ask. */
type Looks = (id: string, about: string, look: (lab: Lab) => Promise<Seen>) => Check

/** The checks. */
export function relayChecks(looks: Looks, authorities: readonly string[] | undefined): readonly Check[] {
  const of = (
    kind: 'stun' | 'turn',
    about: string,
    use: (place: RelayPlace, attrs: Element['attrs']) => Promise<string>,
  ) =>
    looks(kind, about, async (lab) => {
      const all = (await namedIn(lab)).filter(({ attrs }) => attrs.type === kind || attrs.type === `${kind}s`)
      if (all.length === 0) return na('None is named.')
      return together(await Promise.all(all.slice(0, MOST).map((one) => tried(one, authorities, use))))
    })
  return [
    of('stun', 'a server that tells addresses (STUN)', async (place) => {
      const { address } = await askStun(place)
      return `sees ${address}`
    }),
    of('turn', 'a relay for calls (TURN)', async (place, { username, password }) => {
      if (!username || !password) throw new RelayFailure('refused', 'it is named without a user and a password')
      const { address } = await tryRelay(place, { username, password })
      return `relays at ${address}`
    }),
  ]
}

/** Why nobody could ask is told by the logins. */
function namedIn(lab: Lab): ReturnType<typeof servicesOf> {
  return servicesOf(lab).catch(() => {
    throw new Unseen('nobody could ask')
  })
}

interface Tried {
  readonly text: string
  readonly failure: RelayFailure['kind'] | undefined
}

async function tried(
  { attrs }: Element,
  authorities: readonly string[] | undefined,
  use: (place: RelayPlace, attrs: Element['attrs']) => Promise<string>,
): Promise<Tried> {
  const { type = '', host = '', port, transport = 'udp' } = attrs
  const tls = type.endsWith('s')
  const at = `${host} port ${port ?? '?'} by ${tls ? 'TLS' : transport.toUpperCase()}`
  if (tls && transport === 'udp') return { text: `${at}: not tried over UDP`, failure: undefined }
  const place: RelayPlace = {
    host,
    port: Number(port),
    transport: transport === 'tcp' ? 'tcp' : 'udp',
    tls,
    authorities,
  }
  try {
    return { text: `${at} ${await use(place, attrs)}`, failure: undefined }
  } catch (error) {
    if (!(error instanceof RelayFailure)) throw error
    return { text: `${at}: ${error.message}`, failure: error.kind }
  }
}

function together(all: readonly Tried[]): Seen {
  const found = `${all.map(({ text }) => text).join('; ')}.`
  const failure = all.find((one) => one.failure !== undefined)?.failure
  return failure === undefined ? ok(found) : bad('error', found, FIX[failure])
}
