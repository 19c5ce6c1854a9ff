// SPDX-License-Identifier: Apache-2.0
// Uploads with the program itself: memory stays where it is however large the file, a crash leaves nothing half, and the
// command line shows and removes what there is.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { type ClientRequest, request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type TestContext, test } from 'node:test'
import { type Aenigma, bench, freePorts, startAenigma } from '../support/process.ts'
import { Wire } from '../support/wire.ts'

const MIB = 1024 * 1024
const LARGE = 300 * MIB

async function start(t: TestContext) {
  const of = bench(t)
  const ports = await freePorts()
  const options = {
    accounts: { plain: true },
    http: { url: `http://127.0.0.1:${ports.http}` },
    uploads: { maxBytes: '2GiB' },
  }
  const again = (): Promise<Aenigma> => startAenigma(of, ports, { options })
  const server = await again()
  await server.addUser('juliet', 'secret')
  return { server, again }
}

/** Asks for a place. @returns its address */
async function slot({ ports, ca }: Aenigma, size: number): Promise<string> {
  const juliet = await Wire.direct(ports.tls, { ca: readFileSync(ca) })
  await juliet.logsIn('juliet', 'balcony')
  const payload = `<request xmlns='urn:xmpp:http:upload:0' filename='film.mp4' size='${size}' content-type='video/mp4'/>`
  await juliet.write(`<iq type='get' id='slot' to='upload.localhost'>${payload}</iq>`)
  const answer = await juliet.until(/<iq [^>]*id='slot'.*<\/iq>/)
  juliet.socket.destroy()
  return /<put url='([^']*)'/.exec(answer)?.[1] ?? assert.fail(answer)
}

function begin(url: string, size: number): ClientRequest {
  return request(url, { method: 'PUT', headers: { 'content-type': 'video/mp4', 'content-length': size } })
}

function statusOf(asked: ClientRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    asked.on('response', (answer) => resolve(answer.resume().statusCode ?? 0)).on('error', reject)
  })
}

/** The same bytes again and again. */
function* repeated(block: Buffer, size: number): Generator<Buffer> {
  for (let sent = 0; sent < size; sent += block.length) yield block.subarray(0, size - sent)
}

async function memory(server: Aenigma): Promise<number> {
  return JSON.parse(await server.command(['status', '--json'])).memory
}

function arriving({ data }: Aenigma): readonly string[] {
  return readdirSync(join(data, 'uploads', 'arriving'))
}

test('a large file goes through, and memory stays where it is', async (t) => {
  const { server } = await start(t)
  const small = await slot(server, 1)
  const warm = begin(small, 1)
  const warmed = statusOf(warm)
  warm.end('x')
  assert.equal(await warmed, 201)
  const before = await memory(server)
  const url = await slot(server, LARGE)
  const block = randomBytes(MIB)
  const put = begin(url, LARGE)
  const status = statusOf(put)
  await pipeline(Readable.from(repeated(block, LARGE)), put)
  assert.equal(await status, 201)
  const grown = (await memory(server)) - before
  assert.ok(grown < 50 * MIB, `${Math.round(grown / MIB)} MiB more`)

  const wanted = createHash('sha256')
  for (const piece of repeated(block, LARGE)) wanted.update(piece)
  const response = await fetch(url)
  const got = createHash('sha256')
  for await (const piece of response.body ?? []) got.update(piece)
  assert.equal(got.digest('hex'), wanted.digest('hex'))
  assert.ok((await memory(server)) - before < 50 * MIB)
})

test('what was arriving when the server was killed is gone, and what had arrived is there', async (t) => {
  const { server, again } = await start(t)
  const [whole, half] = [await slot(server, 4), await slot(server, 10 * MIB)]
  const put = begin(whole, 4)
  const status = statusOf(put)
  put.end('film')
  assert.equal(await status, 201)
  const broken = begin(half, 10 * MIB)
  const failed = statusOf(broken).catch(() => 'broken off')
  while (!broken.destroyed && broken.write(Buffer.alloc(MIB)) && arriving(server).length === 0) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  while (arriving(server).length === 0) await new Promise((resolve) => setImmediate(resolve))
  await server.crash()
  assert.equal(await failed, 'broken off')
  assert.equal(arriving(server).length, 1)

  const after = await again()
  assert.deepEqual(readdirSync(join(after.data, 'uploads')).includes('arriving'), false)
  assert.equal(await (await fetch(whole)).text(), 'film')
  assert.equal((await fetch(half)).status, 404)
  const retry = begin(half, 10 * MIB)
  const retried = statusOf(retry)
  retry.end(Buffer.alloc(10 * MIB))
  assert.equal(await retried, 201, 'the place is still there')
})

test('the command line shows what there is, and removes it; so does the end of an account', async (t) => {
  const { server } = await start(t)
  assert.match(await server.command(['uploads']), /Nobody has uploaded anything/)
  const urls = [await slot(server, 4), await slot(server, 4), await slot(server, 4)]
  for (const url of urls) {
    const put = begin(url, 4)
    const status = statusOf(put)
    put.end('film')
    assert.equal(await status, 201)
  }
  const [usage] = JSON.parse(await server.command(['uploads', '--json']))
  assert.deepEqual([usage.jid, usage.files, usage.bytes], ['juliet@localhost', 3, 12])
  assert.match(await server.command(['uploads']), /juliet@localhost +3 +1 KiB/)
  assert.match(await server.command(['uploads', 'juliet@localhost']), /1 KiB +video\/mp4 +film\.mp4/)
  const files = JSON.parse(await server.command(['uploads', 'juliet@localhost', '--json']))
  assert.equal(files.length, 3)
  assert.match(await server.command(['uploads', '--rm', urls[0] ?? '']), /Removed 1 file\./)
  assert.equal((await fetch(urls[0] ?? '')).status, 404)
  const { removed } = JSON.parse(await server.command(['uploads', '--json', '--rm', String(files[0].id), '999']))
  assert.equal(removed, 1)
  const onDisk = () =>
    readdirSync(join(server.data, 'uploads'), { recursive: true }).filter((name) => String(name).length > 10)
  assert.equal(onDisk().length, 1)
  await server.command(['user', 'rm', 'juliet@localhost', '--yes'])
  while (onDisk().length > 0) await server.command(['status'])
})
