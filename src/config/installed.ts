// SPDX-License-Identifier: Apache-2.0
// Where everything is on a machine that `aenigma install` set up.
import { readFileSync } from 'node:fs'

/** The configuration. */
export const INSTALLED_CONFIG = '/etc/aenigma/aenigma.yaml'
/** Everything that the server keeps. */
export const INSTALLED_DATA = '/var/lib/aenigma'
/** Versions of the program. */
const INSTALLED_PROGRAM = '/opt/aenigma/'

/** Whether this program is the one that was installed, and not a checkout. */
export function isInstalled(): boolean {
  return import.meta.dirname.startsWith(INSTALLED_PROGRAM)
}

/** The SSH connection that this program was called over, if it was, by way of sudo, too: the client's address and port, and ours. */
export function sshConnection():
  | { readonly address: string; readonly port: number; readonly serverPort: number }
  | undefined {
  const [address, port, , serverPort] = (process.env.SSH_CONNECTION ?? connectionOf(process.ppid)).split(' ')
  if (!address || !port || !serverPort) return undefined
  return { address, port: Number(port), serverPort: Number(serverPort) }
}

/** What a process, or one of those that called it, was told by sshd: sudo tells nothing of it to those whom it starts. */
function connectionOf(pid: number): string {
  for (let one = pid; one > 1; ) {
    try {
      const told = /(?:^|\0)SSH_CONNECTION=([^\0]*)/.exec(readFileSync(`/proc/${one}/environ`, 'utf8'))?.[1]
      if (told !== undefined) return told
      one = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0)
    } catch {
      return '' // it is somebody else's, or over: then nobody knows
    }
  }
  return ''
}
