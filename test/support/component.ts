// SPDX-License-Identifier: Apache-2.0
// A component (XEP-0114) as tests need it: a program that answers for a domain of its own.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Stranger, type Theatre } from './cast.ts'
import { MemoryLink } from './memory-link.ts'

/** Whom it answers for unless a test says so, and how it proves that. */
export const DOMAIN = 'irc.localhost'
export const SECRET = 'correct horse'

/** A program that connects; nothing is sent yet. */
export class Program extends Stranger {
  /** It connects. */
  static comes({ server }: Theatre): Program {
    const program = new Program(new MemoryLink({ encrypted: false }))
    server.acceptComponent(program.link)
    return program
  }

  /** Opens the stream. @returns its id, and what the server calls itself */
  async header(to = DOMAIN, ns = 'jabber:component:accept'): Promise<{ id: string; from: string; version?: string }> {
    this.link.clientOpens({ to }, ns)
    const heard = await this.link.next()
    assert.ok(heard.kind === 'opened')
    return heard.header
  }

  /** Opens the stream and proves itself; what comes of it is left to be received. */
  async shakesHands(secret = SECRET, to = DOMAIN): Promise<void> {
    const { id } = await this.header(to)
    this.sends(`<handshake>${createHash('sha1').update(`${id}${secret}`).digest('hex')}</handshake>`)
  }

  /** The same, and it is let in. */
  async joins(secret = SECRET, to = DOMAIN): Promise<this> {
    await this.shakesHands(secret, to)
    await this.receives('<handshake/>')
    return this
  }
}
