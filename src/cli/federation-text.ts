// SPDX-License-Identifier: Apache-2.0
// What `aenigma federation` prints for people. Much of it others chose: nothing of that may steer a terminal.
import type {
  FederationInfo,
  FederationReport,
  FederationRoute,
  FederationStep,
  FederationStream,
} from '../ops/federation.ts'
import { bytesText, table, timeText } from './output.ts'

const MARKS: Readonly<Record<FederationStep['result'], string>> = {
  passed: '✓',
  failed: '✗',
  notable: '!',
  skipped: '–',
}
/** As wide as the longest title of a step. */
const TITLE = 30

const PROOFS = { pkix: 'certificate', dane: 'DANE', dialback: 'dialback' } as const

/** The streams, and what waits. */
export function listText({ enabled, streams, routes }: FederationInfo): string {
  const telling = routes.filter(({ queued, lastError, state }) => queued > 0 || (lastError && state !== 'open'))
  const parts = [
    ...(enabled ? [] : ['Federation is off (federation.enabled).']),
    streams.length === 0 ? 'There are no streams to other servers.' : streamsText(streams),
    ...(telling.length === 0 ? [] : [routesText(telling)]),
  ]
  return parts.join('\n\n')
}

/** One step of a test, as it comes. */
export function stepText({ result, title, detail, advice }: FederationStep): string {
  const line = `${MARKS[result]} ${title.padEnd(TITLE)}  ${printable(detail)}`
  return advice === undefined ? line : `${line}\n  ${' '.repeat(TITLE)}  → ${printable(advice)}`
}

/** The last line of a test. */
export function reportEnd({ domain, passed, steps }: FederationReport): string {
  if (!passed) return `\nThis server and ${printable(domain)} cannot talk to each other at the moment.`
  if (steps.some(({ id, result }) => id === 'ping' && result === 'passed')) {
    return `\nThis server and ${printable(domain)} can talk to each other.`
  }
  return `\nNothing speaks against talking to ${printable(domain)}, as far as it could be tried.`
}

function streamsText(streams: readonly FederationStream[]): string {
  const rows = streams.map((stream) => {
    const [theirs, ours] = stream.direction === 'in' ? [stream.from, stream.to] : [stream.to, stream.from]
    return [
      `${stream.direction === 'in' ? '←' : '→'}${stream.bidi ? '↔' : ''}`,
      printable(theirs ?? '?'),
      [ours ?? '?', ...stream.also].map(printable).join(', '),
      proofText(stream, theirs),
      stream.tls ?? 'none',
      stream.acknowledged ? String(stream.unacknowledged) : '–',
      timeText(stream.since),
    ]
  })
  return table(['', 'THEIR DOMAIN', 'OUR DOMAIN', 'PROVED BY', 'TLS', 'UNACKNOWLEDGED', 'SINCE (UTC)'], rows)
}

/** How their domain was proved, and which others were on the same stream. */
function proofText({ proved }: FederationStream, theirs: string | undefined): string {
  const own = proved.find(({ domain }) => domain === theirs)
  const others = proved.filter((one) => one !== own).map(({ domain, by }) => `${printable(domain)} by ${PROOFS[by]}`)
  return [own ? PROOFS[own.by] : 'not yet', ...others].join(', ')
}

function routesText(routes: readonly FederationRoute[]): string {
  const rows = routes.map(({ from, to, state, queued, queuedBytes, lastError }) => [
    printable(to),
    printable(from),
    state,
    String(queued),
    bytesText(queuedBytes),
    lastError ? `${timeText(lastError.at)}: ${printable(lastError.why)}` : '',
  ])
  return table(['WAITING FOR', 'FROM', 'STATE', 'STANZAS', 'SIZE', 'LAST ERROR (UTC)'], rows)
}

function printable(text: string): string {
  return text.replace(/[\p{C}\p{Z}]+/gu, ' ').slice(0, 500)
}
