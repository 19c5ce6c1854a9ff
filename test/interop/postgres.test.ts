// SPDX-License-Identifier: Apache-2.0
// The store's contract against a real PostgreSQL.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock as clock } from '../../src/clock.ts'
import { archiveContract } from '../../src/store/archive-contract.ts'
import { type NewPlace, storeContract } from '../../src/store/contract.ts'
import { inspectPostgres } from '../../src/store/inspect-postgres.ts'
import { openPostgres } from '../../src/store/postgres.ts'
import { postgresCluster } from '../support/postgres.ts'

const cluster = postgresCluster()

const inDatabase: NewPlace = async () => {
  const url = cluster.newDatabase()
  return { open: (clock, observer) => openPostgres({ url, clock, ...(observer && { observer }) }) }
}
storeContract('PostgreSQL', inDatabase)
archiveContract('PostgreSQL', inDatabase)

test('a database of a newer version is refused', async () => {
  const url = cluster.newDatabase()
  await (await openPostgres({ url, clock })).close()
  cluster.sql('update schema_version set version = 999')
  await assert.rejects(openPostgres({ url, clock }), /written by a newer version of aenigma \(schema 999/)
})

test('a database that cannot be reached is named without its password', async () => {
  const url = 'postgres://romeo:secret-word@127.0.0.1:1/verona'
  await assert.rejects(openPostgres({ url, clock }), (error: Error) => {
    assert.match(error.message, /PostgreSQL database 127\.0\.0\.1:1\/verona cannot be opened/)
    assert.doesNotMatch(error.message, /secret-word/)
    return true
  })
})

test('two that open a new database at the same time make one schema', async () => {
  const url = cluster.newDatabase()
  const stores = await Promise.all([openPostgres({ url, clock }), openPostgres({ url, clock })])
  const secrets = await Promise.all(stores.map((store) => store.secret('salt')))
  assert.deepEqual(secrets[0], secrets[1])
  for (const store of stores) await store.close()
})

test('the doctor sees how a database is', async () => {
  const url = cluster.newDatabase()
  await (await openPostgres({ url, clock })).close()
  const well = await inspectPostgres(url)
  assert.match(well.version, /^\d+\.\d+$/)
  assert.ok(well.versionNumber >= 140_000 && well.size > 1e6 && well.age < 0.5)
  const { encoding, unsafe, readOnly, invalid, badPages, damaged } = well
  assert.deepEqual(
    { encoding, unsafe, readOnly, invalid, badPages, damaged },
    { encoding: 'UTF8', unsafe: [], readOnly: false, invalid: [], badPages: 0, damaged: [] },
  )
  assert.ok(well.directory?.startsWith('/'))
  cluster.sql('create table "odd ""name" (a text)')
  cluster.sql(
    "update pg_index set indisvalid = false where indexrelid = (select indexrelid from pg_index where indrelid = 'account'::regclass limit 1)",
  )
  const ill = await inspectPostgres(url)
  assert.equal(ill.invalid.length, 1)
  assert.deepEqual(ill.damaged, [])
})

test('the doctor finds a page that cannot be read', async () => {
  const url = cluster.newDatabase()
  await (await openPostgres({ url, clock })).close()
  cluster.damage('schema_version')
  assert.match((await inspectPostgres(url)).damaged.join(), /^schema_version: /)
})
