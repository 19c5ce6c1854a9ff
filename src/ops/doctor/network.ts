// SPDX-License-Identifier: Apache-2.0
// The DNS, and the way to ourselves as other servers go it.
import type { Check } from '../../appliance/check.ts'
import type { Verdict } from '../../appliance/dns/compare.ts'
import type { Ward } from '../../appliance/examine.ts'
import { isOnion } from '../../config/domains.ts'
import { type Checked, checkedRecords, ownAddresses } from '../dns.ts'
import { isOutside } from '../dns-records.ts'
import type { FederationInfo, FederationReport } from '../federation.ts'
import { isAwaited, RENEW } from './certificates.ts'
import { isOwn } from './ports.ts'
import { bad, check, na, ok, type Seen, type Subject } from './subject.ts'

const FIX = '"aenigma dns" shows what it should be, "aenigma dns apply" puts it there.'

/** The checks. */
export function networkWard(subject: Subject): Ward {
  const { config } = subject
  const hosts = config.hosts.filter((host) => !config.moved.has(host))
  let looked: Promise<readonly Checked[]> | undefined
  const records = (): Promise<readonly Checked[]> => {
    looked ??= checkedRecords(config, subject.request)
    return looked
  }
  return {
    title: 'DNS and other servers',
    checks: [
      ...hosts.flatMap((host) => [dnsCheck(subject, host, records), federationCheck(subject, host)]),
      othersCheck(subject),
    ],
  }
}

function dnsCheck(
  { config, request, fresh }: Subject,
  host: string,
  records: () => Promise<readonly Checked[]>,
): Check {
  return check(`dns.${host}`, `the records of ${host}`, async () => {
    if (config.trial || isOutside(host)) return na('Nobody looks for it in the DNS.')
    const found = (await records()).find(({ records: { host: name } }) => name === host)?.dns
    if (!found) return na('Nobody looks for it in the DNS.')
    if (!found.answered) {
      return bad(
        'warn',
        found.notes.join(' '),
        'Look whether the resolvers of this machine answer, and the servers of the zone.',
      )
    }
    if (found.zone === null) {
      const seen = bad('error', found.notes.join(' '), `Give ${host} a zone at a provider of domains.`)
      return fresh ? { ...seen, level: 'info' } : seen
    }
    const unknown = ownAddresses(config, request.addresses).length === 0
    if (fresh && !found.verdicts.some(isStray)) return notThereYet(found.verdicts)
    return verdictOf(found.verdicts, found.notes, unknown)
  })
}

/** What nobody would have put there for this server. */
function isStray({ state }: Verdict): boolean {
  return state === 'wrong' || state === 'leftover'
}

/** Right after the installation: the records that are printed then are to be added by somebody. */
function notThereYet(verdicts: readonly Verdict[]): Seen {
  const missing = verdicts.filter(({ state, optional }) => state !== 'right' && !optional)
  if (missing.length === 0) return ok(`All ${verdicts.length} records are right.`)
  const list = missing.map(({ type, name, wanted }) => `${type} ${name} ${wanted.join(', ')}`).join('; ')
  return { level: 'info', found: `To be added: ${list}.`, fix: FIX }
}

function verdictOf(verdicts: readonly Verdict[], notes: readonly string[], unknown: boolean): Seen {
  const worst = verdicts.filter(({ state, optional }) => state !== 'right' && !(optional && state === 'missing'))
  const text = worst.map(({ state, type, name, found, wanted }) => {
    if (state === 'wrong') return `${type} ${name} is ${found.join(', ')}, should be ${wanted.join(', ')}`
    if (state === 'leftover') return `${type} ${name} should not be there (${found.join(', ')})`
    return state === 'missing' ? `${type} ${name} is missing` : `${type} ${name} could not be looked up`
  })
  if (worst.length === 0) {
    const all = `All ${verdicts.length} records are right.`
    if (unknown) return { level: 'info', found: `${all} Addresses were not compared: this machine has no public one.` }
    return notes.length === 0 ? ok(all) : { level: 'info', found: `${all} ${notes.join(' ')}` }
  }
  const onlyOld = worst.every(({ state }) => state === 'leftover')
  return bad(onlyOld ? 'warn' : 'error', `${text.join('; ')}.`, FIX)
}

/** So many must be out of reach before it is our fault. */
const FEW = 3

/** Those that our users want to reach say more than any that we would ask for the sake of it. */
function othersCheck({ config, ask }: Subject): Check {
  return check('federation-others', 'other servers that are talked to', async () => {
    if (!config.federation.enabled) return na('This server does not talk to others.')
    const { routes } = (await ask('federation')) as FederationInfo
    const failed = routes.filter(({ state, lastError }) => state === 'waiting' && lastError)
    const reached = routes.filter(({ state }) => state === 'open').length
    if (failed.length < FEW || reached > 0) return ok(`${reached} at this moment.`)
    const fix = 'Let connections to ports 5269 and 5270 out, and look whether DNS works; see "aenigma federation".'
    return bad('error', `None of ${failed.length} can be reached: ${failed[0]?.lastError?.why}`, fix)
  })
}

const FIX_CONNECTION = 'Open the port in the firewall of this machine and of its provider.'

/** The advice of the walk is for the other side. */
const SELF_FIX: Readonly<Record<string, string>> = {
  connection: FIX_CONNECTION,
  stream: 'Something else answers where the DNS says that this server is: look at its records.',
  tls: 'Look into the log; something between may end TLS.',
  proof: RENEW,
  external: 'Get a certificate with its whole chain, by an authority that others trust.',
}

function federationCheck(subject: Subject, host: string): Check {
  const { config, ask, request } = subject
  return check(`federation.${host}`, `${host} as other servers find it`, async () => {
    if (!config.federation.enabled) return na('This server does not talk to others.')
    if (isOnion(host)) return na('Other servers come to it by Tor.')
    const report = (await ask('federation.test', { domain: host, from: host, self: true })) as FederationReport
    const failed = report.steps.find(({ result }) => result === 'failed')
    if (!failed) return ok('They find it, its certificate proves it, and lets it in elsewhere.')
    const found = `${failed.title}: ${failed.detail}`
    if (failed.id === 'records' || failed.id === 'addresses') return na(found) // the records are looked at by themselves
    if (isAwaited(subject, host)) return na('It has no certificate by an authority yet.')
    // Through a translation of addresses a machine often cannot reach itself, though others can.
    const own = ownAddresses(config, request.addresses).every(isOwn)
    if (failed.id === 'connection' && !own) return bad('warn', found, `${FIX_CONNECTION} Else look from elsewhere.`)
    return bad('error', found, SELF_FIX[failed.id] ?? failed.advice ?? 'Look into the log.')
  })
}
