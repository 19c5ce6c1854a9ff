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

/** An SSH connection: the client's address and port, and ours. */
interface SshConnection {
  readonly address: string
  readonly port: number
  readonly serverPort: number
}

/** How many parents are asked at most. */
const GENERATIONS = 64

/**
 * The SSH connection that this program was called over, if it was. `sudo` and `su -` take it out of the environment, but it is
 * still in that of the shell that they were called from.
 */
export function sshConnection(
  own: string | undefined = process.env.SSH_CONNECTION,
  { proc, pid }: { readonly proc: string; readonly pid: number } = { proc: '/proc', pid: process.ppid },
): SshConnection | undefined {
  let found = connectionIn(own)
  for (let one = pid, generation = 0; !found && one > 0 && generation < GENERATIONS; generation++) {
    const environment = textOf(`${proc}/${one}/environ`).split('\0')
    found = connectionIn(environment.find((line) => line.startsWith('SSH_CONNECTION='))?.slice(15))
    one = Number(/^PPid:\s+(\d+)$/m.exec(textOf(`${proc}/${one}/status`))?.[1] ?? 0)
  }
  return found
}

function connectionIn(text = ''): SshConnection | undefined {
  const [, address = '', port, serverPort] = /^(\S+) (\d{1,5}) \S+ (\d{1,5})$/.exec(text) ?? []
  const connection = { address, port: Number(port), serverPort: Number(serverPort) }
  return connection.port <= 65_535 && connection.serverPort <= 65_535 ? connection : undefined
}

/** '' for what is not there, or not ours to see. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // then nothing is known of it
  }
}
