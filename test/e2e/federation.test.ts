// SPDX-License-Identifier: Apache-2.0
// Servers of ours that talk to each other as to anybody: real processes, sockets, TLS, a name server.
import { after, test } from 'node:test'
import { chat, hears, Network } from '../support/federated.ts'
import { bench } from '../support/process.ts'

const place = bench({ after })
const network = await Network.begin(place)
const capulet = await network.start('capulet.example', ['juliet'])
const montague = await network.start('montague.example', ['romeo'])
const juliet = await capulet.enter('juliet')
const romeo = await montague.enter('romeo')

test('people on two servers chat, in order', async () => {
  for (let line = 1; line <= 50; line++) {
    juliet.sends(chat(romeo.jid, `there ${line} 🌹 <&>`))
    romeo.sends(chat(juliet.bare, `back ${line} 🌹 <&>`))
  }
  for (let line = 1; line <= 50; line++) {
    await hears(romeo, `there ${line} 🌹 <&>`)
    await hears(juliet, `back ${line} 🌹 <&>`)
  }
})
