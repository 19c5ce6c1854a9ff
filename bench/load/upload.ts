// SPDX-License-Identifier: Apache-2.0
// Scenario `upload`: one large file there and back, then many at once. Over plain HTTP, so that what is measured is the way
// between socket and disk, not TLS.

import { request } from 'node:http'
import { DOMAIN, userName } from '../accounts.ts'
import { cpuMicros, residentKiB, whenQuiet } from '../cpu.ts'
import { type Client, open } from './client.ts'
import type { Job, Measured, Report } from './job.ts'

const MIB = 1024 * 1024
const BLOCK = Buffer.alloc(MIB, 'x')
/** How often memory is looked at, in ms. */
const LOOK = 20

/** Where a file goes, and where it is then. */
interface Place {
  readonly put: string
  readonly get: string
  /** As the server wants them. */
  readonly headers: Readonly<Record<string, string>>
}

/** Asks for places, one after the other. */
async function places(client: Client, mebibytes: number, count: number): Promise<Place[]> {
  const found: Place[] = []
  let text = ''
  let answered: () => void = () => {}
  client.handOver((more) => {
    text += more
    if (text.includes('</iq>')) answered()
  })
  for (let place = 0; place < count; place++) {
    const { promise, resolve } = Promise.withResolvers<void>()
    answered = resolve
    text = ''
    const payload = `<request xmlns='urn:xmpp:http:upload:0' filename='f' size='${mebibytes * MIB}'/>`
    client.write(`<iq type='get' id='u${place}' to='upload.${DOMAIN}'>${payload}</iq>`)
    await promise
    found.push(placeIn(text))
    client.handled++
    client.answer(text.match(/<r[ /]/g)?.length ?? 0)
  }
  return found
}

function placeIn(text: string): Place {
  const [, put] = /<put [^>]*url=['"]([^'"]*)/.exec(text) ?? []
  const [, get] = /<get [^>]*url=['"]([^'"]*)/.exec(text) ?? []
  if (put === undefined || get === undefined) throw new Error(`no place for a file: ${text.slice(0, 300)}`)
  const headers = [...text.matchAll(/<header name=['"]([^'"]*)['"]>([^<]*)/g)]
  return { put, get, headers: Object.fromEntries(headers.map(([, name, value]) => [name, value])) }
}

/** @returns whether it was stored */
function put({ put: url, headers }: Place, mebibytes: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const asked = request(url, {
    method: 'PUT',
    headers: { ...headers, 'content-length': mebibytes * MIB },
    agent: false,
  })
  asked.on('response', (answer) =>
    answer.resume().on('end', () => resolve(answer.statusCode === 201 || answer.statusCode === 200)),
  )
  asked.on('error', reject)
  let sent = 0
  const go = (): void => {
    while (sent++ < mebibytes) if (!asked.write(BLOCK)) return void asked.once('drain', go)
    asked.end()
  }
  go()
  return promise
}

/** @returns whether all of it came */
function get({ get: url }: Place, mebibytes: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>()
  const asked = request(url, { agent: false })
  asked.on('response', (answer) => {
    let bytes = 0
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    answer.on('end', () => resolve(bytes === mebibytes * MIB))
  })
  asked.on('error', reject).end()
  return promise
}

interface Cost {
  /** Seconds of the server's CPU. */
  readonly cpu: number
  /** MiB of memory more than before, at most. */
  readonly grown: number
  readonly seconds: number
  readonly good: boolean
}

/** What something costs the server. */
async function costOf({ pid }: Measured, settle: number, what: () => Promise<boolean>): Promise<Cost> {
  const before = await whenQuiet(pid, settle)
  const resident = residentKiB(pid)
  let most = resident
  const look = setInterval(() => {
    most = Math.max(most, residentKiB(pid))
  }, LOOK)
  const began = performance.now()
  const good = await what()
  const seconds = (performance.now() - began) / 1000
  clearInterval(look)
  most = Math.max(most, residentKiB(pid))
  return { cpu: (cpuMicros(pid) - before) / 1e6, grown: (most - resident) / 1024, seconds, good }
}

/** Runs the scenario. */
export async function upload(target: Measured, job: Job & { scenario: 'upload' }): Promise<Report> {
  const { mebibytes, many, settle } = job
  const client = await open(target, { user: userName(0), carbons: false }, 'A')
  const small = await places(client, 1, many + 1)
  const [large] = await places(client, mebibytes, 1)
  const warm = small.pop()
  if (!warm || !large) throw new Error('there are no places')
  await put(warm, 1)
  const all = async (what: (place: Place, size: number) => Promise<boolean>): Promise<boolean> =>
    (await Promise.all(small.map((place) => what(place, 1)))).every(Boolean)
  const there = await costOf(target, settle, () => put(large, mebibytes))
  const back = await costOf(target, settle, () => get(large, mebibytes))
  const manyThere = await costOf(target, settle, () => all(put))
  const manyBack = await costOf(target, settle, () => all(get))
  await client.close()
  const gibibytes = mebibytes / 1024
  const bad = { there, back, manyThere, manyBack }
  return {
    figures: {
      'upload.cpu': there.cpu / gibibytes,
      'upload.grown': there.grown,
      'upload.rate': mebibytes / there.seconds,
      'download.cpu': back.cpu / gibibytes,
      'download.grown': back.grown,
      'uploads.cpu': (manyThere.cpu * 1000) / many,
      'uploads.grown': manyThere.grown,
      'downloads.cpu': (manyBack.cpu * 1000) / many,
      'downloads.grown': manyBack.grown,
    },
    failures: Object.entries(bad).flatMap(([name, { good }]) => (good ? [] : [`${name}: not everything went through`])),
    notes: [],
  }
}
