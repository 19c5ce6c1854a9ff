// SPDX-License-Identifier: Apache-2.0
// The real program on a disk that fills up: whoever sends learns what was not kept, everybody else goes on, with room again
// it works again, and after a restart everything that was acknowledged is there. Needs root, to mount a tiny file system.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Aenigma, bench, freePorts, startAenigma } from '../support/process.ts'
import { Wire } from '../support/wire.ts'

const SM = 'urn:xmpp:sm:3'
const BATCH = 10
/** Makes a commit large. */
const PADDING = 'x'.repeat(2000)

async function login({ ports, ca }: Aenigma, username: string): Promise<Wire> {
  const wire = await Wire.direct(ports.tls, { ca: readFileSync(ca) })
  await wire.logsIn(username, 'test')
  return wire
}

/** A client whose stanzas are counted. */
async function counting(server: Aenigma): Promise<Wire> {
  const romeo = await login(server, 'romeo')
  await romeo.write(`<enable xmlns='${SM}'/>`)
  await romeo.until(/<enabled [^>]*>/)
  return romeo
}

function message(id: string): string {
  return `<message type='chat' to='juliet@localhost' id='${id}'><body>${id} ${PADDING}</body></message>`
}

/** What of `said` the ids of these are. */
function idsOf(said: string, pattern: RegExp): readonly string[] {
  return [...said.matchAll(pattern)].map(([, id]) => id ?? '')
}

/** What became of messages, by their ids. */
interface Fates {
  readonly kept: readonly string[]
  /** Came back with an error. */
  readonly bounced: readonly string[]
  /** Neither when the stream ended: some were written before the disk was full. */
  readonly unsure: readonly string[]
}

/** Sends until something is not kept, and the stream ends with this error. */
async function fills(romeo: Wire): Promise<Fates> {
  const kept: string[] = []
  for (let round = 0; ; round++) {
    const ids = Array.from({ length: BATCH }, (_, place) => `m${round}-${place}`)
    await romeo.write(`${ids.map(message).join('')}<r xmlns='${SM}'/>`)
    const said = await romeo.until(/<a [^>]*>|<\/stream:stream>/)
    const [h] = idsOf(said, /<a [^>]*h='(\d+)'/g)
    const bounced = idsOf(said, /<message [^>]*\bid='([^']*)'/g)
    if (h === undefined) {
      assert.match(said, /<stream:error><internal-server-error /)
      assert.equal(said.match(/<error type='wait'>/g)?.length, bounced.length)
      return { kept, bounced, unsure: ids.filter((id) => !bounced.includes(id)) }
    }
    assert.equal(Number(h), (round + 1) * BATCH)
    assert.deepEqual(bounced, [], 'nothing comes back and is acknowledged')
    kept.push(...ids)
  }
}

/** What waited for Juliet, in order. */
async function waiting(server: Aenigma): Promise<readonly string[]> {
  const juliet = await login(server, 'juliet')
  await juliet.write('<presence/>')
  const said = await juliet.pings()
  juliet.socket.destroy()
  return idsOf(said, /<body>(\S+) x/g)
}

test('a full disk: senders are told, the server stays up, and what was acknowledged is there afterwards', async (t) => {
  const of = bench(t)
  const disk = join(of.directory, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk])
  of.defer(() => void execFileSync('umount', [disk]))
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024))
  const ports = await freePorts()
  const options = {
    accounts: { plain: true },
    limits: { offlineMessages: 100_000, strangerMessagesPerHour: 1_000_000 },
  }
  const server = await startAenigma(of, ports, { data: join(disk, 'data'), options })
  for (const name of ['romeo', 'juliet', 'tybalt']) await server.addUser(name, 'secret')
  const mercutio = await login(server, 'tybalt')

  const { kept, bounced, unsure } = await fills(await counting(server))
  assert.ok(kept.length > 0 && bounced.length > 0, `${kept.length} kept, ${bounced.length} came back`)
  assert.match(server.child.output, /store failed/)

  await mercutio.pings()
  const tybalt = await login(server, 'tybalt')
  await tybalt.write(
    `<iq type='set' id='large'><query xmlns='jabber:iq:private'><n xmlns='urn:example:n'>${PADDING.repeat(20)}</n></query></iq>`,
  )
  assert.match(await tybalt.until(/<iq [^>]*id='large'[^>]*>/), /type='error'/)
  await tybalt.pings()

  rmSync(ballast)
  const romeo = await counting(server)
  await romeo.write(`${message('after')}<r xmlns='${SM}'/>`)
  await romeo.until(/<a [^>]*h='1'[^>]*>/)
  await server.stop()

  const again = await startAenigma(of, ports, { data: join(disk, 'data'), options })
  const arrived = await waiting(again)
  assert.deepEqual(
    arrived.filter((id) => !unsure.includes(id)),
    [...kept, 'after'],
    'all that was acknowledged, once and in order, and nothing that came back',
  )
  await again.stop()
})
