// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { systemClock } from '../clock.ts'
import { silentLog } from '../log.ts'
import { SocksProxy } from './socks-proxy.ts'

const HASH = 'a'.repeat(40)
const HELLO = [5, 1, 0]

function request(name: string, command = 1, type = 3): readonly number[] {
  return [5, command, 0, type, name.length, ...Buffer.from(name), 0, 0]
}

/** A client of the proxy. */
class Side {
  readonly socket: Socket
  readonly ended: Promise<void>
  #bytes = Buffer.alloc(0)
  #changed: () => void = () => undefined
  #over = false

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.on('error', () => undefined)
    this.socket.on('data', (more: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, more])
      this.#changed()
    })
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#over = true
        resolve()
        this.#changed()
      }
      this.socket.once('end', end).once('close', end)
    })
  }

  says(...bytes: readonly number[]): void {
    this.socket.write(Buffer.from(bytes))
  }

  /** The next so many bytes. */
  async hears(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) {
      if (this.#over) assert.fail(`the end after ${this.#bytes.length} bytes`)
      await new Promise<void>((resolve) => {
        this.#changed = resolve
      })
    }
    const heard = this.#bytes.subarray(0, count)
    this.#bytes = this.#bytes.subarray(count)
    return heard
  }

  async joins(hash = HASH): Promise<this> {
    this.says(...HELLO)
    assert.deepEqual([...(await this.hears(2))], [5, 0])
    this.says(...request(hash))
    assert.deepEqual([...(await this.hears(7 + hash.length))], [5, 0, 0, 3, hash.length, ...Buffer.from(hash), 0, 0])
    return this
  }
}

async function stage(t: TestContext, more: { readonly clock?: FakeClock; readonly bytesPerSecond?: number } = {}) {
  const { clock = systemClock, bytesPerSecond = 0 } = more
  const proxy = new SocksProxy({
    limits: { connectionsPerAddress: 5, bytesPerSecond },
    clock,
    log: silentLog,
    networkOf: (address) => address,
  })
  const [listening] = await proxy.listen([{ host: '127.0.0.1', port: 0 }])
  assert.ok(listening)
  const sides: Side[] = []
  t.after(async () => {
    for (const { socket } of sides) socket.destroy()
    await listening.stop()
  })
  const enter = (): Side => {
    const side = new Side(listening.address.port)
    sides.push(side)
    return side
  }
  return { proxy, enter }
}

test('two who ask for the same hash are connected once that is asked for', async (t) => {
  const { proxy, enter } = await stage(t)
  assert.equal(proxy.activate(HASH), 'nobody')
  const target = await enter().joins()
  assert.equal(proxy.activate(HASH), 'alone')
  const requester = await enter().joins(HASH.toUpperCase())
  assert.equal(proxy.activate(HASH), 'active')
  assert.equal(proxy.activate(HASH), 'nobody', 'it is done')
  const content = randomBytes(3_000_000)
  requester.socket.write(content)
  assert.ok((await target.hears(content.length)).equals(content))
  target.says(1, 2, 3)
  assert.deepEqual([...(await requester.hears(3))], [1, 2, 3])
  requester.socket.end()
  await target.ended
  target.says(4)
  assert.deepEqual([...(await requester.hears(1))], [4], 'the other direction is still open')
  target.socket.end()
  await requester.ended
})

test('what comes before that is of no use', async (t) => {
  const { proxy, enter } = await stage(t)
  const target = await enter().joins()
  const early = enter()
  early.says(...HELLO)
  await early.hears(2)
  early.says(...request(HASH), 7, 7, 7)
  await early.hears(47)
  assert.equal(proxy.activate(HASH), 'active')
  early.says(8)
  assert.deepEqual([...(await target.hears(1))], [8])
})

test('a reader that is slow holds back who sends', async (t) => {
  const { proxy, enter } = await stage(t)
  const [target, requester] = [await enter().joins(), await enter().joins()]
  proxy.activate(HASH)
  target.socket.pause()
  const chunk = Buffer.alloc(1024 * 1024)
  let sent = 0
  while (requester.socket.write(chunk) || (await drained(requester.socket))) sent++
  assert.ok(sent < 200, `${sent} MiB were taken`)
  target.socket.resume()
  requester.socket.end()
  await target.ended
})

/** Whether it takes more, as far as that can be told without waiting: a few turns of the loop in which nothing moves. */
async function drained(socket: Socket): Promise<boolean> {
  let before = -1
  for (let turns = 0; turns < 50; turns++) {
    if (!socket.writableNeedDrain) return true
    await new Promise((resolve) => setImmediate(resolve))
    if (socket.bytesWritten - socket.writableLength !== before) turns = 0
    before = socket.bytesWritten - socket.writableLength
  }
  return false
}

test('one that breaks off takes the other along', async (t) => {
  const { proxy, enter } = await stage(t)
  const [target, requester] = [await enter().joins(), await enter().joins()]
  proxy.activate(HASH)
  requester.socket.resetAndDestroy()
  await target.ended
})

test('a third one, another command, another kind of address: all are refused', async (t) => {
  const { enter } = await stage(t)
  await enter().joins()
  await enter().joins()
  const asks = async (...bytes: readonly number[]): Promise<number | undefined> => {
    const side = enter()
    side.says(...HELLO, ...bytes)
    const [, , , reply] = await side.hears(4)
    await side.ended
    side.socket.destroy()
    return reply
  }
  assert.equal(await asks(...request(HASH)), 2)
  assert.equal(await asks(...request('example.org')), 2)
  assert.equal(await asks(...request(HASH, 2)), 7)
  assert.equal(await asks(5, 1, 0, 1, 127, 0, 0, 1, 0, 80), 8)
})

test('who does not speak SOCKS5, or only with a password, is sent away', async (t) => {
  const { enter } = await stage(t)
  const http = enter()
  http.socket.write('GET / HTTP/1.1\r\n')
  await http.ended
  const password = enter()
  password.says(5, 1, 2)
  assert.deepEqual([...(await password.hears(2))], [5, 255])
  const chatty = enter()
  chatty.says(...HELLO, 5, 1, 0)
  chatty.socket.write(Buffer.alloc(1000, 1))
  await chatty.ended
})

test('an address has only so many connections, and gets them back', async (t) => {
  const { enter } = await stage(t)
  const sides = [enter(), enter(), enter(), enter(), enter()]
  for (const side of sides) {
    side.says(...HELLO)
    await side.hears(2)
  }
  await enter().ended
  sides[0]?.socket.destroy()
  for (;;) {
    const side = enter()
    side.says(...HELLO)
    const answer = await side.hears(2).catch(() => undefined)
    if (answer) break
  }
})

test('nobody waits for ever', async (t) => {
  const clock = new FakeClock()
  const { proxy, enter } = await stage(t, { clock })
  const alone = await enter().joins()
  clock.advance(119_000)
  const [one, other] = [await enter().joins('b'.repeat(40)), await enter().joins('b'.repeat(40))]
  proxy.activate('b'.repeat(40))
  clock.advance(1000)
  await alone.ended
  clock.advance(120_000)
  one.says(1)
  assert.deepEqual([...(await other.hears(1))], [1], 'what is active goes on')
})

test('a transfer may be slowed down', async (t) => {
  const clock = new FakeClock()
  const { proxy, enter } = await stage(t, { clock, bytesPerSecond: 1000 })
  const [target, requester] = [await enter().joins(), await enter().joins()]
  proxy.activate(HASH)
  requester.socket.end(Buffer.alloc(5000, 1))
  let heard = false
  const all = target.hears(5000).then(() => {
    heard = true
  })
  const began = clock.now()
  while (!heard) {
    clock.advance(100)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await all
  assert.ok(clock.now() - began >= 5000)
})
