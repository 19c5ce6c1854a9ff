// SPDX-License-Identifier: Apache-2.0
// `aenigma install`: puts the server onto this machine, step by step, and says what is left to do.
import type { Command } from 'commander'
import type { Appliance } from '../appliance/appliance.ts'
import type { CheckReport } from '../appliance/examine.ts'
import { Installation, type Planned, StepError, type Wish } from '../appliance/installation.ts'
import { obstacles } from '../appliance/needs.ts'
import { System } from '../appliance/system.ts'
import { systemClock } from '../clock.ts'
import { wantedRecords } from '../ops/dns.ts'
import type { NewInvitationInfo } from '../ops/invitations.ts'
import type { Status } from '../ops/running-server.ts'
import { alone } from './alone.ts'
import { teller } from './doctor.ts'
import { Failure } from './failure.ts'
import { closing, obstaclesText, planText, planValue } from './install-text.ts'
import { askInstalled, type InstallOptions, wantedHere, wantedSteps } from './install-wish.ts'
import { say } from './output.ts'

const HELP = `
The plan is shown first. What is so already is left alone, so it can be called again at any time: after a failure it goes on
where it stopped, and from a newer checkout it upgrades. "aenigma uninstall" undoes it.

Steps that are done only when asked for: --tor, --ssh-keys-only, --time-zone, --locale, --time-sync.

Examples:
  $ aenigma install example.org
  $ aenigma install example.org --yes --time-zone Europe/Rome --ssh-keys-only
  $ aenigma install example.org --certificate /etc/ssl/example.org.pem --key /etc/ssl/example.org.key
  $ aenigma install example.org --dry-run --json
`

/** Adds the command. */
export function addInstall(program: Command): void {
  program
    .command('install [domain]')
    .description('Install the server on this machine, as a service with all that belongs to it.')
    .option('-y, --yes', 'ask nothing')
    .option('--dry-run', 'show what would be done, and do nothing')
    .option('--json', 'print JSON, for programs; asks nothing')
    .option('--certificate <file>', 'a certificate with its chain (PEM), instead of one that is fetched')
    .option('--key <file>', 'its private key (PEM)')
    .option('--without <step>', 'leave a step out; may be given several times', gather, [])
    .option('--tor', 'let the server be reached by an onion name, too')
    .option('--ssh-keys-only', 'switch passwords off for SSH, if a key is known to work')
    .option('--time-zone <zone>', 'set the time zone, such as Europe/Rome')
    .option('--locale <locale>', 'set the language of the system, such as en_US.UTF-8')
    .option('--time-sync', 'set the clock by time servers')
    .addHelpText('after', HELP)
    .action(installAlone)
}

function gather(one: string, before: readonly string[]): readonly string[] {
  return [...before, one]
}

/** Looking changes nothing, and may be done at any time. */
function installAlone(domain: string | undefined, options: InstallOptions): Promise<void> {
  if (options.dryRun || process.getuid?.() !== 0) return install(domain, options)
  return alone(() => install(domain, options))
}

async function install(domain: string | undefined, options: InstallOptions): Promise<void> {
  const began = performance.now()
  const { appliance, config } = await wantedHere(domain, options)
  const machine = new System()
  const inTheWay = await obstacles(machine, appliance)
  if (inTheWay.length > 0) throw new Failure('obstacle', obstaclesText(inTheWay), 'Nothing was changed.')
  const installation = await Installation.open(appliance, (memory) => new System('', memory), systemClock)
  const wish = await wantedSteps(appliance, options)
  const plan = await installation.plan(wish)
  const nothing = plan.every(({ state }) => state !== 'wanted')
  if (!options.json) say(planText(plan))
  if (options.dryRun) {
    if (options.json) say(JSON.stringify({ plan: planValue(plan) }))
    return
  }
  if (!nothing && !options.yes && !options.json) await goAhead()
  const changed = nothing ? [] : await carryOut(installation, wish, plan, options)
  const checks = changed.length > 0 ? await looked(appliance, options) : undefined
  const invitation = changed.length > 0 ? await invite() : undefined
  const ms = Math.round(performance.now() - began)
  if (options.json) {
    const records = (await wantedRecords(config)).flatMap(({ wanted }) => wanted)
    say(
      JSON.stringify({
        changed,
        plan: planValue(plan),
        records,
        checks: checks ?? null,
        invitation: invitation ?? null,
        ms,
      }),
    )
  } else if (changed.length === 0) say('Nothing was changed: 0 steps.')
  else say(await closing({ name: appliance.name, config, steps: changed.length, checks, invitation, ms }))
}

async function goAhead(): Promise<void> {
  const { confirm } = await import('@clack/prompts')
  if (!process.stdin.isTTY) {
    throw new Failure('no-terminal', 'There is no terminal to ask at.', 'Say --yes to go ahead.', 2)
  }
  const yes = await confirm({ message: 'Shall I?', initialValue: true })
  if (yes !== true) throw new Failure('cancelled', 'Nothing was changed.')
}

async function carryOut(
  installation: Installation,
  wish: Wish,
  plan: readonly Planned[],
  { json }: InstallOptions,
): Promise<readonly string[]> {
  const tell = json ? (line: string) => void process.stderr.write(`${line}\n`) : say
  const total = plan.filter(({ state }) => state === 'wanted').length
  let count = 0
  try {
    return await installation.apply(wish, {
      begins: ({ id }) => tell(`[${++count}/${Math.max(total, count)}] ${id}`),
      says: (_, line) => tell(`      ${line}`),
      ends: (_, ms) => ms >= 1000 && tell(`      took ${(ms / 1000).toFixed(1)} s`),
    })
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    const advice = `What was done is in ${error.log}. Call the same command again to go on from here, or "aenigma uninstall" to undo it.`
    throw new Failure('step-failed', `The step "${error.step}" failed: ${error.message}`, advice)
  }
}

/** Looks at what runs now. It was installed in any case: what goes wrong with looking is no failure of that. */
async function looked(appliance: Appliance, { json }: InstallOptions): Promise<CheckReport | undefined> {
  const { examine } = await import('../appliance/examine.ts')
  try {
    if (!json) say('\nLooking whether all is well:\n')
    return await examine(await appliance.wards(), { total: LOOK_TIME, ...(json ? {} : { tell: teller() }) })
  } catch (error) {
    if (!json) say(`It could not be found out: ${error instanceof Error ? error.message : error}`)
    return undefined
  }
}

/** How long that may take, in ms. */
const LOOK_TIME = 90_000

/** For the first administrator, if there is nobody yet. */
async function invite(): Promise<NewInvitationInfo | undefined> {
  const { accounts } = (await askInstalled('status')) as Status
  if (accounts > 0) return undefined
  return (await askInstalled('invite.create', { admin: true, lifetime: INVITATION })) as NewInvitationInfo
}

/** How long the first administrator may take, in ms: a week. */
const INVITATION = 7 * 86_400_000
