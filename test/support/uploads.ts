// SPDX-License-Identifier: Apache-2.0
// An HTTP server with uploads and nothing else, on a store of its own; and a client that reads and writes bytes.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../src/log.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { UploadFiles } from '../../src/store/upload-files.ts'
import { UploadSweeper } from '../../src/store/upload-sweeper.ts'
import { WebServer } from '../../src/web/server.ts'
import { uploadListener } from '../../src/web/uploads.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { newSlot, slotKey, UPLOAD_PREFIX, uploadPath } from '../../src/xmpp/upload-path.ts'
import { FakeClock } from './fake-clock.ts'
import type { Owner } from './process.ts'

/** Whose files they are. */
export const juliet = Jid.parse('juliet@localhost')

const PLENTY = { bytesPerAccount: 2 ** 50, bytesPerDay: 2 ** 50, filesPerAccount: 100_000 }

/** A file that may be uploaded. */
export interface WantedFile {
  readonly name?: string
  readonly type?: string
  readonly size: number
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

/** The server, with its store and its folder. */
export interface UploadStage {
  readonly store: Store
  readonly clock: FakeClock
  readonly files: UploadFiles
  readonly sweeper: UploadSweeper
  readonly port: number
  /** The same for HTTP/2. */
  readonly port2: number
  /** Makes a place. @returns the path of its address */
  place(file: WantedFile): Promise<string>
  asks(method: string, path: string, headers?: Readonly<Record<string, string>>, body?: Buffer): Promise<Answer>
  /** Connects, and writes this as it stands. */
  says(text: string): Socket
  /** Names of files on disk, and of those that arrive. */
  onDisk(): { readonly whole: readonly string[]; readonly arriving: readonly string[] }
}

/** Starts it. @param folder where its files and its database are */
export async function uploadStage(
  owner: Owner,
  folder = mkdtempSync(join(tmpdir(), 'aenigma-up-')),
): Promise<UploadStage> {
  const clock = new FakeClock()
  const store = await openSqlite({ file: join(folder, 'store.db'), clock, commitInterval: 1 })
  await store.accounts.create([{ jid: juliet, admin: false, verifiers: [] }])
  const files = new UploadFiles(join(folder, 'uploads'))
  await files.clean()
  const parts = { uploads: store.uploads, files, clock, log: silentLog }
  const sweeper = new UploadSweeper(parts)
  const answer = uploadListener(parts)
  const nobody = () => false
  const web = new WebServer({
    trust: { isProxy: nobody, isLocal: nobody },
    app: () => Promise.resolve((_, response) => void response.writeHead(404).end()),
    routes: [{ path: UPLOAD_PREFIX, answer: ({ request, response }) => answer(request, response) }],
  })
  const first = await listen((socket) => web.take(socket))
  const second = await listen((socket) => web.take(Object.assign(socket, { alpnProtocol: 'h2' })))
  const sockets: Socket[] = []
  owner.after(async () => {
    for (const socket of sockets) socket.destroy()
    for (const listener of [first, second]) listener.close()
    web.stop()
    await sweeper.stop()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const [port = 0, port2 = 0] = [first, second].map((listener) => (listener.address() as AddressInfo).port)
  return {
    store,
    clock,
    files,
    sweeper,
    port,
    port2,
    async place({ name = 'file', type, size }) {
      const slot = newSlot()
      const now = clock.now()
      const times = { created: now, expires: now + 600_000, keepUntil: now + 86_400_000 }
      const file = Buffer.from(slot, 'base64url').toString('hex')
      const wanted = { slot: slotKey(slot), file, owner: juliet, name, type, size, ...times }
      assert.equal(await store.uploads.reserve(wanted, PLENTY), undefined)
      return uploadPath(slot, name)
    },
    async asks(method, path, headers = {}, body) {
      const url = `http://127.0.0.1:${port}${path}`
      const response = await fetch(url, { method, headers, ...(body ? { body: new Uint8Array(body) } : {}) })
      return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) }
    },
    says(text) {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      socket.on('error', () => undefined)
      socket.write(text)
      return socket
    },
    onDisk() {
      const below = (...names: readonly string[]): readonly string[] => {
        try {
          return readdirSync(join(folder, 'uploads', ...names))
        } catch {
          return [] // it was not made yet
        }
      }
      const whole = below().filter((name) => name !== 'arriving')
      return { whole: whole.flatMap((name) => below(name)), arriving: below('arriving') }
    },
  }
}

async function listen(take: (socket: Socket) => void): Promise<Server> {
  const server = createServer(take).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** Everything that comes until the other side closes. */
export async function heardFrom(socket: Socket): Promise<string> {
  let text = ''
  for await (const piece of socket.setEncoding('latin1')) text += piece
  return text
}
