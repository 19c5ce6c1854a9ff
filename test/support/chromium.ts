// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium, driven by playwright-core.
import { type Browser, chromium } from 'playwright-core'

/** Starts it. As root it has no sandbox of its own; it sees nothing but our own server. */
export function startChromium(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-background-networking', '--no-first-run']
  return chromium.launch({ executablePath: '/usr/bin/chromium', args })
}
