// SPDX-License-Identifier: Apache-2.0
// A compliance report as people read it.
import type { Finding, Report } from '../ops/compliance/run.ts'

/** The whole report. */
export function reportText({ domain, transports, tester, suite, extra, passed }: Report): string {
  const required = tester.checks.filter(({ level }) => level === 'required')
  const informational = tester.checks.filter(({ level }) => level === 'informational')
  const parts = [
    section(`Ways in to ${domain}`, transports),
    section(
      `Conversations compliance tester: ${tester.passed} of ${tester.of} (${tester.required.passed} of ${tester.required.of} required)`,
      required,
    ),
    section('For information only', informational),
    ...suite.flatMap(({ name, server, advanced, checks }) => [
      section(
        `XEP-0479 ${name}: Server ${server.passed} of ${server.of}, Advanced Server ${advanced.passed} of ${advanced.of}`,
        checks,
      ),
    ]),
    section('Beyond the suites', extra),
    passed ? 'Everything that is required was found.' : 'Not everything that is required was found.',
  ]
  return parts.join('\n\n')
}

function section(title: string, checks: readonly Finding[]): string {
  const ids = Math.max(...checks.map(({ id }) => id.length))
  const titles = Math.max(...checks.map((one) => one.title.length))
  const lines = checks.map((one) =>
    [markOf(one), one.id.padEnd(ids), one.title.padEnd(titles), printable(one.reason)].join('  '),
  )
  return [title, ...lines.map((line) => `  ${line}`)].join('\n')
}

function markOf({ found }: Finding): string {
  if (found === null) return '?'
  return found ? '✓' : '✗'
}

/** Reasons quote what a server said: nothing of it may steer a terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}+/gu, ' ').slice(0, 300)
}
