// SPDX-License-Identifier: Apache-2.0
// Debian's Profanity, typed at in a terminal (tmux), against the real program in its trial mode; also with a client of another make.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Aenigma, bench, startAenigma, startSlixmpp } from '../support/process.ts'
import { Terminal, trustedDirectory } from '../support/profanity.ts'

const of = bench({ after })
let server: Aenigma
let trusted: string
before(async () => {
  server = await startAenigma(of)
  trusted = trustedDirectory(of, server.ca)
})

/** An account, and a Profanity that was told to log in to it. */
async function connecting(name: string, trust: string): Promise<Terminal> {
  await server.addUser(name, `secret of ${name}`)
  const terminal = new Terminal(of, name)
  await terminal.start(trust)
  await terminal.types(`/connect ${name}@localhost server 127.0.0.1 port ${server.ports.starttls} tls force`)
  await terminal.shows(/password:/i)
  await terminal.types(`secret of ${name}`)
  return terminal
}

async function loggedIn(name: string): Promise<Terminal> {
  const terminal = await connecting(name, trusted)
  await terminal.shows(new RegExp(`${name}@localhost/\\S+ logged in successfully`))
  return terminal
}

test('it logs in by STARTTLS when it trusts the authority, and asks when it does not', async () => {
  await loggedIn('mercutio')
  const empty = join(of.directory, 'empty')
  mkdirSync(empty)
  const wary = await connecting('tybalt', empty)
  await wary.shows(/TLS certificate verification failed/)
  await wary.types('/tls deny')
  await wary.shows(/Login failed|Failed to connect|lost connection|disconnected/i)
})

test('two people log in, become contacts, see each other and chat', async () => {
  const romeo = await loggedIn('romeo')
  const juliet = await loggedIn('juliet')

  await juliet.types('/presence console all') // by default it tells only who comes
  await romeo.types('/presence console all')
  await romeo.types('/roster add juliet@localhost Giulietta')
  await romeo.shows(/Roster item added: juliet@localhost \(Giulietta\)/)
  await romeo.types('/sub request juliet@localhost')
  await juliet.shows(/Received authorization request from romeo@localhost/)
  await juliet.types('/sub allow romeo@localhost')
  await romeo.shows(/Giulietta.* is online/)
  await juliet.types('/sub request romeo@localhost')
  await romeo.shows(/Received authorization request from juliet@localhost/)
  await romeo.types('/sub allow juliet@localhost')
  await juliet.shows(/romeo.* is online/)
  await romeo.types('/status set away "on the balcony"')
  await juliet.shows(/romeo.* is away.*on the balcony/)

  await romeo.types('/msg juliet@localhost Ciao, Giulietta! مرحبا')
  await juliet.shows(/<< chat message: romeo@localhost/)
  await juliet.types('/msg romeo@localhost Wherefore art thou?')
  await juliet.shows(/Ciao, Giulietta! مرحبا/)
  await romeo.shows(/Wherefore art thou\?/)

  await juliet.types('/disconnect')
  await juliet.shows(/disconnected|logged out/i)
  await romeo.types('/win 1')
  await romeo.shows(/Giulietta.* is offline/)
})

test('it chats with a client of another make', async () => {
  const benvolio = { name: 'benvolio', password: 'peace, fools' }
  await server.addUser(benvolio.name, benvolio.password)
  const { starttls, tls } = server.ports
  const place = { starttls, tls, ca: server.ca }
  const peer = startSlixmpp(of, 'chat.py', 'answer', { server: place, user: benvolio })
  await peer.until('its login', () => peer.lines.find((line) => line.includes('"login"')))
  const paris = await loggedIn('paris')
  await paris.types('/msg benvolio@localhost Città di 维罗纳?')
  await peer.until('the message', () => peer.lines.find((line) => JSON.parse(line).body === 'Città di 维罗纳?'))
  await paris.shows(/benvolio.*: I heard Città di 维罗纳\?/)
})
