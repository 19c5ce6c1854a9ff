// SPDX-License-Identifier: Apache-2.0
// Where everything is on a machine that `aenigma install` set up.

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

/** The SSH connection that this program was called over, if it was: the client's address and port, and ours. */
export function sshConnection():
  | { readonly address: string; readonly port: number; readonly serverPort: number }
  | undefined {
  const [address, port, , serverPort] = (process.env.SSH_CONNECTION ?? '').split(' ')
  if (!address || !port || !serverPort) return undefined
  return { address, port: Number(port), serverPort: Number(serverPort) }
}
