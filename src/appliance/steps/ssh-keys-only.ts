// SPDX-License-Identifier: Apache-2.0
// SSH takes keys and no passwords; only when a key has been seen to work, so that nobody locks himself out.
import type { Machine } from '../machine.ts'
import { replaceFile, restore } from '../restore.ts'
import type { Step } from '../step.ts'

/** Where the present login comes from. */
export interface SshLogin {
  readonly address: string
  /** Of the client's end. */
  readonly port: number
}

/** Of systemd's unit for sshd, which makes it when it starts. */
const RUN = '/run/sshd'
const TEXT = `# No passwords: keys only.
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
`

/** Switches passwords off. Undoing brings back what was there. @param login undefined at the console */
export function sshKeysOnly(name: string, login: SshLogin | undefined): Step {
  // sshd takes the first value that it reads, and reads these files in their order before its own
  const path = `/etc/ssh/sshd_config.d/05-${name}.conf`
  return {
    id: 'ssh-keys-only',
    why: 'SSH takes keys only, no passwords.',
    optional: true,
    check: async (machine) => (await machine.read(path)) === TEXT && (await passwords(machine)) !== 'on',
    async apply(machine) {
      await assertKeyWorks(machine, login)
      // Where sshd is started by the first connection (Ubuntu 24.04), it cannot be asked before.
      if (!(await machine.look(RUN))) await machine.makeDirectory(RUN, { mode: 0o755 })
      await replaceFile(machine, path, TEXT, { mode: 0o644 })
      const { status, stderr } = await machine.run('sshd', ['-t'], { mayFail: true })
      if (status !== 0 || (await passwords(machine)) !== 'off') {
        await restore(machine, path)
        throw new Error(`sshd does not take the new settings, so it keeps the old ones. ${stderr.trim()}`)
      }
      await reload(machine)
    },
    async undo(machine) {
      await restore(machine, path)
      await reload(machine)
    },
  }
}

async function assertKeyWorks(machine: Machine, login: SshLogin | undefined): Promise<void> {
  const from = login ? `from ${login.address} port ${login.port}` : 'from'
  // The kernel vouches for these fields; what a program calls itself is its own word, and `logger -t sshd` is for everybody.
  const args = ['_UID=0', '_COMM=sshd', '_COMM=sshd-session', '--since=-30 days', '--output=cat', '--no-pager']
  const { stdout } = await machine.run('journalctl', args, { mayFail: true })
  const proved = stdout
    .split('\n')
    .some((line) => line.startsWith('Accepted publickey for ') && line.includes(`${from} `))
  if (proved) return
  throw new Error(
    login
      ? 'You did not log in with a key, so passwords stay on. Log in with a key and try again.'
      : 'Nobody has logged in with a key in the last 30 days, so passwords stay on. Log in over SSH with a key and try again.',
  )
}

async function passwords(machine: Machine): Promise<'on' | 'off' | 'unknown'> {
  const { status, stdout } = await machine.run('sshd', ['-T'], { mayFail: true })
  if (status !== 0) return 'unknown'
  return /^passwordauthentication no$/m.test(stdout) && /^kbdinteractiveauthentication no$/m.test(stdout) ? 'off' : 'on'
}

async function reload(machine: Machine): Promise<void> {
  await machine.run('systemctl', ['try-reload-or-restart', 'ssh.service'], { mayFail: true })
}
