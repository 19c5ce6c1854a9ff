// SPDX-License-Identifier: Apache-2.0
// `aenigma federation …`: other servers.
import type { Command } from 'commander'
import { AdminError } from '../net/admin-socket.ts'
import type { FederationInfo, FederationReport, FederationStep } from '../ops/federation.ts'
import { withServer } from './connection.ts'
import { Failure } from './failure.ts'
import { listText, reportEnd, stepText } from './federation-text.ts'
import { result, say } from './output.ts'
import { type CommonOptions, configOf, withCommonOptions } from './where.ts'

const EXAMPLES = `
Examples:
  $ aenigma federation                       the streams to and from other servers, and what waits for whom
  $ aenigma federation test example.net      how far one gets on the way to example.net, and what to do about it
  $ aenigma federation disconnect example.net
`
const TEST_EXAMPLES = `
Walks the whole way: our own rules, DNS, connection, TLS, certificates, proof of both sides, a question and its answer. The
exit status is 0 if nothing failed. It is done by the server that runs; if none does, as far as one gets without it.

Examples:
  $ aenigma federation test example.net
  $ aenigma federation test example.net --from rooms.example.org --json
`
const DISCONNECT_EXAMPLES = `
What is to be sent opens another stream. To keep a server away, name it in \`federation.block\` and say "aenigma reload".

Examples:
  $ aenigma federation disconnect example.net
`

interface TestOptions extends CommonOptions {
  readonly from?: string
}

/** Adds the commands about other servers. */
export function addFederation(program: Command): void {
  const federation = withCommonOptions(
    program.command('federation').description('Show the streams to other servers, test the way to one, or end some.'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (options: CommonOptions) => {
      const info = (await withServer(options, (server) => server.ask('federation'))) as FederationInfo
      result(options.json, info, () => listText(info))
    })
  addTest(federation)
  addDisconnect(federation)
}

function addTest(federation: Command): void {
  withCommonOptions(federation.command('test <domain>').description('Walk the whole way to another server.'))
    .option('--from <domain>', 'our domain (default: the first)')
    .addHelpText('after', TEST_EXAMPLES)
    .action(async (domain: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<TestOptions>()
      const tell = (step: FederationStep): void => {
        if (!options.json) say(stepText(step))
      }
      const report = await test(options, domain, tell)
      result(options.json, report, () => reportEnd(report))
      if (!report.passed) process.exitCode = 1
    })
}

/** By the server that runs, with its certificates and resolvers; else from the configuration. */
async function test(
  options: TestOptions,
  domain: string,
  tell: (step: FederationStep) => void,
): Promise<FederationReport> {
  const question = { domain, ...(options.from === undefined ? {} : { from: options.from }) }
  try {
    const onProgress = ({ detail }: { readonly detail?: unknown }): void => tell(detail as FederationStep)
    return (await withServer(options, (server) =>
      server.ask('federation.test', question, onProgress),
    )) as FederationReport
  } catch (error) {
    if (!(error instanceof AdminError && error.code === 'not-running')) throw error
  }
  const config = await configOf(options)
  if (config.trial) throw new Failure('trial', 'The trial server does not talk to others.', WITH_CONFIG)
  const { testWithoutServer } = await import('../main.ts')
  return testWithoutServer(config, question, tell)
}

const WITH_CONFIG = 'Say which configuration with --config FILE.'

function addDisconnect(federation: Command): void {
  withCommonOptions(federation.command('disconnect <domain>').description('End all streams with another server.'))
    .addHelpText('after', DISCONNECT_EXAMPLES)
    .action(async (domain: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const { ended } = (await withServer(options, (server) => server.ask('federation.disconnect', { domain }))) as {
        readonly ended: number
      }
      if (ended === 0) {
        throw new Failure('not-connected', `There is no stream with ${domain}.`, 'See all with "aenigma federation".')
      }
      result(options.json, { domain, ended }, () => (ended === 1 ? 'Ended 1 stream.' : `Ended ${ended} streams.`))
    })
}
