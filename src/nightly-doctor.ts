// SPDX-License-Identifier: Apache-2.0
// The doctor's round at night, inside the server: it asks what the command line asks, and its news go to the administrators.
import type { Accounts } from './accounts/accounts.ts'
import { systemClock } from './clock.ts'
import type { Config } from './config/config.ts'
import type { LiveConfig } from './live-config.ts'
import type { Log } from './log.ts'
import type { RunningServer } from './ops/running-server.ts'
import type { Server } from './server.ts'
import { Jid } from './xmpp/jid.ts'

/** What the round needs. */
interface Parts {
  readonly config: Config
  readonly live: LiveConfig
  readonly accounts: Accounts
  readonly xmpp: Server
  readonly log: Log
}

/** How many accounts are looked through at once. */
const PAGE = 500

/** Waits for the nights. @returns ends that */
export async function nightlyDoctor(parts: Parts, server: RunningServer): Promise<() => Promise<void>> {
  const { config, live, log } = parts
  const { Nightly } = await import('./ops/doctor/nightly.ts')
  const nightly = new Nightly({
    ...{ directory: config.data, clock: systemClock, log },
    wanted: () => live.doctor === 'nightly',
    async examine() {
      const { doctor, subjectOf } = await import('./ops/doctor/doctor.ts')
      const { answerFrom, serverCommands } = await import('./ops/admin.ts')
      const refuse = async (): Promise<never> => Promise.reject(new Error('the doctor only looks'))
      const answer = answerFrom(serverCommands(server, { reload: refuse, restart: refuse, stop: () => undefined }))
      return doctor(await subjectOf(live.config, (command, args) => answer(command, args ?? {}, () => undefined)))
    },
    tell: (text) => tellAdministrators(parts, text),
  })
  void nightly.start()
  return () => nightly.stop()
}

async function tellAdministrators({ live, accounts, xmpp }: Parts, text: string): Promise<void> {
  const all = new Set(live.admins)
  for (let after: string | undefined; ; ) {
    const page = await accounts.list({ limit: PAGE, ...(after === undefined ? {} : { after }) })
    for (const { jid, admin, disabled } of page) if (admin && !disabled) all.add(jid.toString())
    after = page.at(-1)?.jid.toString()
    if (page.length < PAGE) break
  }
  for (const one of all) {
    const jid = Jid.tryParse(one)
    if (jid && live.hosts.has(jid.domain)) await xmpp.tell(jid.domain, jid, text)
  }
}
