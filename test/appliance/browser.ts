// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium on a host of the test network; it trusts an authority as somebody has it who added one to the browser.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { run } from '../support/debian-tree.ts'
import type { Host } from '../support/network/host.ts'
import { type Bench, needs } from '../support/process.ts'

const ARGS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run']

/** Starts it. @param ca file of the authority */
export async function startBrowser(of: Bench, host: Host, ca: string): Promise<Browser> {
  needs('/usr/bin/chromium', 'chromium')
  needs('/usr/bin/certutil', 'libnss3-tools')
  const home = join(of.directory, 'browser')
  const database = `sql:${home}/.pki/nssdb`
  mkdirSync(`${home}/.pki/nssdb`, { recursive: true })
  run('certutil', ['-d', database, '-N', '--empty-password'])
  run('certutil', ['-d', database, '-A', '-n', 'test network', '-t', 'C,,', '-i', ca])
  const program = join(home, 'chromium')
  const inside = `nsenter --target ${host.pid} --net --mount -- env HOME=${home}`
  writeFileSync(program, `#!/bin/sh\nexec ${inside} /usr/bin/chromium "$@"\n`)
  chmodSync(program, 0o755)
  const browser = await chromium.launch({ executablePath: program, args: ARGS })
  of.defer(() => browser.close())
  return browser
}
