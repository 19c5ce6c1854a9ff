// SPDX-License-Identifier: Apache-2.0
// `aenigma doctor`: looks at everything, and says what to do about what is not as it should be.
import type { Command } from 'commander'
import { isIpAddress } from '../config/units.ts'
import type { DoctorReport, Result } from '../ops/doctor/run.ts'
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
  $ aenigma doctor --address 192.0.2.1     behind NAT: the address that others use
`

interface DoctorOptions extends CommonOptions {
  readonly address: readonly string[]
}

/** Adds the command. */
export function addDoctor(program: Command): void {
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value]
  withCommonOptions(program.command('doctor').description('Look at everything, and say what to do about it.'))
    .option('--address <ip>', 'a public address of this machine', collect, [])
    .addHelpText('after', EXAMPLES)
    .action(async (options: DoctorOptions) => {
      const wrong = options.address.find((one) => !isIpAddress(one))
      if (wrong !== undefined) throw new Failure('usage', `"${wrong}" is no IP address.`, undefined, 2)
      const config = await configOf(options)
      const { doctor, subjectOf } = await import('../ops/doctor/doctor.ts')
      let group = ''
      const tell = (one: Result): void => {
        if (options.json) return
        if (one.group !== group) say(`${group === '' ? '' : '\n'}${one.group}`)
        group = one.group
        say(resultText(one))
      }
      const report = await withServer(options, async (server) => {
        const subject = await subjectOf(config, (...request) => server.ask(...request), { addresses: options.address })
        return doctor(subject, tell)
      })
      result(options.json, report, () => endText(report))
      process.exitCode = { ok: 0, warn: 1, error: 2 }[report.level]
    })
}

const MARKS: Readonly<Record<Result['level'], string>> = { ok: '✓', info: 'i', warn: '!', error: '✗', na: '·' }

function resultText({ level, about, found, wanted, fix }: Result): string {
  const lines = [`  ${MARKS[level]} ${about}: ${printable(found)}`]
  if (wanted !== undefined) lines.push(`      wanted: ${wanted}`)
  if (fix !== undefined) lines.push(`      → ${printable(fix)}`)
  return lines.join('\n')
}

function endText({ findings }: DoctorReport): string {
  const count = (level: Result['level']): number => findings.filter((one) => one.level === level).length
  const [errors, warnings] = [count('error'), count('warn')]
  if (errors + warnings === 0) return '\nAll is well.'
  const some = (amount: number, what: string): string => `${amount} ${what}${amount === 1 ? '' : 's'}`
  return `\n${some(errors, 'error')}, ${some(warnings, 'warning')}.`
}
