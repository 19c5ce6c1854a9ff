// SPDX-License-Identifier: Apache-2.0
// What `aenigma compliance` does: looks at the server as a client does, and tells what clients will find.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { clientPlaces } from '../net/probes/client-socket.ts'
import type { Target } from '../ops/compliance/lab.ts'
import { type Report, runCompliance } from '../ops/compliance/run.ts'
import { placeOf, placesOf, webOf } from '../ops/own-places.ts'
import type { Status } from '../ops/running-server.ts'
import { Jid } from '../xmpp/jid.ts'
import type { ComplianceOptions } from './compliance.ts'
import { reportText } from './compliance-text.ts'
import { type Connection, withServer } from './connection.ts'
import { Failure, failureOf } from './failure.ts'
import { result } from './output.ts'
import { choosePassword, randomPassword } from './passwords.ts'
import { configOf } from './where.ts'

/** The standard port of clients, where the DNS says nothing (RFC 6120 §3.2.2). */
const CLIENT_PORT = 5222
/** The code of the one failure that matters more than that somebody stopped it. */
const LEFT_BEHIND = 'left-behind'

/** Does what `aenigma compliance` was asked for. */
export async function compliance(options: ComplianceOptions): Promise<void> {
  const report = await stoppable((stop) => {
    if (options.account !== undefined) return onAccount(options.account, options, stop)
    return withServer(options, (server) => onServer(server, options, stop))
  })
  result(options.json, report, () => reportText(report))
  if (!report.passed) process.exitCode = 1
}

/** Ctrl-C ends the checks, not the clearing up. */
async function stoppable(work: (stop: AbortSignal) => Promise<Report>): Promise<Report> {
  const stop = new AbortController()
  const abort = (): void => stop.abort()
  process.on('SIGINT', abort).on('SIGTERM', abort)
  try {
    const report = await work(stop.signal)
    if (!stop.signal.aborted) return report
  } catch (error) {
    if (!stop.signal.aborted || failureOf(error).code === LEFT_BEHIND) throw error
  } finally {
    process.off('SIGINT', abort).off('SIGTERM', abort)
  }
  throw new Failure('cancelled', 'Cancelled; nothing is left behind.')
}

async function onServer(server: Connection, options: ComplianceOptions, stop: AbortSignal): Promise<Report> {
  const { hosts, listening } = (await server.ask('status')) as Status
  const domain = options.domain === undefined ? hosts[0] : Jid.tryParse(options.domain)?.domain
  if (domain === undefined || !hosts.includes(domain)) {
    throw new Failure('bad-domain', `The server does not serve "${options.domain}".`, `It serves ${hosts.join(', ')}.`)
  }
  const authority = await authorityOf(await configOf(options))
  const added: string[] = []
  try {
    const account = async () => {
      const username = `compliance-${randomBytes(8).toString('hex')}`
      const password = randomPassword()
      added.push(`${username}@${domain}`)
      await server.ask('user.add', { jid: `${username}@${domain}`, password })
      return { username, password }
    }
    const [first, second] = [await account(), await account()]
    const common = { domain, lenient: true, ...(authority === undefined ? {} : { authority }) }
    const components = placeOf('components', listening, common)
    const target: Target = {
      ...{ domain, places: placesOf(listening, common), announced: undefined, web: webOf(listening), first, second },
      ...(components ? { components } : {}),
    }
    return await runCompliance(target, stop)
  } finally {
    await removeAll(server, added)
  }
}

/** Both, also if one fails; what was left behind is said. */
async function removeAll(server: Connection, jids: readonly string[]): Promise<void> {
  const left: string[] = []
  for (const jid of jids) {
    await server.ask('user.rm', { jid }).catch((error: unknown) => {
      if (failureOf(error).code !== 'not-found') left.push(jid)
    })
  }
  if (left.length === 0) return
  const advice = left.map((jid) => `Remove it with "aenigma user rm ${jid}".`).join('\n')
  throw new Failure(LEFT_BEHIND, `A throw-away account could not be removed: ${left.join(', ')}.`, advice)
}

async function authorityOf({ trial, data }: Config): Promise<string | undefined> {
  const file = join(data, 'tls', 'ca.crt')
  return trial && existsSync(file) ? readFile(file, 'utf8') : undefined
}

async function onAccount(account: string, options: ComplianceOptions, stop: AbortSignal): Promise<Report> {
  const jid = Jid.tryParse(account)
  if (!jid?.isBare || jid.local === undefined) {
    throw new Failure('bad-address', `"${account}" is not the address of an account; one looks like romeo@example.org`)
  }
  if (!options.passwordStdin) {
    throw new Failure('usage', 'Give the password on standard input, with --password-stdin.', undefined, 2)
  }
  const { password } = await choosePassword({ passwordStdin: true }, true)
  const { domain } = jid
  const [starttls, direct] = await Promise.all([clientPlaces(domain, 'starttls'), clientPlaces(domain, 'tls')])
  const plain = starttls[0] ?? { host: domain, port: CLIENT_PORT }
  const places = { starttls: { ...plain, domain }, ...(direct[0] ? { tls: { ...direct[0], domain } } : {}) }
  const first = { username: jid.local, password }
  const announced = direct.length > 0
  return runCompliance({ domain, places, announced, web: undefined, first, second: undefined }, stop)
}
