// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { AdminError, type AdminHandler, askAdmin, type Progress, serveAdmin } from './admin-socket.ts'

function socketPath(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-admin-'))
  t.after(() => rmSync(dir, { recursive: true }))
  return join(dir, 'admin.sock')
}

const echo: AdminHandler = async (command, args) => ({ command, args })

/** Sends raw bytes and returns all that comes back. */
function raw(path: string, ...chunks: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    let answer = ''
    socket.on('data', (data) => {
      answer += data
    })
    socket.on('error', () => undefined).on('close', () => resolve(answer))
    for (const chunk of chunks) socket.write(chunk)
  })
}

test('asks and answers, many at once, with progress', async (t) => {
  const path = socketPath(t)
  const server = await serveAdmin(path, async (_, args, progress) => {
    progress({ done: 1, total: 2 })
    await new Promise((resolve) => setImmediate(resolve))
    progress({ done: 2, total: 2 })
    return args
  })
  t.after(() => server.stop())
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, place) => {
      const seen: Progress[] = []
      const answer = await askAdmin(path, 'work', { place, text: 'ü\n"' }, { onProgress: (p) => seen.push(p) })
      assert.deepEqual(
        seen.map(({ done }) => done),
        [1, 2],
      )
      return answer
    }),
  )
  assert.deepEqual(
    answers,
    Array.from({ length: 20 }, (_, place) => ({ place, text: 'ü\n"' })),
  )
})

test('only the owner may use it, and it is gone when it is stopped', async (t) => {
  const path = socketPath(t)
  const server = await serveAdmin(path, echo)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(join(path, '..')), ['admin.sock'])
  await server.stop()
  assert.equal(existsSync(path), false)
})

test('what the handler throws is told', async (t) => {
  const path = socketPath(t)
  const server = await serveAdmin(path, async (command) => {
    throw command === 'known' ? new AdminError('exists', 'It exists.') : new TypeError('oops')
  })
  t.after(() => server.stop())
  await assert.rejects(askAdmin(path, 'known', null), { name: 'AdminError', code: 'exists', message: 'It exists.' })
  await assert.rejects(askAdmin(path, 'other', null), { code: 'failed', message: 'oops' })
})

test('a second server is refused while the first one lives', async (t) => {
  const path = socketPath(t)
  const server = await serveAdmin(path, echo)
  await assert.rejects(serveAdmin(path, echo), { code: 'in-use' })
  assert.deepEqual(await askAdmin(path, 'still', 1), { command: 'still', args: 1 })
  await server.stop()
  await (await serveAdmin(path, echo)).stop()
})

test('what a killed server left is removed; of many that start at once, one gets the path', async (t) => {
  const path = socketPath(t)
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  await new Promise((resolve) => spawn(process.execPath, ['-e', script]).on('exit', resolve))
  assert.ok(existsSync(path))
  await assert.rejects(askAdmin(path, 'x', null), { code: 'not-running' })
  const started = await Promise.allSettled(Array.from({ length: 8 }, () => serveAdmin(path, echo)))
  const servers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  assert.equal(servers.length, 1)
  assert.deepEqual(await askAdmin(path, 'x', null), { command: 'x', args: null })
  await servers[0]?.stop()
  assert.deepEqual(readdirSync(join(path, '..')), [])
})

test('nobody there, and nobody allowed', async (t) => {
  const path = socketPath(t)
  await assert.rejects(askAdmin(path, 'x', null), { code: 'not-running' })
  writeFileSync(path, '')
  await assert.rejects(askAdmin(path, 'x', null), { code: 'not-running' })
  await assert.rejects(serveAdmin(`${'x'.repeat(100)}/admin.sock`, echo), /too long for a socket/)
})

test('rubbish, long lines and lines in pieces', async (t) => {
  const path = socketPath(t)
  const server = await serveAdmin(path, echo)
  t.after(() => server.stop())
  assert.match(await raw(path, 'hello\n'), /"code":"broken"/)
  assert.match(await raw(path, '{"command":7}\n'), /"code":"broken"/)
  assert.match(await raw(path, 'x'.repeat(1_100_000)), /at most/)
  assert.match(await raw(path, '{"comm', 'and":"a"}\n{"command":"b"}\n'), /^{"result":{"command":"a"}}\n$/)
})

test('a server that says nothing is given up', async (t) => {
  const path = socketPath(t)
  const server = await serveAdmin(path, () => new Promise(() => undefined))
  await assert.rejects(askAdmin(path, 'x', null, { timeout: 50 }), { code: 'timeout' })
  const pending = askAdmin(path, 'x', null)
  setImmediate(() => server.stop())
  await assert.rejects(pending, { code: 'broken' })
})
