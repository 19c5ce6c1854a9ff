// SPDX-License-Identifier: Apache-2.0
// The store's contract against a real PostgreSQL: a private cluster in a temporary folder, reached only by its socket.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { archiveContract } from '../../src/store/archive-contract.ts'
import { type NewPlace, storeContract } from '../../src/store/contract.ts'
import { openPostgres } from '../../src/store/postgres.ts'

const BIN = '/usr/lib/postgresql/15/bin'
const clock = systemClock
let folder = ''
let databases = 0

/** PostgreSQL refuses to run as root: there it runs as its own user. */
function run(command: string, ...args: string[]): void {
  const program = join(BIN, command)
  const [file, ...rest] =
    userInfo().uid === 0 ? ['runuser', '-u', 'postgres', '--', program, ...args] : [program, ...args]
  const { status, stdout, stderr } = spawnSync(file ?? '', rest, { cwd: folder, encoding: 'utf8' })
  assert.equal(status, 0, `${command} failed: ${stdout}${stderr}`)
}

function address(database: string): string {
  return `postgres://postgres@localhost/${database}?host=${encodeURIComponent(folder)}`
}

function newDatabase(): string {
  const name = `store${++databases}`
  run('createdb', '-h', folder, '-U', 'postgres', name)
  return address(name)
}

before(() => {
  assert.ok(existsSync(join(BIN, 'initdb')), 'PostgreSQL 15 is missing (Debian: postgresql-15): .ci/run installs it')
  folder = mkdtempSync(join(tmpdir(), 'aenigma-pg-'))
  chmodSync(folder, 0o700)
  if (userInfo().uid === 0) {
    const number = (option: string) => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }))
    chownSync(folder, number('-u'), number('-g'))
  }
  const data = join(folder, 'data')
  run('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync')
  const options = `-k ${folder} -c listen_addresses= -c shared_buffers=16MB`
  run('pg_ctl', '-D', data, '-w', '-l', join(folder, 'log'), '-o', options, 'start')
})

after(() => {
  const pidFile = join(folder, 'data', 'postmaster.pid')
  if (folder !== '' && existsSync(pidFile)) {
    assert.ok(Number(readFileSync(pidFile, 'utf8').split('\n')[0]) > 1)
    run('pg_ctl', '-D', join(folder, 'data'), '-w', '-m', 'immediate', 'stop')
  }
  if (folder !== '') rmSync(folder, { recursive: true, force: true })
})

const inDatabase: NewPlace = async () => {
  const url = newDatabase()
  return { open: (clock, observer) => openPostgres({ url, clock, ...(observer && { observer }) }) }
}
storeContract('PostgreSQL', inDatabase)
archiveContract('PostgreSQL', inDatabase)

test('a database of a newer version is refused', async () => {
  const url = newDatabase()
  await (await openPostgres({ url, clock })).close()
  run(
    'psql',
    '-h',
    folder,
    '-U',
    'postgres',
    '-d',
    `store${databases}`,
    '-c',
    'update schema_version set version = 999',
  )
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
  const url = newDatabase()
  const stores = await Promise.all([openPostgres({ url, clock }), openPostgres({ url, clock })])
  const secrets = await Promise.all(stores.map((store) => store.secret('salt')))
  assert.deepEqual(secrets[0], secrets[1])
  for (const store of stores) await store.close()
})
