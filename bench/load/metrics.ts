// SPDX-License-Identifier: Apache-2.0
// What a server tells about its own event loop.

import type { Measured } from './job.ts'

const METRIC = /^aenigma_event_loop_delay_seconds\{[^}]*quantile="0\.99"[^}]*\}\s+(\S+)/m

/** The 99th percentile in a page of metrics, in seconds. */
export function parseLoopDelay(page: string): number | undefined {
  const value = Number(METRIC.exec(page)?.[1])
  return Number.isFinite(value) ? value : undefined
}

/** The event loop's delay since it was last asked, in seconds, if the server tells. */
export async function loopDelay(target: Measured): Promise<number | undefined> {
  if (target.metrics === undefined) return undefined
  try {
    const response = await fetch(target.metrics, { signal: AbortSignal.timeout(5_000) })
    return parseLoopDelay(await response.text())
  } catch {
    return undefined
  }
}
