// SPDX-License-Identifier: Apache-2.0
// Makes the store out of a database: all deeds are written once, whatever stands behind them.
import type { Clock } from '../clock.ts'
import { accountStore } from './accounts.ts'
import { clientStore } from './clients.ts'
import type { Database } from './db.ts'
import { documentStore, secret } from './documents.ts'
import { invitationStore } from './invitations.ts'
import { openMessages } from './messages.ts'
import { openOutbox } from './outbox.ts'
import { pubsubStore } from './pubsub.ts'
import { pushStore } from './pushes.ts'
import { reportStore } from './reports.ts'
import { roomStore } from './rooms.ts'
import { rosterStore } from './rosters.ts'
import { sessionStore } from './sessions.ts'
import { setStore } from './sets.ts'
import type { Store } from './store.ts'
import { uploadStore } from './uploads.ts'

/** The store in this database, whose schema is up to date. */
export async function assembleStore(db: Database, clock: Clock): Promise<Store> {
  const messages = await openMessages(db, clock)
  const outbox = await openOutbox(db)
  const accounts = accountStore(db, clock, messages)
  const sweeper = new Sweeper(() => messages.sweep())
  if (messages.unswept) sweeper.start()
  return {
    accounts: {
      ...accounts,
      async remove(jid) {
        const removed = await accounts.remove(jid)
        sweeper.start()
        return removed
      },
    },
    clients: clientStore(db, clock),
    rosters: rosterStore(db),
    messages,
    documents: documentStore(db),
    sets: setStore(db),
    pushes: pushStore(db),
    reports: reportStore(db),
    sessions: sessionStore(db),
    pubsub: pubsubStore(db, clock),
    uploads: uploadStore(db),
    rooms: roomStore(db, messages, () => sweeper.start()),
    outbox,
    invitations: invitationStore(db),
    secret: (name) => secret(db, name),
    durable: () => db.durable(),
    get failures() {
      return db.failures
    },
    get uncommitted() {
      return db.uncommitted
    },
    get crowded() {
      return db.crowded
    },
    close: () => db.close(),
  }
}

/** Frees the space of what was removed, beside everything else. What a crash or a full disk interrupts, the next start or removal continues. */
class Sweeper {
  readonly #sweep: () => Promise<void>
  #again = false
  #busy = false

  constructor(sweep: () => Promise<void>) {
    this.#sweep = sweep
  }

  start(): void {
    this.#again = true
    if (!this.#busy) void this.#run()
  }

  async #run(): Promise<void> {
    this.#busy = true
    while (this.#again) {
      this.#again = false
      await this.#sweep().catch(() => undefined)
    }
    this.#busy = false
  }
}
