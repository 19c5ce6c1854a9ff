// SPDX-License-Identifier: Apache-2.0
// XEP-0363 over HTTP: takes and gives files, each at most once and whole. Plain Node streams from socket to disk and back; what
// is given out is never run by a browser as a page of ours (XEP-0363 §11.1).
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { UploadFiles } from '../store/upload-files.ts'
import type { Upload, UploadStore } from '../store/upload-store.ts'
import { slotIn, slotKey } from '../xmpp/upload-path.ts'
import { describe, FOR_PAGES } from './upload-headers.ts'
import { rangeOf, unchanged } from './upload-range.ts'

/** Silence after which a transfer is given up, in ms. */
const SILENCE = 60_000
/** The slowest upload that is waited for, in bytes per ms. */
const SLOWEST = 4
/** How long who was refused may go on sending, so that it comes to read the answer, in ms. */
const LINGER = 5_000

/** What it works with. */
export interface UploadParts {
  readonly uploads: UploadStore
  readonly files: UploadFiles
  readonly clock: Clock
  readonly log: Log
}

/** Why a request is not answered as it wishes. */
class Refusal extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, text: string, headers: Readonly<Record<string, string>> = {}) {
    super(text)
    this.status = status
    this.headers = headers
  }
}

/** Answers all below `UPLOAD_PREFIX`. */
export function uploadListener(parts: UploadParts): RequestListener {
  const desk = new UploadDesk(parts)
  return (request, response) => void desk.answer(request, response)
}

class UploadDesk {
  readonly #parts: UploadParts
  /** Hashes of the slots whose files are arriving. */
  readonly #arriving = new Set<string>()

  constructor(parts: UploadParts) {
    this.#parts = parts
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', ignoreReset)
    request.on('error', ignoreReset)
    try {
      await this.#answer(request, response)
    } catch (error) {
      const refusal = this.#refusalFor(error)
      if (response.headersSent || response.destroyed) response.destroy()
      else await refuse(request, response, refusal)
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (request.method) {
      case 'OPTIONS':
        response.writeHead(204, FOR_PAGES).end()
        return
      case 'GET':
      case 'HEAD':
        return this.#give(request, response)
      case 'PUT':
        return this.#take(request, response)
      default:
        throw new Refusal(405, 'Files can be put and got.', { allow: 'GET, HEAD, PUT, OPTIONS' })
    }
  }

  async #give(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const upload = await this.#find(keyIn(request))
    if (!upload.stored) throw notThere()
    const headers = describe(upload, keyIn(request), this.#parts.clock.now())
    if (unchanged(request.headers, headers)) {
      const { 'content-length': _, ...rest } = headers
      response.writeHead(304, rest).end()
      return
    }
    if (request.method === 'HEAD') {
      response.writeHead(200, headers).end() // a range is a matter of GET (RFC 9110 §14.2)
      return
    }
    const range = rangeOf(request.headers, headers, upload.size)
    if (range === 'none')
      throw new Refusal(416, 'There is no such part.', { 'content-range': `bytes */${upload.size}` })
    const { start, end } = range ?? { start: 0, end: upload.size - 1 }
    const part = range && { 'content-range': `bytes ${start}-${end}/${upload.size}` }
    const head = { ...headers, 'content-length': String(end - start + 1), ...part }
    const file = await this.#parts.files.open(upload.file)
    const watch = watchSilence(() => response.destroy())
    try {
      response.writeHead(part ? 206 : 200, head)
      await file.pourInto(response, start, end + 1, watch.refresh)
      response.end()
    } finally {
      watch.stop()
      await file.close()
    }
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = keyIn(request)
    const upload = await this.#find(key)
    if (upload.stored || this.#arriving.has(key)) throw new Refusal(409, 'This place is used already.')
    check(request, upload)
    this.#arriving.add(key)
    try {
      await this.#receive(request, response, upload, key)
    } finally {
      this.#arriving.delete(key)
    }
    response.writeHead(201, { ...FOR_PAGES, 'content-length': '0' }).end()
  }

  async #receive(request: IncomingMessage, response: ServerResponse, upload: Upload, key: string): Promise<void> {
    const { uploads, files, clock } = this.#parts
    if (!(await files.hasRoom(upload.size))) throw new Refusal(507, 'The disk of this server is full.')
    const patience = SILENCE + Math.ceil(upload.size / SLOWEST)
    const now = clock.now()
    if (!(await uploads.hold(key, now, now + patience + SILENCE))) throw notThere()
    if (request.headers.expect) response.writeContinue()
    const watch = watchSilence(() => request.destroy(), patience)
    const progress = (left: number): void => {
      if (left > 0) watch.refresh()
      else {
        watch.stop() // the disk may take its time
        response.setTimeout(0)
      }
    }
    await files.receive(upload.file, upload.size, request, progress).finally(watch.stop)
    const kept = await uploads.keep(key).catch(async (error: unknown) => {
      if (isFull(error)) await files.remove(upload.file) // else nobody knows what the database did; the sweeper sees to it
      throw error
    })
    if (kept) return
    await files.remove(upload.file) // its owner is gone
    throw notThere()
  }

  async #find(key: string): Promise<Upload> {
    const found = await this.#parts.uploads.find(key, this.#parts.clock.now())
    if (!found) throw notThere()
    return found
  }

  #refusalFor(error: unknown): Refusal {
    if (error instanceof Refusal) return error
    if (codeOf(error) === 'EBROKENOFF') return new Refusal(400, 'It broke off.')
    if (isFull(error)) {
      this.#parts.log.error('no room for an upload', { error })
      return new Refusal(507, 'The disk of this server is full.')
    }
    if (codeOf(error) === 'ENOENT') return notThere()
    this.#parts.log.error('upload failed', { error })
    return new Refusal(500, 'Something failed here.')
  }
}

/** No room: on the disk, for this user of the system, in the database. */
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'SQLITE_FULL', '53100'])

function isFull(error: unknown): boolean {
  return FULL.has(codeOf(error))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function notThere(): Refusal {
  return new Refusal(404, 'There is no such file.')
}

function keyIn({ url = '' }: IncomingMessage): string {
  const slot = slotIn(url.split('?')[0] ?? '')
  if (slot === undefined) throw notThere()
  return slotKey(slot)
}

/** XEP-0363 §7. */
function check({ headers }: IncomingMessage, { size, type }: Upload): void {
  const length = headers['content-length']
  if (length === undefined) throw new Refusal(411, 'How long is it?')
  if (Number(length) > size) throw new Refusal(413, `It was announced with ${size} bytes.`)
  if (Number(length) !== size) throw new Refusal(400, `It was announced with ${size} bytes.`)
  const given = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== undefined && given !== undefined && given !== type) {
    throw new Refusal(415, `It was announced as ${type}.`)
  }
}

/** Who still sends may do so for a moment: a connection that is reset takes the answer with it. */
async function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): Promise<void> {
  const { status, message, headers } = refusal
  const text = Buffer.from(`${message}\n`)
  const last = !request.complete && request.httpVersionMajor === 1
  response.writeHead(status, {
    ...FOR_PAGES,
    ...headers,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': String(text.length),
    'cache-control': 'no-store',
    ...(last ? { connection: 'close' } : {}),
  })
  if (request.complete || request.destroyed) {
    response.end(request.method === 'HEAD' ? undefined : text)
    return
  }
  response.write(text)
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER)
    request.once('close', resolve).once('end', resolve).resume()
    request.once('close', () => clearTimeout(timer))
  })
  response.end()
}

interface Watch {
  readonly refresh: () => void
  readonly stop: () => void
}

/** Calls `giveUp` after silence, or when the whole takes too long. */
function watchSilence(giveUp: () => void, patience?: number): Watch {
  const silence = setTimeout(giveUp, SILENCE).unref()
  const whole = patience === undefined ? undefined : setTimeout(giveUp, Math.min(patience, 2 ** 31 - 1)).unref()
  return {
    refresh: () => void silence.refresh(),
    stop() {
      clearTimeout(silence)
      clearTimeout(whole)
    },
  }
}

/** A transfer that breaks off is noticed where it is waited for. */
function ignoreReset(): void {}
