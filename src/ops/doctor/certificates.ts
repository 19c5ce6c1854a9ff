// SPDX-License-Identifier: Apache-2.0
// Certificates, for each domain at each port with TLS, and what TLS agrees to there.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { domainToASCII } from 'node:url'
import type { Check } from '../../appliance/check.ts'
import { authoritiesOf, probeTls, type ShownCertificate, type TlsPlace } from '../../net/tls-probe.ts'
import { isOutside, servicesBelow } from '../dns-records.ts'
import { reachable } from '../own-places.ts'
import type { ListenInfo } from '../running-server.ts'
import { bad, check, na, ok, type Seen, type Subject, type Ward } from './subject.ts'

const DAY = 86_400_000
/** With so few days left a renewal has failed for long, and with so few somebody should look, now: of 90 days, or as much of a shorter life. */
const SOON = 20
const VERY_SOON = 7
const LIFE = 90

/** How TLS begins at the ports that have it, and which protocol is named (XEP-0368). */
const KINDS: Readonly<Partial<Record<ListenInfo['kind'], Pick<TlsPlace, 'starttls' | 'alpn'>>>> = {
  starttls: { starttls: 'jabber:client' },
  tls: { starttls: undefined, alpn: ['xmpp-client'] },
  shared: { starttls: undefined, alpn: ['xmpp-client'] },
  https: { starttls: undefined, alpn: ['http/1.1'] },
  servers: { starttls: 'jabber:server' },
  serversTls: { starttls: undefined, alpn: ['xmpp-server'] },
}

/** What nobody should agree to any more: no forward secrecy, or broken. Without these names OpenSSL would not even ask. */
const WEAK =
  'DES-CBC3-SHA:RC4-SHA:NULL-SHA256:NULL-SHA:AES128-SHA:AES256-SHA:AES128-SHA256:AES128-GCM-SHA256:@SECLEVEL=0'

/** The checks. */
export function tlsWard(subject: Subject): Ward {
  const ports = portsWithTls(subject)
  const hosts = subject.config.hosts.filter((host) => !subject.config.moved.has(host))
  return {
    title: 'Certificates and TLS',
    checks: [
      ...hosts.flatMap((host) => ports.map((port) => certificateCheck(subject, host, port))),
      ...hosts.map((host) => namesCheck(subject, host, ports[0])),
      ...ports.flatMap((port) => [versionCheck(subject, port), oldCheck(subject, port), weakCheck(subject, port)]),
    ],
  }
}

/** One for each port: a port is often listened at in both families. */
function portsWithTls({ status }: Subject): readonly ListenInfo[] {
  const known = status.listening.filter(({ kind }) => KINDS[kind] !== undefined)
  return [...new Map(known.map((one) => [`${one.kind} ${one.port}`, one])).values()]
}

function placeOf(subject: Subject, { kind, host, port }: ListenInfo, domain: string): TlsPlace {
  const { config } = subject
  const own = join(config.data, 'tls', 'ca.crt')
  const file = config.trial && existsSync(own) ? own : config.federation.authorities
  const authorities = file === undefined ? {} : { authorities: authoritiesOf(file) }
  return {
    host: reachable(host),
    port,
    domain: domainToASCII(domain),
    starttls: undefined,
    ...KINDS[kind],
    ...authorities,
  }
}

function certificateCheck(subject: Subject, host: string, port: ListenInfo): Check {
  const about = `the certificate of ${host} at port ${port.port} (${port.kind})`
  return check(`certificate.${host}.${port.port}`, about, async () => {
    const { certificate } = await probeTls(placeOf(subject, port, host))
    if (!certificate) return bad('error', 'No certificate is shown.', RENEW)
    const seen = judged(certificate, domainToASCII(host), subject.now())
    return seen.level === 'ok' ? seen : withReason(seen, subject, host)
  })
}

const RENEW = 'Give it a certificate by a public authority, and call "aenigma reload".'

/** The first cause, since the others mostly follow from it. */
function judged(certificate: ShownCertificate, host: string, now: number): Seen {
  const { from, until, selfSigned, distrust, issuer, names } = certificate
  if (until <= now) return bad('error', `It expired on ${day(until)}.`, RENEW, 'a certificate that is valid today')
  if (from > now) {
    const fix = 'Look whether the clock of this machine is right; else get another certificate.'
    return bad('error', `It is valid only from ${day(from)} on.`, fix, 'a certificate that is valid today')
  }
  if (!certificate.covers(host)) {
    return bad('error', `It is for ${names.join(', ') || 'no name at all'}.`, RENEW, host)
  }
  if (selfSigned) return bad('error', 'It is self-signed: nobody trusts it.', RENEW, 'one by a public authority')
  if (distrust !== undefined)
    return bad('error', WHY[distrust] ?? `It is not trusted: ${distrust}.`, FIX[distrust] ?? RENEW)
  const left = Math.floor((until - now) / DAY)
  const found = `By ${issuer}; ${left} days left.`
  const part = Math.min(1, (until - from) / DAY / LIFE)
  if (left < VERY_SOON * part) return bad('error', found, 'It should have been renewed: look into the log for why not.')
  if (left < SOON * part) return bad('warn', found, 'It should have been renewed: look into the log for why not.')
  return ok(found)
}

/** Where the server gets its certificates itself, it knows why it did not. */
function withReason(seen: Seen, { status }: Subject, host: string): Seen {
  const failure = status.certificates.find((one) => one.host === host)?.failure
  if (!failure) return seen
  const found = `${seen.found} Getting another one failed: ${failure.why}`
  return { ...seen, found, fix: 'Do away with that reason; the server tries again by itself.' }
}

const WHY: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'The chain is not whole: the certificate between it and the authority is missing.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'It is by an authority that is not trusted, or the chain is not whole.',
  SELF_SIGNED_CERT_IN_CHAIN: 'It is by an authority that nobody else trusts.',
}
const FIX: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'Put the whole chain into the file of the certificate, and call "aenigma reload".',
}

/** Other servers prove rooms by a certificate for their name. */
function namesCheck(subject: Subject, host: string, port: ListenInfo | undefined): Check {
  return check(`names.${host}`, `the names of the services of ${host}`, async () => {
    if (!port || subject.config.trial || isOutside(host)) return na('Nobody asks for them here.')
    const { certificate } = await probeTls(placeOf(subject, port, host))
    const names = servicesBelow(domainToASCII(host), subject)
    const missing = names.filter((name) => certificate && !certificate.covers(name))
    if (missing.length === 0) return ok(`The certificate is for ${names.length} services, too.`)
    const found = `The certificate is not for ${missing.join(', ')}.`
    return bad('warn', found, 'Get one that is: other servers and browsers refuse those otherwise.')
  })
}

function versionCheck(subject: Subject, port: ListenInfo): Check {
  return check(`tls.${port.port}`, `TLS at port ${port.port} (${port.kind})`, async () => {
    const place = placeOf(subject, port, subject.config.hosts[0] ?? 'localhost')
    const { protocol, cipher } = await probeTls(place)
    if (protocol === 'TLSv1.3') return ok(`${protocol}, ${cipher}.`)
    return bad(
      'warn',
      `It agrees to ${protocol} at best.`,
      'Something before the server ends TLS: bring it up to date.',
      'TLSv1.3',
    )
  })
}

function oldCheck(subject: Subject, port: ListenInfo): Check {
  return refusedCheck(subject, port, 'old', 'TLS 1.0 and 1.1 (RFC 8996)', {
    ...{ least: 'TLSv1', most: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
  })
}

function weakCheck(subject: Subject, port: ListenInfo): Check {
  return refusedCheck(subject, port, 'weak', 'cipher suites without forward secrecy (RFC 9325)', {
    ...{ least: 'TLSv1.2', most: 'TLSv1.2', ciphers: WEAK },
  })
}

function refusedCheck(
  subject: Subject,
  port: ListenInfo,
  id: string,
  what: string,
  offer: Parameters<typeof probeTls>[1],
): Check {
  return check(`tls-${id}.${port.port}`, `refusal of ${what} at port ${port.port}`, async () => {
    const place = placeOf(subject, port, subject.config.hosts[0] ?? 'localhost')
    await probeTls(place) // whoever does not answer at all refuses nothing
    const agreed = await probeTls(place, offer).catch(() => undefined) // that is what it should do
    if (!agreed) return ok('Refused.')
    const found = `It agrees to ${agreed.protocol} with ${agreed.cipher}.`
    return bad('error', found, 'Something before the server ends TLS: configure it to refuse this.')
  })
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}
