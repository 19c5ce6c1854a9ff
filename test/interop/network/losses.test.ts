// SPDX-License-Identifier: Apache-2.0
// What was acknowledged arrives, whoever is killed; who is in a room stays there when a connection breaks, and is gone when its
// server is. The other servers are Debian's Prosody.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { withNetwork } from '../../support/network/host.ts'
import type { Peer } from '../../support/network/peers.ts'
import { createStage, type Stage } from '../../support/network/stage.ts'
import { bench } from '../../support/process.ts'

const DOMAINS = ['killed.example', 'away.example', 'drops.example', 'ghost.example'].map((domain) => ({ domain }))
const COUNT = 300

withNetwork(() =>
  suite('losses', () => {
    const of = bench({ after })
    let stage: Stage
    before(async () => {
      stage = await createStage(of, DOMAINS)
    })

    async function started(domain: string): Promise<Peer> {
      const peer = stage.peers.get(domain)
      assert.ok(peer)
      await peer.start()
      await stage.people.logIn(peer.juliet)
      return peer
    }

    const bodies = (name: string): readonly string[] => Array.from({ length: COUNT }, (_, index) => `${name} ${index}`)

    test('the other server is killed while it gets 300 messages: all arrive', async () => {
      const { people, romeo } = stage
      const peer = await started('killed.example')
      const all = bodies('under fire')
      const saying = (async () => {
        for (const body of all) await people.says(romeo, peer.juliet, body)
      })()
      await people.hears(peer.juliet, 'under fire 50')
      await peer.end('SIGKILL')
      await saying
      await peer.start()
      await people.logIn(peer.juliet, true)
      for (const body of all) if (!(await people.hasHeard(peer.juliet, body))) await people.hears(peer.juliet, body, 60)
    })

    test('this server is killed while 300 messages wait for the other: they arrive after its start, in order, once', async () => {
      const { people, romeo, server } = stage
      const peer = await started('away.example')
      await peer.end('SIGKILL')
      const all = bodies('in the outbox')
      for (const body of all) await people.says(romeo, peer.juliet, body)
      await people.acknowledged(romeo)
      await server.child.end('SIGKILL')
      await peer.start()
      await people.logIn(peer.juliet)
      stage = { ...stage, server: await server.again() }
      await people.hears(peer.juliet, all.at(-1) ?? '', 60)
      assert.deepEqual(await people.heard(peer.juliet), all)
      await people.logIn(romeo)
    })

    test('a connection breaks: who is in the room stays there, on both sides', async () => {
      const { people, romeo } = stage
      const peer = await started('drops.example')
      const room = `verona@rooms.${romeo.domain}`
      await people.makesRoom(romeo, room)
      await people.enters(peer.juliet, room, 'Juliet')
      await people.says(romeo, room, 'before')
      await people.hears(peer.juliet, 'before')
      peer.host.shell('ss -K dport = 5269; ss -K sport = 5269')
      await people.says(romeo, room, 'after')
      await people.hears(peer.juliet, 'after')
      await people.says(peer.juliet, room, 'I am here')
      await people.hears(romeo, 'I am here')
      assert.equal(await people.hasSeenGo(romeo, `${room}/Juliet`), false)
    })

    test('a server is gone for good: its users leave the room', async () => {
      const { people, romeo } = stage
      const peer = await started('ghost.example')
      const room = `mantua@rooms.${romeo.domain}`
      await people.makesRoom(romeo, room)
      await people.enters(peer.juliet, room, 'Juliet')
      await peer.end('SIGKILL')
      await stage.world.dns.change({ '_xmpp-server._tcp.ghost.example.': ['SRV 0 0 0 .'] })
      for (let left = 60; !(await people.hasSeenGo(romeo, `${room}/Juliet`)); left--) {
        assert.ok(left > 0, 'the ghost is still there')
        await people.says(romeo, room, `are you there? ${left}`)
        await delay(1000)
      }
    })
  }),
)
