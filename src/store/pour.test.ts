// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { pourIn, pourOut } from './pour.ts'

const MIB = 1024 * 1024

function newFile(t: TestContext): { readonly path: string; readonly fd: number } {
  const folder = mkdtempSync(join(tmpdir(), 'aenigma-pour-'))
  const path = join(folder, 'file')
  const fd = openSync(path, 'w+')
  t.after(() => {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  return { path, fd }
}

function nothing(): void {}

test('bytes arrive in order, in whatever pieces they come', async (t) => {
  const { path, fd } = newFile(t)
  const content = randomBytes(700_000)
  const sizes = [1, 65_536, 3, 300_000, 0, 7, 334_453]
  const pieces = sizes.map((size, place) => {
    const from = sizes.slice(0, place).reduce((sum, one) => sum + one, 0)
    return content.subarray(from, from + size)
  })
  const source = Readable.from(pieces, { objectMode: false })
  let counted = 0
  await pourIn(source, { fd, sync: () => Promise.resolve() }, content.length, (bytes) => {
    counted += bytes
  })
  assert.equal(counted, content.length)
  assert.ok(readFileSync(path).equals(content))
  const out = new PassThrough({ highWaterMark: 1000 })
  const heard: Buffer[] = []
  out.on('data', (piece: Buffer) => heard.push(Buffer.from(piece)))
  await pourOut(fd, 10, 200_000, out, nothing)
  assert.ok(Buffer.concat(heard).equals(content.subarray(10, 200_000)))
})

test('more or less than was announced, or an end before the end: all say that it broke off', async (t) => {
  const { fd } = newFile(t)
  const target = { fd, sync: () => Promise.resolve() }
  const from = (size: number) => Readable.from([Buffer.alloc(size)], { objectMode: false })
  await assert.rejects(pourIn(from(9), target, 10, nothing), { code: 'EBROKENOFF' })
  await assert.rejects(pourIn(from(11), target, 10, nothing), { code: 'EBROKENOFF' })
  const gone = new PassThrough()
  gone.write(Buffer.alloc(5))
  const waiting = pourIn(gone, target, 10, nothing)
  gone.destroy()
  await assert.rejects(waiting, { code: 'EBROKENOFF' })
  await assert.rejects(pourIn(gone, target, 10, nothing), { code: 'EBROKENOFF' })
})

test('the source lives on when the file cannot be written, and is not read further', async (t) => {
  const { path } = newFile(t)
  const fd = openSync(path, 'r')
  t.after(() => closeSync(fd))
  const source = new PassThrough()
  const waiting = pourIn(source, { fd, sync: () => Promise.resolve() }, 1_000_000, nothing)
  source.write(Buffer.alloc(200_000))
  await assert.rejects(waiting, { code: 'EBADF' })
  assert.equal(source.destroyed, false)
  assert.equal(source.isPaused(), true)
})

test('the disk is asked to keep up; when it does not, that waits, and a failure of it is one of the whole', async (t) => {
  const { fd } = newFile(t)
  let [asked, read] = [0, 0]
  let done: () => void = nothing
  const sync = (): Promise<void> => {
    asked++
    return new Promise((resolve) => {
      done = resolve
    })
  }
  const block = Buffer.alloc(MIB)
  const blocks = function* () {
    for (let i = 0; i < 100; i++) {
      read++
      yield block
    }
  }
  let over = false
  const all = pourIn(Readable.from(blocks(), { objectMode: false }), { fd, sync }, 100 * MIB, nothing).then(() => {
    over = true
  })
  while (read < 64) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(asked, 1)
  assert.ok(read < 68, `${read} MiB were read while the disk was at the first 32`)
  while (!over) {
    done()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await all
  assert.ok(asked >= 2)
  const failing = { fd, sync: () => Promise.reject(Object.assign(new Error('no'), { code: 'EIO' })) }
  await assert.rejects(pourIn(Readable.from(blocks(), { objectMode: false }), failing, 100 * MIB, nothing), {
    code: 'EIO',
  })
})

test('a reader that is gone ends it', async (t) => {
  const { fd } = newFile(t)
  await pourIn(
    Readable.from([Buffer.alloc(MIB)], { objectMode: false }),
    { fd, sync: () => Promise.resolve() },
    MIB,
    nothing,
  )
  const stuck = new Writable({ write: nothing })
  const waiting = pourOut(fd, 0, MIB, stuck, nothing)
  await new Promise((resolve) => setImmediate(resolve))
  stuck.destroy()
  await assert.rejects(waiting, { code: 'EBROKENOFF' })
  await assert.rejects(pourOut(fd, 0, 2 * MIB, new PassThrough().resume(), nothing), /shorter/)
})
