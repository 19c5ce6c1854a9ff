// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Issued, issue } from '../../test/support/certificates.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { silentLog } from '../log.ts'
import { Certificates } from '../net/tls.ts'
import { WatchedCertificates } from './watched-certificates.ts'

/** Two domains with files of their own, in force and watched. */
async function stage(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'aenigma-watch-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const clock = new FakeClock()
  const certificates = new Certificates()
  const said: string[] = []
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  }
  const put = ({ cert, key }: Issued, name: string) => ({
    cert: file(`${name}.pem`, cert),
    key: file(`${name}.key`, key),
  })
  const first = put(await issue({ dns: ['example.org'] }), 'first')
  const second = put(await issue({ dns: ['example.net'] }), 'second')
  const files = new Map([
    ['example.org', first],
    ['example.net', second],
  ])
  await certificates.load(files)
  const log = { ...silentLog, info: (text: string) => said.push(text), error: (text: string) => said.push(text) }
  const watched = new WatchedCertificates({ certificates, clock, log })
  watched.use(files)
  t.after(() => watched.stop())
  /** So many looks, one after the other. */
  const looks = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await watched.look()
  }
  await looks(1)
  const inForce = (host: string) => certificates.find(host)
  return { directory, clock, put, file, first, looks, inForce, said, watched, certificates }
}

test('what somebody else renewed is put in force, once it stays as it is', async (t) => {
  const { put, looks, inForce, said } = await stage(t)
  const before = inForce('example.org')
  await looks(3)
  assert.equal(inForce('example.org'), before)
  put(await issue({ dns: ['example.org'] }), 'first')
  await looks(1)
  assert.equal(inForce('example.org'), before, 'it may not be done')
  await looks(1)
  assert.notEqual(inForce('example.org'), before)
  await looks(3)
  assert.deepEqual(said, ['certificate files changed and are in force'])
})

test('half of a pair changes nothing, is told once, and does no harm to the other domain', async (t) => {
  const { file, looks, inForce, said, put } = await stage(t)
  const before = inForce('example.org')
  const fresh = await issue({ dns: ['example.org'] })
  file('first.pem', fresh.cert)
  await looks(4)
  assert.equal(inForce('example.org'), before)
  assert.deepEqual(said, ['certificate files changed and cannot be used; what was there stays in force'])
  const other = inForce('example.net')
  put(await issue({ dns: ['example.net'] }), 'second')
  await looks(2)
  assert.notEqual(inForce('example.net'), other)
  file('first.key', fresh.key)
  await looks(2)
  assert.equal(said.at(-1), 'certificate files changed and are in force')
})

test('files that are away for a moment, and links that lead elsewhere', async (t) => {
  const { directory, first, looks, inForce, said } = await stage(t)
  renameSync(first.key, `${first.key}.away`)
  await looks(2)
  assert.match(said.join(), /cannot be used/)
  const fresh = await issue({ dns: ['example.org'] })
  const before = inForce('example.org')
  for (const [name, text] of Object.entries({ 'new.pem': fresh.cert, 'new.key': fresh.key }))
    writeFileSync(join(directory, name), text)
  rmSync(first.cert)
  symlinkSync('new.pem', first.cert)
  symlinkSync('new.key', first.key)
  await looks(2)
  assert.notEqual(inForce('example.org'), before)
})

test('the clock makes it look, and whoever stopped it hears no more', async (t) => {
  const { put, clock, looks, inForce, watched, certificates } = await stage(t)
  const before = inForce('example.org')
  const fresh = await issue({ dns: ['example.org'] })
  put(fresh, 'first')
  clock.advance(20_000)
  await looks(0)
  await watched.look()
  assert.notEqual(certificates.find('example.org'), before)
  watched.stop()
  const last = inForce('example.org')
  put(await issue({ dns: ['example.org'] }), 'first')
  await looks(3)
  assert.equal(inForce('example.org'), last)
})

test('what could not be read for want of file descriptors is tried again, though nothing changed since', async (t) => {
  const { put, watched, clock } = await stage(t)
  watched.stop()
  let tries = 0
  const renew = async (): Promise<void> => {
    if (++tries < 3) throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' })
  }
  const busy = new WatchedCertificates({ certificates: { renew }, clock, log: silentLog })
  t.after(() => busy.stop())
  busy.use(new Map([['example.org', put(await issue({ dns: ['example.org'] }), 'third')]]))
  await busy.look()
  put(await issue({ dns: ['example.org'] }), 'third')
  for (let look = 0; look < 10; look++) await busy.look()
  assert.equal(tries, 3)
})
