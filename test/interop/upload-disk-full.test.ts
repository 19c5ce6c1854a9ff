// SPDX-License-Identifier: Apache-2.0
// Uploads to a disk that is full, or becomes so: 507, nothing corrupt, and with room again it works again. Needs root, to mount
// a tiny file system.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { bench } from '../support/process.ts'
import { heardFrom, uploadStage } from '../support/uploads.ts'

const MIB = 1024 * 1024

test('no room: an upload is refused, or breaks off, and leaves nothing', async (t) => {
  const of = bench(t)
  const disk = join(of.directory, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk])
  of.defer(() => void execFileSync('umount', [disk]))
  const folder = join(disk, 'data')
  mkdirSync(folder)
  const stage = await uploadStage({ after: (undo) => of.defer(undo) }, folder)
  const [first, second, third] = [
    await stage.place({ size: 4 * MIB }),
    await stage.place({ size: 4 * MIB }),
    await stage.place({ size: 40 * MIB }),
  ]
  assert.equal((await stage.asks('PUT', first, {}, Buffer.alloc(4 * MIB, 'a'))).status, 201)
  assert.equal((await stage.asks('PUT', third, {}, Buffer.alloc(40 * MIB))).status, 507, 'it can never fit')

  const socket = stage.says(
    `PUT ${second} HTTP/1.1\r\nHost: x\r\nContent-Length: ${4 * MIB}\r\nExpect: 100-continue\r\n\r\n`,
  )
  await once(socket, 'data')
  const ballast = join(disk, 'ballast')
  assert.throws(() => writeFileSync(ballast, Buffer.alloc(20 * MIB)), { code: 'ENOSPC' })
  const heard = heardFrom(socket)
  socket.write(Buffer.alloc(4 * MIB, 'b'))
  assert.match(await heard, /^HTTP\/1\.1 507 /)
  const { whole, arriving } = stage.onDisk()
  assert.deepEqual([whole.length, arriving], [1, []])
  assert.equal((await stage.asks('GET', second)).status, 404)
  assert.ok((await stage.asks('GET', first)).body.equals(Buffer.alloc(4 * MIB, 'a')))
  assert.equal((await stage.asks('PUT', second, {}, Buffer.alloc(4 * MIB))).status, 507)

  rmSync(ballast)
  assert.equal((await stage.asks('PUT', second, {}, Buffer.alloc(4 * MIB, 'c'))).status, 201)
  assert.ok((await stage.asks('GET', second)).body.equals(Buffer.alloc(4 * MIB, 'c')))
})
