// SPDX-License-Identifier: Apache-2.0
// `aenigma doctor`: looks at everything, and says what to do about what is not as it should be.
import type { Command } from 'commander'
import type { CheckReport, Result, Ward } from '../appliance/examine.ts'
import { isIpAddress } from '../config/units.ts'
import { withServer } from './connection.ts'
import { Failure } from './failure.ts'
import { printable, result, say } from './output.ts'
import { type CommonOptions, configOf, withCommonOptions } from './where.ts'

const EXAMPLES = `
Looks at ports, certificates, TLS, DNS, the way of other servers, what clients do (with two throw-away accounts, which are
removed afterwards), and the machine. The exit status is 0 if all is well, 1 if there are warnings, 2 if there are errors.

Examples:
  $ aenigma doctor
  $ aenigma doctor --json
  $ aenigma doctor --only disk --only login     these checks, or all whose names begin so: "login.starttls"
  $ aenigma doctor --address 192.0.2.1     behind NAT: the address that others use
`

interface DoctorOptions extends CommonOptions {
  readonly address: readonly string[]
  readonly only: readonly string[]
}

/** Adds the command. */
export function addDoctor(program: Command): void {
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]
  withCommonOptions(program.command('doctor').description('Look at everything, and say what to do about it.'))
    .option('--address <ip>', 'a public address of this machine', collect, [])
    .option(
      '--only <check>',
      'only this check, or all whose names begin with this and a dot; may be said again',
      collect,
      [],
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: DoctorOptions) => {
      const wrong = options.address.find((one) => !isIpAddress(one))
      if (wrong !== undefined) throw new Failure('usage', `"${wrong}" is no IP address.`, undefined, 2)
      const config = await configOf(options)
      const { subjectOf, wardsFor } = await import('../ops/doctor/doctor.ts')
      const { examine } = await import('../appliance/examine.ts')
      const report = await withServer(options, async (server) => {
        const request = { addresses: options.address }
        const wards = wardsFor(await subjectOf(config, (...asked) => server.ask(...asked), request))
        return examine(wards, { only: chosen(options.only, wards), ...(options.json ? {} : { tell: teller() }) })
      })
      result(options.json, report, () => checksText(report))
      process.exitCode = { ok: 0, warn: 1, error: 2 }[report.level]
      leaveSoon()
    })
}

/** A check that hangs has been told of; what it waits for keeps nobody here. */
function leaveSoon(): void {
  setTimeout(() => process.exit(), LAST_WORDS).unref()
}

/** Which checks are wanted. @throws Failure if there is none of a name */
function chosen(only: readonly string[], wards: readonly Ward[]): (id: string) => boolean {
  const is = (id: string, name: string): boolean => id === name || id.startsWith(`${name}.`)
  const ids = wards.flatMap(({ checks }) => checks.map(({ id }) => id))
  const unknown = only.find((name) => !ids.some((id) => is(id, name)))
  if (unknown !== undefined) {
    throw new Failure('no-check', `There is no check "${unknown}" here.`, `There are ${ids.join(', ')}.`, 2)
  }
  return (id) => only.length === 0 || only.some((name) => is(id, name))
}

/** Prints each finding when it is there, under the title of its group. */
export function teller(): (one: Result) => void {
  let group = ''
  return (one) => {
    if (one.group !== group) say(`${group === '' ? '' : '\n'}${one.group}`)
    group = one.group
    say(resultText(one))
  }
}

/** What is printed leaves first, in ms. */
const LAST_WORDS = 1_000

const MARKS: Readonly<Record<Result['level'], string>> = { ok: '✓', info: 'i', warn: '!', error: '✗', na: '·' }

function resultText({ level, about, found, wanted, fix }: Result): string {
  const lines = [`  ${MARKS[level]} ${about}: ${printable(found)}`]
  if (wanted !== undefined) lines.push(`      wanted: ${wanted}`)
  if (fix !== undefined) lines.push(`      → ${printable(fix)}`)
  return lines.join('\n')
}

/** How it is, all in all. */
export function checksText({ findings }: CheckReport): string {
  const count = (level: Result['level']): number => findings.filter((one) => one.level === level).length
  const [errors, warnings] = [count('error'), count('warn')]
  if (errors + warnings === 0) return '\nAll is well.'
  const some = (amount: number, what: string): string => `${amount} ${what}${amount === 1 ? '' : 's'}`
  return `\n${some(errors, 'error')}, ${some(warnings, 'warning')}.`
}
