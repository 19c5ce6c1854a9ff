// SPDX-License-Identifier: Apache-2.0
// The DNS, and the way to ourselves as other servers go it.
import type { Check } from '../../appliance/check.ts'
import type { Verdict } from '../../appliance/dns/compare.ts'
import { isOnion } from '../../config/domains.ts'
import { type Checked, checkedRecords, ownAddresses } from '../dns.ts'
import { isOutside } from '../dns-records.ts'
import type { FederationReport } from '../federation.ts'
import { bad, check, na, ok, type Seen, type Subject, type Ward } from './subject.ts'

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
    checks: hosts.flatMap((host) => [dnsCheck(subject, host, records), federationCheck(subject, host)]),
  }
}

function dnsCheck({ config, request }: Subject, host: string, records: () => Promise<readonly Checked[]>): Check {
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
    if (found.zone === null) return bad('error', found.notes.join(' '), `Give ${host} a zone at a provider of domains.`)
    const unknown = ownAddresses(config, request.addresses).length === 0
    return verdictOf(found.verdicts, found.notes, unknown)
  })
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

/** Steps that two servers take, and one cannot take with itself. */
const FOR_TWO = new Set(['external', 'dialback', 'ping'])

function federationCheck({ config, ask }: Subject, host: string): Check {
  return check(`federation.${host}`, `${host} as other servers find it`, async () => {
    if (!config.federation.enabled) return na('This server does not talk to others.')
    if (isOnion(host)) return na('Other servers come to it by Tor.')
    const report = (await ask('federation.test', { domain: host, from: host, self: true })) as FederationReport
    const failed = report.steps.find(({ id, result }) => result === 'failed' && !FOR_TWO.has(id))
    if (!failed) return ok('They find it, and its certificate proves it.')
    if (failed.id === 'records' || failed.id === 'addresses') return na(`${failed.title}: ${failed.detail}`)
    return bad('error', `${failed.title}: ${failed.detail}`, failed.advice ?? 'See "aenigma federation test".')
  })
}
