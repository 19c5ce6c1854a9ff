// SPDX-License-Identifier: Apache-2.0
// What is on a machine, to be compared with what is there later.
import type { TestMachine } from '../support/machine.ts'

/** What changes on a machine without anybody doing anything, and what apt and dpkg keep for themselves. */
const RESTLESS = [
  '/proc',
  '/sys',
  '/dev',
  '/run',
  '/tmp',
  '/var/tmp',
  '/var/log',
  '/var/cache',
  '/var/lib/apt',
  '/var/lib/dpkg',
  '/var/lib/systemd',
  '/var/lib/private',
  '/etc/ld.so.cache',
  '/etc/.pwd.lock',
  // what the packages of Python leave, which npm and unattended-upgrades bring
  '/etc/python3',
  '/etc/python3.11',
  '/usr/local/lib/python3.11',
  '/var/lib/python',
  '/var/lib/ucf',
  '/root/.npm',
  '/srv',
  '/checkout',
  '/upgrade',
]

/** Every file with its mode, owner and, below /etc, content. */
export function listing(machine: TestMachine): readonly string[] {
  const prune = RESTLESS.map((path) => `-path ${path} -prune`).join(' -o ')
  const script = `find / -xdev \\( ${prune} \\) -o -printf '%p %M %U:%G %l\\n'; find /etc -xdev -type f ! -name '*-' ! -name ld.so.cache -exec sha256sum {} +`
  return machine
    .run('sh', '-c', script)
    .split('\n')
    .filter((line) => !/^\/etc\/(passwd|shadow|group|gshadow|subuid|subgid)- |__pycache__/.test(line))
    .sort()
}

/** What went (`-`) and what came (`+`). */
export function changes(before: readonly string[], now: readonly string[]): readonly string[] {
  const [was, is] = [new Set(before), new Set(now)]
  return [
    ...before.filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !was.has(line)).map((line) => `+ ${line}`),
  ]
}
