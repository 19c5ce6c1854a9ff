// SPDX-License-Identifier: Apache-2.0
// Two of Debian's Profanity with OMEMO (XEP-0384): fingerprints compared by hand, messages both ways and to one who is away.
// The server never gets to see what they say: no file that it wrote contains it.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Aenigma, bench, startAenigma } from '../support/process.ts'
import { Terminal, trustedDirectory } from '../support/profanity.ts'

const of = bench({ after })
let server: Aenigma
let trusted: string
before(async () => {
  server = await startAenigma(of)
  trusted = trustedDirectory(of, server.ca)
})

async function logsIn(terminal: Terminal, name: string): Promise<void> {
  await terminal.types(`/connect ${name}@localhost server 127.0.0.1 port ${server.ports.starttls} tls force`)
  await terminal.shows(/password:/i)
  await terminal.types(`secret of ${name}`)
  await terminal.shows(new RegExp(`${name}@localhost/\\S+ logged in successfully`))
}

/** Somebody with an account, logged in. */
async function person(name: string): Promise<Terminal> {
  await server.addUser(name, `secret of ${name}`)
  const terminal = new Terminal(of, name)
  await terminal.start(trusted)
  await logsIn(terminal, name)
  return terminal
}

/** Makes keys and publishes them. @returns the fingerprint as its owner would read it out */
async function makesKeys(terminal: Terminal, jid: string): Promise<string> {
  await terminal.types('/omemo gen')
  await terminal.shows(/materials generated\. Your Device ID is \d+/)
  await terminal.types('/omemo fingerprint')
  const [, fingerprint = ''] = await terminal.shows(/Your OMEMO fingerprint: ([0-9a-f]{8}(?:-[0-9a-f]{8}){7})/)
  // Its own device is in the list once the server has given the list and the keys back.
  await terminal.asks('/omemo fingerprint', new RegExp(`${jid}'s OMEMO fingerprint: ${fingerprint}`))
  return fingerprint
}

/** Trusts the fingerprint that the other one read out, which must be the one that the server handed over. */
async function trusts(terminal: Terminal, peer: string, fingerprint: string): Promise<void> {
  const shown = `${peer}'s OMEMO fingerprint: ${fingerprint}`
  await terminal.types('/win 1')
  await terminal.asks(`/omemo fingerprint ${peer}`, new RegExp(`${shown}\\s*$`, 'm'))
  await terminal.types(`/omemo trust ${peer} ${fingerprint}`)
  await terminal.asks(`/omemo fingerprint ${peer}`, new RegExp(`${shown} \\(trusted\\)`))
}

/** The files of a directory, at any depth, whose bytes contain a text. */
function filesWith(directory: string, text: string): string[] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name))
  return paths.filter((path) => statSync(path).isFile() && readFileSync(path).includes(text))
}

test('two people verify fingerprints and exchange encrypted messages, also when one is away', async () => {
  const romeo = await person('romeo')
  const juliet = await person('juliet')
  await romeo.types('/sub request juliet@localhost')
  await juliet.shows(/Received authorization request from romeo@localhost/)
  await juliet.types('/sub allow romeo@localhost')
  await juliet.types('/sub request romeo@localhost')
  await romeo.shows(/Received authorization request from juliet@localhost/)
  await romeo.types('/sub allow juliet@localhost')
  await juliet.shows(/romeo.* is online/)

  const fingerprintOfRomeo = await makesKeys(romeo, 'romeo@localhost')
  const fingerprintOfJuliet = await makesKeys(juliet, 'juliet@localhost')
  await romeo.types('/omemo start juliet@localhost')
  await romeo.shows(/\[OMEMO\]/)
  await juliet.types('/omemo start romeo@localhost')
  await juliet.shows(/\[OMEMO\]/)
  await trusts(romeo, 'juliet@localhost', fingerprintOfJuliet)
  await trusts(juliet, 'romeo@localhost', fingerprintOfRomeo)

  await romeo.types('/msg juliet@localhost Ciao, Giulietta!')
  await juliet.types('/msg romeo@localhost')
  await juliet.shows(/~.*romeo.*: Ciao, Giulietta!/)
  await juliet.types('Wherefore art thou?')
  await romeo.shows(/~.*juliet.*: Wherefore art thou\?/)

  await juliet.types('/disconnect')
  await juliet.shows(/disconnected|logged out/i)
  await romeo.types('Good night, good night!')
  await romeo.shows(/~.*me: Good night, good night!/)
  await juliet.types('/clear') // what it says of the first login
  await logsIn(juliet, 'juliet')
  await juliet.shows(/<< chat message: romeo@localhost/)
  await juliet.types('/msg romeo@localhost')
  await juliet.shows(/~.*romeo.*: Good night, good night!/)

  await server.stop()
  for (const said of ['Ciao, Giulietta!', 'Wherefore art thou?', 'Good night, good night!'])
    assert.deepEqual(filesWith(server.data, said), [], 'the server knows nothing of it')
  const hint = "You received a message encrypted with OMEMO but your client doesn't support OMEMO."
  assert.notDeepEqual(filesWith(server.data, hint), [], 'though what it archived is legible there')
})
