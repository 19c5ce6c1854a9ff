// SPDX-License-Identifier: Apache-2.0
// What the programs of the system say.
import type { Machine } from '../../appliance/machine.ts'

/** How long one may take, in ms. */
const PATIENCE = 15_000

/** What a program says; '' if it fails, undefined if it is not there or may not be asked by us. */
export async function said(
  machine: Machine | undefined,
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  if (!machine) return undefined
  try {
    const { status, stdout, stderr } = await machine.run(program, args, { mayFail: true, timeout: PATIENCE })
    if (status === 0) return stdout.trim()
    return /permitted|permission|must be root|not found|ENOENT/i.test(stderr) ? undefined : ''
  } catch {
    return undefined // it could not even be started
  }
}
