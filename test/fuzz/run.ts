// SPDX-License-Identifier: Apache-2.0
// Fuzzes the XML reader: node bin/node test/fuzz/run.ts [count] [seed]
// Each input has a seed of its own, which is printed when it fails; `run.ts 1 <that seed>` repeats it.

import { Worker } from 'node:worker_threads'
import { document, spoil } from './generate.ts'
import { judge, type Pick } from './judge.ts'

const DEFAULT_COUNT = 150_000
const MOST_REPORTS = 10

/** A small, repeatable source of numbers (mulberry32). */
function picker(seed: number): Pick {
  let state = seed >>> 0
  return (count) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * count)
  }
}

function input(pick: Pick): Uint8Array {
  const bytes = Buffer.from(document(pick))
  if (pick(4) === 0) return bytes
  if (pick(50) === 0) return Uint8Array.from({ length: pick(60) }, () => pick(256))
  return spoil(bytes, pick)
}

/** Ends the process when no input has been finished for a while: a thread of its own, as an endless loop blocks ours. */
function watch(current: Int32Array): Worker {
  const code = `
    const current = require('node:worker_threads').workerData
    let before = -1
    setInterval(() => {
      const now = Atomics.load(current, 0)
      if (now === before) {
        require('node:fs').writeSync(1, 'hang: seed ' + (now >>> 0) + '\\n')
        process.kill(process.pid, 'SIGKILL')
      }
      before = now
    }, 10_000)`
  const worker = new Worker(code, { eval: true, workerData: current })
  worker.unref()
  return worker
}

async function main(): Promise<void> {
  const count = Number(process.argv[2] ?? DEFAULT_COUNT)
  const first = Number(process.argv[3] ?? Math.floor(Math.random() * 0x1_0000_0000))
  const current = new Int32Array(new SharedArrayBuffer(4))
  const watcher = watch(current)
  console.log(`${count} inputs from seed ${first}`)
  let failed = 0
  for (let i = 0; i < count; i++) {
    const seed = (first + i) >>> 0
    Atomics.store(current, 0, seed)
    const pick = picker(seed)
    const bytes = input(pick)
    try {
      judge(bytes, pick)
    } catch (error) {
      failed++
      if (failed <= MOST_REPORTS) {
        const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
        console.log(`failed: seed ${seed}: ${reason}\n${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`)
      }
    }
    if ((i + 1) % 20_000 === 0) console.log(`${i + 1} done, ${failed} failed`)
  }
  await watcher.terminate()
  console.log(`${count - failed} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
}

await main()
