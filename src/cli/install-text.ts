// SPDX-License-Identifier: Apache-2.0
// What `aenigma install` and `aenigma uninstall` print.
import type { Appliance } from '../appliance/appliance.ts'
import type { Planned } from '../appliance/installation.ts'
import type { Obstacle } from '../appliance/needs.ts'
import type { NewInvitationInfo } from '../ops/invitations.ts'
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

/** The end of an installation. */
export async function closing(
  { name }: Appliance,
  changed: readonly string[],
  invitation: NewInvitationInfo | undefined,
  ms: number,
): Promise<string> {
  if (changed.length === 0) return 'Nothing was changed: 0 steps.'
  const steps = changed.length === 1 ? '1 step' : `${changed.length} steps`
  return [
    '',
    `The server runs (${steps}, ${(ms / 1000).toFixed(0)} s). "${name} status" tells how it is.`,
    ...(invitation ? await invitationLines(invitation) : []),
  ].join('\n')
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
