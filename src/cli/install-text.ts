// SPDX-License-Identifier: Apache-2.0
// What `aenigma install` and `aenigma uninstall` print.

import type { CheckReport } from '../appliance/examine.ts'
import type { Planned } from '../appliance/installation.ts'
import type { Obstacle } from '../appliance/needs.ts'
import type { Config } from '../config/config.ts'
import { wantedRecords } from '../ops/dns.ts'
import type { NewInvitationInfo } from '../ops/invitations.ts'
import { formText } from './dns-text.ts'
import { checksText } from './doctor.ts'
import { timeText } from './output.ts'

const MARKS: Readonly<Record<Planned['state'], string>> = { done: '✓', wanted: '+', left: '·' }

/** All steps: those that are done, those that will be, those that nobody asked for. */
export function planText(plan: readonly Planned[]): string {
  const wanted = plan.filter(({ state }) => state === 'wanted').length
  const width = Math.max(...plan.map(({ step }) => step.id.length))
  const lines = plan.map(({ step, state }) => `  ${MARKS[state]} ${step.id.padEnd(width)}  ${step.why}`)
  const head = wanted === 0 ? 'Everything is so already.' : `The plan (+ to do, ✓ is so, · only if asked for):`
  return [head, '', ...lines, ''].join('\n')
}

/** The same for programs. */
export function planValue(plan: readonly Planned[]): readonly { id: string; why: string; state: Planned['state'] }[] {
  return plan.map(({ step: { id, why }, state }) => ({ id, why, state }))
}

/** What stands in the way. */
export function obstaclesText(found: readonly Obstacle[]): string {
  return ['this machine is not ready:', ...found.map((one) => `  - ${one.found} ${one.fix}`)].join('\n')
}

/** How it went. */
export interface Ending {
  readonly name: string
  readonly config: Config
  /** How many steps were taken. */
  readonly steps: number
  /** What was seen afterwards, if anything could be. */
  readonly checks: CheckReport | undefined
  /** For the first administrator. */
  readonly invitation: NewInvitationInfo | undefined
  readonly ms: number
}

/** The end of an installation: what is left to do. */
export async function closing({ name, config, steps, checks, invitation, ms }: Ending): Promise<string> {
  return [
    ...(checks ? [checksText(checks)] : []),
    '',
    `The server runs (${steps === 1 ? '1 step' : `${steps} steps`}, ${(ms / 1000).toFixed(0)} s). "${name} status" tells how it is.`,
    '',
    ...(await recordLines(name, config, checks)),
    ...(invitation ? await invitationLines(invitation) : []),
  ].join('\n')
}

/** Not where all of them are right already. */
async function recordLines(name: string, config: Config, checks: CheckReport | undefined): Promise<readonly string[]> {
  const seen = checks?.findings.filter(({ id }) => id.startsWith('dns.')) ?? []
  if (seen.length > 0 && seen.every(({ level }) => level === 'ok')) return []
  const records = (await wantedRecords(config)).map((one) => formText(config.dns.zone ?? one.host, one))
  return [
    `Put these records where your domain lives; "${name} dns" tells whether they are right, and "${name} doctor" looks at everything.`,
    '',
    records.join('\n\n'),
  ]
}

async function invitationLines({ link, uri, expires }: NewInvitationInfo): Promise<readonly string[]> {
  const { qrText } = await import('../ops/qr.ts')
  return [
    '',
    'Make your account, as administrator:',
    '',
    `  ${link ?? uri}`,
    '',
    await qrText(link ?? uri, process.stdout.isTTY === true),
    '',
    `The link works once, until ${timeText(expires)} UTC. Invite others with "aenigma invite".`,
  ]
}
