// SPDX-License-Identifier: Apache-2.0
// Rooms (XEP-0045) as other people's clients use them, and through the death of the real program.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { type Aenigma, bench, freePorts, startAenigma, startSlixmpp } from '../support/process.ts'
import { Terminal, trustedDirectory } from '../support/profanity.ts'
import { ResumingClient } from '../support/resuming-client.ts'

const of = bench({ after })
let server: Aenigma
before(async () => {
  server = await startAenigma(of)
})

test('slixmpp: a private group is made, joined by invitation, talked in, read again and destroyed', async () => {
  const [romeo, juliet] = [
    { name: 'romeo', password: 'by yonder blessed moon' },
    { name: 'juliet', password: 'swear not by the moon' },
  ]
  for (const { name, password } of [romeo, juliet]) await server.addUser(name, password)
  const { starttls, tls } = server.ports
  const settings = { server: { starttls, tls, ca: server.ca }, romeo, juliet, room: 'verona@rooms.localhost' }
  const child = startSlixmpp(of, 'rooms.py', 'group', settings)
  await child.succeeds(60_000)
  const facts = child.lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line))
  assert.deepEqual(facts, [
    { saw: 'made', codes: [100, 110, 170, 201] },
    { saw: 'form', membersonly: true, whois: 'anyone' },
    { saw: 'refused', condition: 'registration-required' },
    { saw: 'invited', to: true },
    { saw: 'joined', others: ['Romeo'], past: ['before'], affiliation: 'member', role: 'participant' },
    { saw: 'heard', nick: 'Juliet', occupant: true },
    { saw: 'lists', owners: ['romeo@localhost'], members: ['juliet@localhost'] },
    { saw: 'archive', bodies: ['before', 'in the room'] },
    { saw: 'kicked' },
    { saw: 'destroyed' },
  ])
})

test('Profanity: two people in a room that one of them made', async () => {
  const trusted = trustedDirectory(of, server.ca)
  const [mercutio, benvolio] = await Promise.all(
    ['mercutio', 'benvolio'].map(async (name) => {
      await server.addUser(name, `secret of ${name}`)
      const terminal = new Terminal(of, name)
      await terminal.start(trusted)
      await terminal.types(`/connect ${name}@localhost server 127.0.0.1 port ${server.ports.starttls} tls force`)
      await terminal.shows(/password:/i)
      await terminal.types(`secret of ${name}`)
      await terminal.shows(/logged in successfully/)
      return terminal
    }),
  )
  assert.ok(mercutio && benvolio)
  await mercutio.types('/join street@rooms.localhost nick Mercutio')
  await mercutio.shows(/requires configuration/i)
  await mercutio.types('/room accept')
  await mercutio.shows(/Room unlocked/i)
  await mercutio.types('/affiliation set member benvolio@localhost')
  await benvolio.shows(/invit/i)
  await benvolio.types('/join street@rooms.localhost nick Benvolio')
  await mercutio.shows(/Participants[\s\S]*Benvolio/)
  await mercutio.types('O, then I see Queen Mab hath been with you.')
  await benvolio.shows(/Mercutio: O, then I see Queen Mab/)
  await mercutio.types('/subject set "The day is hot"')
  await benvolio.shows(/The day is hot/)
})

test('kill -9: who resumes is in the room, and has missed nothing of what was acknowledged', async (t) => {
  const place = bench(t)
  const ports = await freePorts()
  let own = await startAenigma(place, ports)
  const people = await Promise.all(
    ['romeo', 'juliet'].map(async (name) => {
      await own.addUser(name, `secret of ${name}`)
      return new ResumingClient({
        port: ports.tls,
        ca: readFileSync(own.ca, 'utf8'),
        name,
        password: `secret of ${name}`,
      })
    }),
  )
  const [romeo, juliet] = people
  assert.ok(romeo && juliet)
  const room = 'verona@rooms.localhost'
  const acknowledged = async (client: ResumingClient): Promise<void> => {
    client.ask()
    await client.until('acknowledgement', () => client.waiting === 0)
  }
  const enters = (client: ResumingClient, nick: string): void =>
    client.send(`<presence to='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  const says = (client: ResumingClient, text: string): void =>
    client.send(`<message to='${room}' type='groupchat'><body>${text}</body></message>`)
  for (const client of people) await client.connects()
  enters(romeo, 'Romeo')
  const open = `<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field><field var='muc#roomconfig_membersonly'><value>0</value></field>`
  romeo.send(
    `<iq type='set' id='c' to='${room}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>${open}</x></query></iq>`,
  )
  await acknowledged(romeo)
  enters(juliet, 'Juliet')
  await acknowledged(juliet)
  for (let round = 0; round < 3; round++) {
    says(romeo, `${round} before`)
    await juliet.until('what was said before', () => juliet.bodies.includes(`${round} before`))
    await acknowledged(romeo)
    await own.crash()
    for (const client of people) await client.drops()
    own = await startAenigma(place, ports)
    await romeo.connects()
    says(romeo, `${round} while she is away`)
    await acknowledged(romeo)
    await juliet.connects()
    await juliet.until('what was said meanwhile', () => juliet.bodies.includes(`${round} while she is away`))
    says(juliet, `${round} back`)
    await romeo.until('her answer', () => romeo.bodies.includes(`${round} back`))
    await acknowledged(juliet)
  }
  await own.stop()
})
