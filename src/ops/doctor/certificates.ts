// SPDX-License-Identifier: Apache-2.0
// Certificates, for each domain at each port with TLS.
import { domainToASCII } from 'node:url'
import type { Check } from '../../appliance/check.ts'
import type { Ward } from '../../appliance/examine.ts'
import { isOnion } from '../../config/domains.ts'
import type { ShownCertificate } from '../../net/probes/tls-probe.ts'
import { isOutside, servicesBelow } from '../dns-records.ts'
import type { ListenInfo } from '../running-server.ts'
import { agreementChecks } from './agreements.ts'
import { Probes } from './probes.ts'
import { bad, check, na, ok, type Seen, type Subject } from './subject.ts'

const DAY = 86_400_000
/** With so few days left a renewal has failed for long, and with so few somebody should look, now: of 90 days, or as much of a shorter life. */
const SOON = 20
const VERY_SOON = 7
const LIFE = 90

/** The checks. */
export function tlsWard(subject: Subject, probes = new Probes(subject)): Ward {
  const { ports } = probes
  const hosts = subject.config.hosts.filter((host) => !subject.config.moved.has(host))
  return {
    title: 'Certificates and TLS',
    checks: [
      ...hosts.flatMap((host) => ports.map((port) => certificateCheck(subject, probes, host, port))),
      ...hosts.map((host) => namesCheck(subject, probes, host, ports[0])),
      ...ports.flatMap((port) => agreementChecks(probes, port, hosts[0] ?? 'localhost')),
    ],
  }
}

function certificateCheck(subject: Subject, probes: Probes, host: string, port: ListenInfo): Check {
  const about = `the certificate of ${host} at port ${port.port} (${port.kind})`
  return check(`certificate.${host}.${port.port}`, about, async () => {
    const { certificate } = await probes.tls(port, host)
    if (!certificate) return bad('error', 'No certificate is shown.', RENEW)
    if (isOnion(host) && certificate.selfSigned && certificate.covers(host)) return ok('Its own: its name is its key.')
    const seen = judged(certificate, domainToASCII(host), subject.now())
    if (seen.level === 'ok') return seen
    return isAwaited(subject, host) ? awaited(subject, host) : withReason(seen, subject, host)
  })
}

/** What to do about a certificate that is no good. */
export const RENEW = 'Give it a certificate by a public authority, and call "aenigma reload".'

/** The first cause, since the others mostly follow from it. */
function judged(certificate: ShownCertificate, host: string, now: number): Seen {
  const { from, until, selfSigned, distrust, issuer, names, weakness } = certificate
  if (until <= now) return bad('error', `It expired on ${day(until)}.`, RENEW, 'a certificate that is valid today')
  if (from > now) {
    const fix = 'Look whether the clock of this machine is right; else get another certificate.'
    return bad('error', `It is valid only from ${day(from)} on.`, fix, 'a certificate that is valid today')
  }
  if (!certificate.covers(host)) {
    return bad('error', `It is for ${names.join(', ') || 'no name at all'}.`, RENEW, host)
  }
  if (selfSigned) return bad('error', 'It is self-signed: nobody trusts it.', RENEW, 'one by a public authority')
  if (weakness !== undefined) {
    return bad('error', `It is weak: ${weakness}.`, RENEW, 'a key of ECDSA, or of RSA with 2048 bits; SHA-256')
  }
  if (distrust !== undefined) return bad('error', distrustOf(distrust, issuer), FIX[distrust] ?? RENEW)
  const left = Math.floor((until - now) / DAY)
  const found = `By ${issuer}; ${left} days left.`
  const part = Math.min(1, (until - from) / DAY / LIFE)
  if (left < VERY_SOON * part) return bad('error', found, 'It should have been renewed: look into the log for why not.')
  if (left < SOON * part) return bad('warn', found, 'It should have been renewed: look into the log for why not.')
  return ok(found)
}

/** Whether a new server has none yet, since its names do not lead here, perhaps. */
export function isAwaited({ fresh, status }: Subject, host: string): boolean {
  return fresh && status.certificates.some((one) => one.host === host && one.provisional)
}

function awaited({ status }: Subject, host: string): Seen {
  const why = status.certificates.find((one) => one.host === host)?.failure?.why
  const found = `It has none by an authority yet${why === undefined ? '.' : `: ${why}`}`
  return { level: 'info', found, fix: 'It comes by itself when the DNS leads here.' }
}

/** Where the server gets its certificates itself, it knows why it did not. */
function withReason(seen: Seen, { status }: Subject, host: string): Seen {
  const failure = status.certificates.find((one) => one.host === host)?.failure
  if (!failure) return seen
  const found = `${seen.found} Getting another one failed: ${failure.why}`
  return { ...seen, found, fix: 'Do away with that reason; the server tries again by itself.' }
}

function distrustOf(code: string, issuer: string): string {
  return WHY[code] === undefined ? `It is not trusted: ${code}.` : `It is by ${issuer}, ${WHY[code]}`
}

/** OpenSSL cannot tell the first two from each other: who signed it is unknown. */
const UNKNOWN = 'whom nobody here knows: the chain is not whole, or it is no public authority.'
const WHY: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN,
  SELF_SIGNED_CERT_IN_CHAIN: 'an authority that nobody else trusts.',
}
const CHAIN =
  'Put the whole chain into the file of the certificate, and call "aenigma reload"; an authority of your own goes into `federation.authorities`.'
const FIX: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CHAIN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CHAIN,
}

/** Other servers prove rooms by a certificate for their name. */
function namesCheck(subject: Subject, probes: Probes, host: string, port: ListenInfo | undefined): Check {
  return check(`names.${host}`, `the names of the services of ${host}`, async () => {
    if (!port || subject.config.trial || isOutside(host)) return na('Nobody asks for them here.')
    if (isAwaited(subject, host)) return na('It has no certificate by an authority yet.')
    const { certificate } = await probes.tls(port, host)
    if (certificate && !certificate.covers(domainToASCII(host))) return na('It is not even for the domain.')
    const names = servicesBelow(domainToASCII(host), subject)
    const missing = names.filter((name) => certificate && !certificate.covers(name))
    if (missing.length === 0) return ok(`The certificate is for ${names.length} services, too.`)
    const found = `The certificate is not for ${missing.join(', ')}.`
    return bad('warn', found, 'Get one that is: other servers and browsers refuse those otherwise.')
  })
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}
