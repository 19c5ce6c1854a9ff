// SPDX-License-Identifier: Apache-2.0
// What can be asked through the admin socket: one table of commands for the server that runs, and the part of it about
// accounts also for the command line alone, when none runs.

import * as v from 'valibot'
import { AccountError, type Accounts } from '../accounts/accounts.ts'
import { IN_WORDS, problemsOf } from '../config/explain.ts'
import { AdminError, type AdminHandler, type Progress } from '../net/admin-socket.ts'
import type { Account, KnownClient } from '../store/store.ts'
import { Jid } from '../xmpp/jid.ts'
import { federationCommands } from './federation.ts'
import { insightCommands } from './insight.ts'
import { invitationCommands } from './invitations.ts'
import type { RunningServer } from './running-server.ts'

/** Does one thing. Rejects with an AdminError or an AccountError that is meant to be read by people. */
type Command = (args: unknown, progress: (progress: Progress) => void) => Promise<unknown>

/** What can be asked, by name. */
export type Commands = Readonly<Record<string, Command>>

/** An account as the command line sees it. */
export interface AccountInfo {
  readonly jid: string
  readonly admin: boolean
  readonly disabled: boolean
  /** ms since 1970. */
  readonly created: number
  /** ms since 1970; null before the first session ended. */
  readonly lastSeen: number | null
}

/** A client that can log in by a token (XEP-0484), as the command line sees it. */
export interface ClientInfo {
  readonly id: string
  readonly software: string | null
  readonly device: string | null
  /** ms since 1970. */
  readonly created: number
  readonly lastUsed: number
  readonly expires: number
}

/** An entry of an import that cannot be made, by its place among those that were sent. */
export interface BadEntry {
  readonly place: number
  readonly problem: string
}

/** What an import did. */
export interface ImportOutcome {
  readonly added: number
  readonly existed: readonly string[]
}

/** What the process around the server does for the commands. */
export interface Control {
  /** Reads the configuration again. @returns the options that need a restart */
  reload(): Promise<readonly string[]>
  /** Starts the server anew soon; the answer still goes out. Rejects, and nothing happens, if it could not start. */
  restart(): Promise<void>
  /** Ends the server soon; the answer still goes out. */
  stop(): void
}

/** How many accounts are listed at once. */
const LIST_PAGE = 500
/** How many entries of an import are sent at once. */
export const IMPORT_PAGE = 500

const named = v.object({ jid: v.string() })
const secret = v.object({ jid: v.string(), password: v.string() })
const entries = v.object({
  entries: v.pipe(
    v.array(v.object({ ...secret.entries, admin: v.optional(v.boolean(), false) })),
    v.maxLength(IMPORT_PAGE),
  ),
})

/** Everything that can be asked of a running server. */
export function serverCommands(server: RunningServer, control: Control): Commands {
  return {
    ...accountCommands(server.accounts, server.info.hosts, server.publicUrl),
    status: () => server.status(),
    sessions: async () => server.sessions(),
    ...insightCommands(server),
    ...federationCommands(server.federation),
    'end-session': async (args) => ({
      ended: server.endSession(v.parse(v.object({ id: v.string() }), args, IN_WORDS).id),
    }),
    reload: async () => ({ restart: await control.reload() }),
    async restart() {
      await control.restart()
      return { pid: process.pid }
    },
    async stop() {
      control.stop()
      return { pid: process.pid }
    },
  }
}

/** What can be asked about accounts. @param hosts for advice on addresses @param publicUrl where the pages of a domain are, if anywhere */
export function accountCommands(
  accounts: Accounts,
  hosts: readonly string[],
  publicUrl: (host: string) => string | undefined,
): Commands {
  const address = (text: string): Jid => addressOf(text, hosts)
  return {
    ...invitationCommands({ accounts, hosts, address, publicUrl }),
    async 'user.add'(args) {
      const { jid, password, admin } = v.parse(
        v.object({ ...secret.entries, admin: v.optional(v.boolean(), false) }),
        args,
        IN_WORDS,
      )
      const made = address(jid)
      await accounts.add(made, password, { admin })
      return { jid: made.toString(), admin }
    },
    async 'user.passwd'(args) {
      const { jid, password } = v.parse(secret, args, IN_WORDS)
      await accounts.setPassword(address(jid), password)
      return { jid: address(jid).toString() }
    },
    async 'user.disable'(args) {
      const { jid, disabled } = v.parse(v.object({ ...named.entries, disabled: v.boolean() }), args, IN_WORDS)
      await accounts.setDisabled(address(jid), disabled)
      return { jid: address(jid).toString(), disabled }
    },
    async 'user.rm'(args) {
      const jid = address(v.parse(named, args, IN_WORDS).jid)
      await accounts.remove(jid)
      return { jid: jid.toString() }
    },
    'user.clients': async (args) =>
      (await accounts.clients(address(v.parse(named, args, IN_WORDS).jid))).map(clientInfoOf),
    async 'user.revoke'(args) {
      const { jid, client } = v.parse(v.object({ ...named.entries, client: v.string() }), args, IN_WORDS)
      await accounts.revoke(address(jid), client)
      return { jid: address(jid).toString(), client }
    },
    async 'user.list'(args) {
      const { domain, after } = v.parse(
        v.object({ domain: v.optional(v.string()), after: v.optional(v.string()) }),
        args,
        IN_WORDS,
      )
      const range = {
        limit: LIST_PAGE,
        ...(domain === undefined ? {} : { domain }),
        ...(after === undefined ? {} : { after }),
      }
      return (await accounts.list(range)).map(infoOf)
    },
    'user.check': async (args) =>
      v.parse(entries, args, IN_WORDS).entries.flatMap(({ jid, password }, place): BadEntry[] => {
        const problem = problemOf(() => accounts.check(address(jid), password))
        return problem === undefined ? [] : [{ place, problem }]
      }),
    async 'user.import'(args, progress) {
      const list = v.parse(entries, args, IN_WORDS).entries
      const parsed = list.map((entry) => ({ ...entry, jid: address(entry.jid) }))
      const { added, existed } = await accounts.importAll(parsed, (done) => progress({ done, total: list.length }))
      return { added, existed: existed.map(String) } satisfies ImportOutcome
    },
  }
}

/** Answers requests from a table. */
export function answerFrom(commands: Commands): AdminHandler {
  return async (name, args, progress) => {
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined
    if (!command)
      throw new AdminError('unknown-command', `The server does not know "${name}"; is it of another version?`)
    try {
      return await command(args, progress)
    } catch (error) {
      if (error instanceof AccountError) throw new AdminError(error.problem, error.message)
      if (error instanceof v.ValiError)
        throw new AdminError('bad-request', `"${name}" was asked wrongly: ${problemsOf(error.issues)}`)
      throw error
    }
  }
}

function addressOf(text: string, hosts: readonly string[]): Jid {
  const example = hosts[0] ?? 'example.org'
  if (!text.includes('@')) {
    throw new AdminError('bad-address', `"${text}" is not the whole address: write ${text}@${example}`)
  }
  const jid = Jid.tryParse(text)
  if (!jid) throw new AdminError('bad-address', `"${text}" is not a valid address; one looks like romeo@${example}`)
  if (!jid.isBare) throw new AdminError('bad-address', `"${text}" is the address of a client: write ${jid.bare}`)
  return jid
}

function problemOf(check: () => Error | undefined): string | undefined {
  try {
    return check()?.message
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function infoOf({ jid, admin, disabled, created, lastSeen }: Account): AccountInfo {
  return { jid: jid.toString(), admin, disabled, created, lastSeen: lastSeen ?? null }
}

function clientInfoOf({ id, software, device, created, lastUsed, expires }: KnownClient): ClientInfo {
  return { id, software: software ?? null, device: device ?? null, created, lastUsed, expires }
}
