// SPDX-License-Identifier: Apache-2.0
// One at a time may change the machine: two would write over each other what an undoing must know.
import { AdminError, serveAdmin } from '../net/admin-socket.ts'
import { Failure } from './failure.ts'

/** Held as long as somebody is at work; nobody but root may write there, and what a killed one left is removed. */
const PLACE = '/run/aenigma-install.sock'

/** Does something that nobody else may do at the same time. Rejects with a `Failure` if somebody does. */
export async function alone<T>(work: () => Promise<T>, place: string = PLACE): Promise<T> {
  const held = await serveAdmin(place, busy).catch((error: unknown) => {
    if (!(error instanceof AdminError && error.code === 'in-use')) throw error
    throw new Failure('busy', 'Another "aenigma install" or "uninstall" is at work on this machine.', 'Wait for it.')
  })
  try {
    return await work()
  } finally {
    await held.stop()
  }
}

async function busy(): Promise<never> {
  throw new AdminError('busy', 'An installation is at work.')
}
