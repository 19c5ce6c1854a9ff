// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeMachine } from '../../../test/support/fake-machine.ts'
import { sshKeysOnly } from './ssh-keys-only.ts'

const LOGIN = { address: '192.0.2.7', port: 50_123 }
const LINE = 'Accepted publickey for admin from 192.0.2.7 port 50123 ssh2: ED25519 SHA256:abc\n'

/** A machine on which somebody wrote into the journal: sshd, or any user by `logger -t sshd`. */
function machine(writer: 'sshd' | 'anybody'): FakeMachine {
  const made = new FakeMachine((line) => {
    const onlySshd = line.includes(' _UID=0 ') && line.includes(' _COMM=sshd ')
    if (line.startsWith('journalctl')) return writer === 'sshd' || !onlySshd ? LINE : ''
    return line === 'sshd -T' ? 'passwordauthentication no\nkbdinteractiveauthentication no\n' : ''
  })
  made.put('/etc/ssh/sshd_config.d/.keep', '')
  return made
}

test('passwords are switched off for who came with a key', async () => {
  const one = machine('sshd')
  await sshKeysOnly('service', LOGIN).apply(one, () => undefined)
  assert.match((await one.read('/etc/ssh/sshd_config.d/05-service.conf')) ?? '', /^PasswordAuthentication no$/m)
})

test('a line that any user can write into the journal locks nobody out', async () => {
  await assert.rejects(
    sshKeysOnly('service', LOGIN).apply(machine('anybody'), () => undefined),
    /did not log in with a key/,
  )
  await assert.rejects(
    sshKeysOnly('service', undefined).apply(machine('anybody'), () => undefined),
    /Nobody has logged in/,
  )
})
