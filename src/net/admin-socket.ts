// SPDX-License-Identifier: Apache-2.0
// The local socket through which the command line speaks to a running server: a Unix socket that only its owner may use.
// A request is one line of JSON, `{command, args}`; the answer is any number of lines `{progress}` and then one with
// `{result}` or `{error}`. Holding the socket also means holding the data directory: whoever writes there takes it first.
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, rename, rmdir, stat, unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as pause } from 'node:timers/promises'

/** How far long work has come. */
export interface Progress {
  readonly done: number
  readonly total?: number
  /** What came of it, if that is told as it comes. */
  readonly detail?: unknown
}

/** Does what is asked and returns something that JSON can hold. Errors other than `AdminError` are told as `failed`. */
export type AdminHandler = (command: string, args: unknown, progress: (progress: Progress) => void) => Promise<unknown>

/** Why a request failed; codes of the transport itself are listed here, handlers add their own. */
export type AdminCode = 'not-running' | 'forbidden' | 'in-use' | 'timeout' | 'broken' | 'failed' | (string & {})

/** A request failed, or the socket cannot be used; the message is for people. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
  readonly code: AdminCode

  constructor(code: AdminCode, message: string) {
    super(message)
    this.code = code
  }
}

/** A socket that is being served. */
export interface AdminServer {
  /** Takes no more requests and gives the path free; requests that are being answered are given a moment to end. */
  stop(): Promise<void>
}

/** Bytes of a request. */
const MAX_REQUEST = 1024 * 1024
/** Characters of a line of an answer: everybody's session is in one. */
const MAX_ANSWER = 64 * 1024 * 1024
/** A request must come within this time, in ms. */
const REQUEST_TIME = 10_000
/** How long an answer may take without a sign of life, in ms. */
const ANSWER_TIME = 60_000
/** What a Unix socket's path may be long (`sun_path`, less the temporary ending). */
const MAX_PATH = 95
const PRIVATE = 0o177
/** Longer than any start holds its turn, in ms. */
const CLAIM_TIME = 10_000

/**
 * Takes the path and answers requests. What a dead server left there is removed.
 * @throws AdminError `in-use` if a living process holds the path
 */
export async function serveAdmin(path: string, handler: AdminHandler): Promise<AdminServer> {
  if (Buffer.byteLength(path) > MAX_PATH) {
    throw new AdminError(
      'failed',
      `${path} is too long for a socket (at most ${MAX_PATH} bytes); use a shorter directory.`,
    )
  }
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy())
    serveOne(socket, handler)
  })
  const born = `${path}.${randomBytes(4).toString('hex')}`
  await listenPrivately(server, born)
  let ino: number
  try {
    ino = (await lstat(born)).ino
    await claim(born, path)
  } catch (error) {
    server.close()
    throw error
  } finally {
    await unlink(born).catch(() => undefined)
  }
  return {
    async stop() {
      if ((await lstat(path).catch(() => undefined))?.ino === ino) await unlink(path).catch(() => undefined)
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      const timer = setTimeout(() => {
        for (const socket of open) socket.destroy()
      }, 1000)
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
      await closed
      clearTimeout(timer)
    },
  }
}

/** Binds with a mask, so that there is no moment in which others could connect. */
function listenPrivately(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const mask = process.umask(PRIVATE)
    try {
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      process.umask(mask)
    }
  })
}

/**
 * Gives the bound socket its name, one starter after the other: looking whether the old one is dead, removing it and taking
 * its place must not be interrupted by another one that does the same.
 */
async function claim(born: string, path: string): Promise<void> {
  const turn = `${path}.claim`
  await takeTurn(turn)
  try {
    if (await isAlive(path))
      throw new AdminError('in-use', `Another aenigma works in this directory: it holds ${path}.`)
    await rename(born, path) // replaces the dead one
  } finally {
    await rmdir(turn)
  }
}

/** Waits for the directory that only one can make; one that is older than any claim takes was left by a crash. */
async function takeTurn(turn: string): Promise<void> {
  for (;;) {
    try {
      return await mkdir(turn, 0o700)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    const made = await stat(turn).catch(() => undefined)
    if (made && Date.now() - made.mtimeMs > CLAIM_TIME) await rmdir(turn).catch(() => undefined)
    else await pause(5)
  }
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('connect', () => resolve(true)).once('error', (error) => resolve(codeOf(error) === 'EAGAIN'))
    socket.once('connect', () => socket.destroy())
  })
}

function serveOne(socket: Socket, handler: AdminHandler): void {
  const timer = setTimeout(() => socket.destroy(), REQUEST_TIME)
  const say = (line: object): void => {
    if (socket.writable) socket.write(`${JSON.stringify(line)}\n`)
  }
  const fail = (code: AdminCode, message: string): void => {
    say({ error: { code, message } })
    socket.end()
  }
  let asked = false
  const stopReading = onLines(socket, MAX_REQUEST, (line) => {
    if (asked) return
    asked = true
    clearTimeout(timer)
    if (line === undefined) return fail('broken', `A request may have ${MAX_REQUEST} bytes at most.`)
    const request = requestOf(line)
    if (!request) return fail('broken', 'This is not a request.')
    handler(request.command, request.args, (progress) => say({ progress })).then(
      (result) => {
        say({ result: result ?? null })
        socket.end()
      },
      (error: unknown) => fail(error instanceof AdminError ? error.code : 'failed', messageOf(error)),
    )
  })
  socket.on('close', () => {
    clearTimeout(timer)
    stopReading()
  })
}

function requestOf(line: string): { command: string; args: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null || !('command' in value)) return undefined
    const { command } = value
    return typeof command === 'string' ? { command, args: 'args' in value ? value.args : undefined } : undefined
  } catch {
    return undefined
  }
}

/** How to ask. */
export interface AskOptions {
  readonly onProgress?: (progress: Progress) => void
  /** How long to wait for the next sign of life, in ms. */
  readonly timeout?: number
}

/**
 * Asks the server behind the socket.
 * @throws AdminError `not-running` if there is none, `forbidden` if it is somebody else's, or what the server answered
 */
export function askAdmin(path: string, command: string, args: unknown, options: AskOptions = {}): Promise<unknown> {
  const { onProgress, timeout = ANSWER_TIME } = options
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path, timeout })
    const fail = (code: AdminCode, message: string): void => {
      reject(new AdminError(code, message))
      socket.destroy()
    }
    socket.once('connect', () => socket.write(`${JSON.stringify({ command, args })}\n`))
    socket.on('timeout', () => fail('timeout', `The server did not answer within ${timeout / 1000} seconds.`))
    socket.on('error', (error) => reject(connectError(error, path)))
    socket.on('close', () => reject(new AdminError('broken', 'The server ended before it had answered.')))
    onLines(socket, MAX_ANSWER, (line) => {
      const answer = line === undefined ? undefined : answerOf(line)
      if (answer === undefined) fail('broken', 'The server gave an answer that cannot be understood.')
      else if ('progress' in answer) onProgress?.(answer.progress as Progress)
      else if ('error' in answer) {
        const { code, message } = answer.error as { code: string; message: string }
        fail(code, message)
      } else {
        resolve(answer.result)
        socket.end()
      }
    })
  })
}

function answerOf(line: string): { progress: unknown } | { error: unknown } | { result: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value !== 'object' || value === null) return undefined
    if ('progress' in value) return value
    if ('error' in value) return value
    return 'result' in value ? value : undefined
  } catch {
    return undefined
  }
}

function connectError(error: Error, path: string): AdminError {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
    case 'ENOTDIR':
      return new AdminError('not-running', `No server runs here: nobody answers at ${path}.`)
    case 'EACCES':
    case 'EPERM':
      return new AdminError('forbidden', `You may not use ${path}: run this as the user that the server runs as.`)
    default:
      return new AdminError('broken', `${path}: ${error.message}`)
  }
}

/** Calls `take` with each line, and with undefined, once, when one is too long. @returns how to stop */
function onLines(socket: Socket, most: number, take: (line: string | undefined) => void): () => void {
  const decoder = new StringDecoder('utf8')
  let parts: string[] = []
  let length = 0
  const read = (chunk: Buffer): void => {
    const [first = '', ...rest] = decoder.write(chunk).split('\n')
    parts.push(first)
    length += first.length
    for (const next of rest) {
      if (length <= most) take(parts.join(''))
      parts = [next]
      length = next.length
    }
    if (length <= most) return
    stop()
    take(undefined)
    socket.resume()
  }
  const stop = (): void => {
    socket.off('data', read)
    parts = []
  }
  socket.on('data', read)
  return stop
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
