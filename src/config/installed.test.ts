// SPDX-License-Identifier: Apache-2.0
// Who calls the installer over SSH is seen to, also through sudo, which hides it.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { sshConnection } from './installed.ts'

const SEEN = { address: '192.0.2.7', port: 50_123, serverPort: 2222 }

test('the connection is found in the environment of a parent, since sudo takes it out of ours', (t) => {
  const proc = mkdtempSync(join(tmpdir(), 'aenigma-proc-'))
  t.after(() => rmSync(proc, { recursive: true }))
  const put = (pid: number, parent: number, environment: string): void => {
    mkdirSync(join(proc, String(pid)))
    writeFileSync(join(proc, String(pid), 'status'), `Name:\tx\nPPid:\t${parent}\n`)
    writeFileSync(join(proc, String(pid), 'environ'), environment)
  }
  put(40, 30, 'PATH=/bin\0SUDO_USER=admin\0') // setup
  put(30, 20, 'PATH=/bin\0') // sudo
  put(20, 1, 'LANG=C\0SSH_CONNECTION=192.0.2.7 50123 198.51.100.1 2222\0') // the login
  put(1, 0, '')
  assert.deepEqual(sshConnection(undefined, { proc, pid: 40 }), SEEN)
  assert.equal(sshConnection(undefined, { proc, pid: 1 }), undefined)
  assert.equal(sshConnection(undefined, { proc, pid: 99 }), undefined)
  assert.deepEqual(sshConnection('192.0.2.7 50123 198.51.100.1 2222', { proc, pid: 1 }), SEEN)
})

test('nothing but ports becomes part of the rules', () => {
  const nowhere = { proc: '/nonexistent', pid: 1 }
  for (const text of ['', 'a b c', '192.0.2.7 1 198.51.100.1 22;drop', '192.0.2.7 1 198.51.100.1 70000'])
    assert.equal(sshConnection(text, nowhere), undefined)
})
