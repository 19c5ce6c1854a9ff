// SPDX-License-Identifier: Apache-2.0
// A slow disk without special hardware: strace holds every fsync back for 50 ms, after it is done and before the program hears
// of it. Other system calls are not touched (with seccomp they do not even stop).

import type { Command } from './process.ts'

/** The program that can do it. */
export const STRACE = '/usr/bin/strace'

/** The same command with every fsync delayed, of all its threads and children. It keeps its own process id. */
export function onSlowDisk({ program, args, ...rest }: Command): Command {
  const calls = 'fsync,fdatasync'
  const what = ['-e', `trace=${calls}`, '-e', `inject=${calls}:delay_exit=50000`]
  return {
    ...rest,
    program: STRACE,
    args: ['-D', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', ...what, program, ...args],
  }
}
