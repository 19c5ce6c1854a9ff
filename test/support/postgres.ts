// SPDX-License-Identifier: Apache-2.0
// A private PostgreSQL for the tests of one file: a cluster in a temporary folder, reached only by its socket.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'

const BIN = '/usr/lib/postgresql/15/bin'

/** A cluster that runs while the tests of the file do. */
export interface Cluster {
  /** Makes a database. @returns its URL */
  newDatabase(): string
  /** Runs SQL in the newest database. */
  sql(text: string): void
  /** Overwrites the first page of a table in the newest database; everybody is disconnected. */
  damage(table: string): void
}

/** Starts a cluster before the first test, and stops and removes it after the last one. */
export function postgresCluster(): Cluster {
  let folder = ''
  let databases = 0

  /** PostgreSQL refuses to run as root: there it runs as its own user. */
  const run = (command: string, ...args: string[]): string => {
    const program = join(BIN, command)
    const [file, ...rest] =
      userInfo().uid === 0 ? ['runuser', '-u', 'postgres', '--', program, ...args] : [program, ...args]
    const { status, stdout, stderr } = spawnSync(file ?? '', rest, { cwd: folder, encoding: 'utf8' })
    assert.equal(status, 0, `${command} failed: ${stdout}${stderr}`)
    return stdout
  }

  const sql = (...args: string[]): string =>
    run('psql', '-h', folder, '-U', 'postgres', '-d', `store${databases}`, '-c', ...args)

  const start = (): void => {
    const options = `-k ${folder} -c listen_addresses= -c shared_buffers=16MB`
    run('pg_ctl', '-D', join(folder, 'data'), '-w', '-l', join(folder, 'log'), '-o', options, 'start')
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
    start()
  })

  after(() => {
    const pidFile = join(folder, 'data', 'postmaster.pid')
    if (folder !== '' && existsSync(pidFile)) {
      assert.ok(Number(readFileSync(pidFile, 'utf8').split('\n')[0]) > 1)
      run('pg_ctl', '-D', join(folder, 'data'), '-w', '-m', 'immediate', 'stop')
    }
    if (folder !== '') rmSync(folder, { recursive: true, force: true })
  })

  return {
    newDatabase() {
      const name = `store${++databases}`
      run('createdb', '-h', folder, '-U', 'postgres', name)
      return `postgres://postgres@localhost/${name}?host=${encodeURIComponent(folder)}`
    },
    sql: (text) => void sql(text),
    damage(table) {
      const file = sql(`select pg_relation_filepath('${table}')`, '-tA').trim()
      run('pg_ctl', '-D', join(folder, 'data'), '-w', '-m', 'fast', 'stop')
      const path = join(folder, 'data', file)
      writeFileSync(path, readFileSync(path).fill(0xff, 0, 8192))
      start()
    },
  }
}
