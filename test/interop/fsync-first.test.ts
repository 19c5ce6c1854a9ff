// SPDX-License-Identifier: Apache-2.0
// The order of system calls, as strace sees it: between the reading of a message and the next write to its sender's socket there is
// a whole fsync of the database. TLS hides the `<a/>`, but on a connection that is idle else nothing is written but it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { PASSWORD } from '../../bench/accounts.ts'
import { Client } from '../../bench/load/client.ts'
import { bench, Child, freePorts, needs, startAenigma } from '../support/process.ts'

const STRACE = '/usr/bin/strace'
const ROUNDS = 5

type Event = 'read' | 'fsync' | 'write'

/** What happens at the socket and to the file, in order. A call counts as soon as it begins, but an fsync when it has succeeded. */
function eventsOf(trace: string, port: number): Event[] {
  const socket = new RegExp(`^\\d+ +(read|write|writev|sendmsg)\\(\\d+<TCP(?:v6)?:\\[[^\\]]*:${port}->`)
  const syncing = new Set<string>()
  const events: Event[] = []
  for (const line of trace.split('\n')) {
    const thread = line.split(' ', 1)[0] ?? ''
    const call = socket.exec(line)?.[1]
    if (call === 'read' && !line.endsWith('EAGAIN (Resource temporarily unavailable)')) events.push('read')
    else if (call !== undefined && call !== 'read') events.push('write')
    if (/ f(?:data)?sync\(\d+<[^>]*aenigma\.db-wal>/.test(line)) syncing.add(thread)
    if (/ (?:<\.\.\. )?f(?:data)?sync.*\) += 0$/.test(line) && syncing.delete(thread)) events.push('fsync')
  }
  return events
}

test('no acknowledgement leaves before the fsync that covers what it acknowledges', async (t) => {
  needs(STRACE, 'strace')
  const of = bench(t)
  const ports = await freePorts()
  const server = await startAenigma(of, ports)
  await server.addUser('u0', PASSWORD)
  await server.addUser('u1', PASSWORD)
  const client = new Client({ protocol: 'xmpp', port: ports.tls, domain: 'localhost', ca: server.ca })
  await client.login({ user: 'u0', carbons: false })

  const file = join(of.directory, 'trace')
  const calls = 'trace=read,write,writev,sendmsg,fsync,fdatasync'
  const args = ['-f', '-yy', '-s', '0', '-e', calls, '-o', file, '-p', String(server.child.pid)]
  const strace = new Child(of, { program: STRACE, args })
  await strace.until('its being attached', () => /attached/.exec(strace.output))
  for (let round = 0; round < ROUNDS; round++) {
    client.write(`<message type='chat' id='m${round}' to='u1@localhost'><body>The inconstant moon</body></message>`)
    client.sent++
    await client.flush()
  }
  await strace.end('SIGINT')
  await client.close()
  await server.stop()

  // What came first may have begun before strace looked.
  const [, ...rounds] = eventsOf(readFileSync(file, 'utf8'), ports.tls).join(' ').split('write')
  const rest = rounds.slice(0, -1)
  assert.ok(rest.length >= ROUNDS - 2, `too few writes were seen: ${rest.length}`)
  for (const round of rest) assert.match(round, /^ read .*fsync $/, `before a write: ${round}`)
})
