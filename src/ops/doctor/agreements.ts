// SPDX-License-Identifier: Apache-2.0
// What TLS agrees to at a port, as those who grade servers look at it: nothing but TLS 1.3 and the part of 1.2 that is still good.
import type { Check } from '../../appliance/check.ts'
import { FALLBACK, GOOD_SUITES, suiteName, WEAK_SUITES } from '../../net/probes/tls-hello.ts'
import { probeHello, probeRenegotiation, type TlsPlace } from '../../net/probes/tls-probe.ts'
import type { ListenInfo } from '../running-server.ts'
import type { Probes } from './probes.ts'
import { bad, check, ok, type Seen } from './subject.ts'

const FIX = 'Something before the server ends TLS: configure it to refuse this.'

/** The checks of one port. @param domain that is asked for there */
export function agreementChecks(probes: Probes, port: ListenInfo, domain: string): readonly Check[] {
  const of = (id: string, about: string, look: (place: TlsPlace, protocol: string) => Promise<Seen>): Check =>
    check(`${id}.${port.port}`, `${about} at port ${port.port} (${port.kind})`, async () => {
      const { protocol } = await probes.tls(port, domain) // whoever does not answer at all refuses nothing
      return look(probes.placeOf(port, domain), protocol)
    })
  return [
    of('tls', 'TLS 1.3', async (_, protocol) => {
      if (protocol === 'TLSv1.3') return ok('Agreed to.')
      const fix = 'Something before the server ends TLS: bring it up to date.'
      return bad('warn', `It agrees to ${protocol} at best.`, fix, 'TLSv1.3')
    }),
    of('tls-old', 'refusal of TLS 1.1 and what was before (RFC 8996)', old),
    of('tls-weak', 'refusal of weak cipher suites (RFC 9325)', weak),
    of('tls-compression', 'refusal of compression (RFC 9325)', compression),
    of('tls-renegotiation', 'refusal of renegotiation by clients', renegotiation),
    of('tls-fallback', 'refusal of being talked down (RFC 7507)', fallback),
  ]
}

async function old(place: TlsPlace): Promise<Seen> {
  const suites = [...WEAK_SUITES.keys(), ...GOOD_SUITES]
  const agreed = await probeHello(place, { version: 'TLSv1.1', suites })
  return agreed ? bad('error', `It agrees to ${agreed.version}.`, FIX) : ok('Refused.')
}

async function weak(place: TlsPlace): Promise<Seen> {
  const agreed = await probeHello(place, { version: 'TLSv1.2', suites: [...WEAK_SUITES.keys()] })
  return agreed
    ? bad('error', `It agrees to ${agreed.version} with the suite ${suiteName(agreed.suite)}.`, FIX)
    : ok('Refused.')
}

async function compression(place: TlsPlace): Promise<Seen> {
  const agreed = await probeHello(place, { version: 'TLSv1.2', suites: GOOD_SUITES, compression: [1, 0] })
  return agreed && agreed.compression !== 0 ? bad('error', 'It compresses (CRIME).', FIX) : ok('Refused.')
}

async function renegotiation(place: TlsPlace): Promise<Seen> {
  const agreed = await probeHello(place, { version: 'TLSv1.2', suites: GOOD_SUITES })
  if (!agreed) return ok('It does not do TLS 1.2 at all.')
  if (!agreed.secureRenegotiation) return bad('error', 'It does not know how to do it safely (RFC 5746).', FIX)
  return (await probeRenegotiation(place))
    ? bad('warn', 'A client may begin anew as often as it likes.', FIX)
    : ok('Refused.')
}

/** Only who does TLS 1.3 can be talked down to 1.2. */
async function fallback(place: TlsPlace, protocol: string): Promise<Seen> {
  if (protocol !== 'TLSv1.3') return ok('There is nothing better to be talked down from.')
  const agreed = await probeHello(place, { version: 'TLSv1.2', suites: [...GOOD_SUITES, FALLBACK] })
  return agreed ? bad('warn', `It is talked down to ${agreed.version}.`, FIX) : ok('Refused.')
}
