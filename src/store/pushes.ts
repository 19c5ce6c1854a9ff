// SPDX-License-Identifier: Apache-2.0
// Where accounts want push notifications, and what became of the last ones.
import { Jid } from '../xmpp/jid.ts'
import type { Database } from './db.ts'
import type { PushRegistration, PushStore } from './store.ts'

interface Row {
  readonly owner: string
  readonly service: string
  readonly node: string
  readonly device: string
  readonly options: string | null
  readonly enabled: number
  readonly last_push: number | null
  readonly last_success: number | null
  readonly last_error: number | null
  readonly error: string | null
  readonly errors: number
  readonly disabled: number
}

/** The registrations in this database. */
export function pushStore(db: Database): PushStore {
  return {
    async list(owner, limit) {
      const rows = await db.read<Row>(
        owner === undefined
          ? db.sql`select * from push order by owner, service, node limit ${limit}`
          : db.sql`select * from push where owner = ${owner.key} order by service, node limit ${limit}`,
      )
      return rows.map(registrationOf)
    },
    async enable({ owner, service, node, device, options }, time, most) {
      await db.write([
        db.sql`insert into push (owner, service, node, device, options, enabled, errors, disabled)
          values (${owner.key}, ${service.key}, ${node}, ${device}, ${options ?? null}, ${time}, 0, 0)
          on conflict (owner, service, node) do update set device = excluded.device, options = excluded.options,
            enabled = excluded.enabled, errors = 0, disabled = 0`,
        db.sql`delete from push where owner = ${owner.key} and (service, node) not in (
          select service, node from push where owner = ${owner.key}
          order by disabled, enabled desc, service, node limit ${most})`,
      ])
    },
    async disable(owner, service, node) {
      await db.write([
        node === undefined
          ? db.sql`delete from push where owner = ${owner.key} and service = ${service.key}`
          : db.sql`delete from push where owner = ${owner.key} and service = ${service.key} and node = ${node}`,
      ])
    },
    async succeeded({ owner, service, node }, time) {
      await db.write([
        db.sql`update push set last_push = ${time}, last_success = ${time}, errors = 0
          where owner = ${owner.key} and service = ${service.key} and node = ${node}`,
      ])
    },
    async failed({ owner, service, node }, time, error, disabled) {
      await db.write([
        db.sql`update push set last_push = ${time}, last_error = ${time}, error = ${error}, errors = errors + 1,
            disabled = ${Number(disabled)}
          where owner = ${owner.key} and service = ${service.key} and node = ${node}`,
      ])
    },
  }
}

function registrationOf(row: Row): PushRegistration {
  return {
    owner: Jid.parse(row.owner),
    service: Jid.parse(row.service),
    node: row.node,
    device: row.device,
    options: row.options ?? undefined,
    enabled: row.enabled,
    lastPush: row.last_push ?? undefined,
    lastSuccess: row.last_success ?? undefined,
    lastError: row.last_error ?? undefined,
    error: row.error ?? undefined,
    errors: row.errors,
    disabled: row.disabled === 1,
  }
}
