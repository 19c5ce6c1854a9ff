// SPDX-License-Identifier: Apache-2.0
// A client that is just enough of one: it logs in, answers `<r/>` at once, and leaves what comes then to a receiver.
// It looks for marks in the bytes instead of parsing, so that the load costs little beside the server.

import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { keysFor, ScramClient, type ScramKeys, type ScramLogin } from '../../src/accounts/scram-client.ts'
import { PASSWORD } from '../accounts.ts'
import type { Target } from './target.ts'

/** The end of the stream features. */
export const FEATURES = /<\/(?:stream:)?features>/

/** What a client does beside logging in. */
export interface Session {
  readonly user: string
  readonly carbons: boolean
  /** `sasl2`: with Bind 2, and a token is asked for; `token`: by that token, everything in one write. */
  readonly way?: 'sasl2' | 'token'
  /** Called with everything that is received after the login, too. */
  readonly receive?: (text: string) => void
}

const LIMIT = 60_000
const SM = 'urn:xmpp:sm:3'
const MARKS = /<(message|presence|iq|r|a)[\s/>]/g
const SASL2 = 'urn:xmpp:sasl:2'
const FAST = 'urn:xmpp:fast:0'
/** Tokens by user. */
const tokens = new Map<string, string>()
const contexts = new Map<string, SecureContext>()
/** The costly part of logging in, by the salt (and all) that the server sends. */
const remembered = new Map<string, Promise<ScramKeys>>()

/** The start of a client's stream. */
export function streamHeader(domain: string): string {
  return (
    `<?xml version='1.0'?><stream:stream to='${domain}' version='1.0' xml:lang='en' ` +
    "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
  )
}

function contextOf(target: Target): SecureContext {
  const known = contexts.get(target.ca)
  if (known !== undefined) return known
  const context = createSecureContext({ ca: readFileSync(target.ca), minVersion: 'TLSv1.3' })
  contexts.set(target.ca, context)
  return context
}

/** The keys for a challenge: its nonce is new each time, the rest is the account's. */
export function rememberedKeys(login: ScramLogin, challenge: string): Promise<ScramKeys> {
  const derivation = Buffer.from(challenge, 'base64')
    .toString()
    .replace(/^r=[^,]*/, '')
  const known = remembered.get(derivation) ?? keysFor(login, challenge)
  remembered.set(derivation, known)
  return known
}

/** One connection. */
export class Client {
  /** Stanzas received since stream management was enabled. */
  handled = 0
  /** Stanzas sent since then; who writes stanzas counts them here. */
  sent = 0
  /** The last `h` of the server. */
  acknowledged = 0
  /** Messages that came while nobody had taken over receiving. */
  messages = 0
  /** The full JID that was bound. */
  jid = ''
  /** What the server offered before login. */
  features = ''
  readonly #target: Target
  readonly #socket: TLSSocket
  #text = ''
  #failure: Error | undefined
  #closed = false
  #wake: () => void = () => {}
  #receive: (text: string) => void

  constructor(target: Target) {
    this.#target = target
    this.#receive = (text) => {
      this.#text += text
    }
    this.#socket = connect({
      host: '127.0.0.1',
      port: target.port,
      servername: target.domain,
      secureContext: contextOf(target),
      ALPNProtocols: ['xmpp-client'],
    })
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk.toString('latin1'))
      this.#wake()
    })
    this.#socket.on('error', (error) => this.#end(error))
    this.#socket.on('close', () => this.#end(new Error('the server closed the connection')))
  }

  /** Whether the connection is gone. */
  get closed(): boolean {
    return this.#closed
  }

  /** Sends text or bytes. */
  write(data: string | Uint8Array): void {
    this.#socket.write(data)
  }

  /** Sends two pieces as one. */
  writeBoth(first: Uint8Array, second: Uint8Array): void {
    this.#socket.cork()
    this.#socket.write(first)
    this.#socket.write(second)
    this.#socket.uncork()
  }

  /** From now on everything received goes to `receive`, which also sees to `<r/>`. */
  handOver(receive: (text: string) => void): void {
    this.#receive = receive
    const rest = this.#text
    this.#text = ''
    if (rest !== '') receive(rest)
  }

  /** Answers the server's requests for acknowledgement, `times` of them. */
  answer(times: number): void {
    this.#socket.write(`<a xmlns='${SM}' h='${this.handled}'/>`.repeat(times), 'latin1')
  }

  /** Logs in: TLS, SCRAM, bind, stream management, presence; done when the server has acknowledged the presence. */
  async login(session: Session): Promise<void> {
    await this.#authenticate(session.user)
    this.write(`${streamHeader(this.#target.domain)}`)
    await this.#read(FEATURES)
    this.write("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
    this.jid = /<jid>([^<]*)/.exec(await this.#read(/<\/iq>/))?.[1] ?? ''
    if (this.jid === '') throw new Error(`${session.user} was not bound`)
    const carbons = "<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>"
    this.write(`<enable xmlns='${SM}' resume='true'/>${session.carbons ? carbons : ''}<presence/><r xmlns='${SM}'/>`)
    this.sent = session.carbons ? 2 : 1
    await this.#read(/<enabled[^>]*>/)
    this.handOver((text) => {
      this.#attend(text)
      session.receive?.(text)
    })
    await this.#until(() => this.acknowledged >= this.sent)
  }

  /** The same in one round trip more than SCRAM needs (XEP-0388, XEP-0386), or in a single one (XEP-0484). */
  async loginAtOnce({ user, way }: Session): Promise<void> {
    const success = way === 'token' ? await this.#showToken(user) : await this.#provePassword(user)
    this.jid = /<authorization-identifier>([^<]*)/.exec(success)?.[1] ?? ''
    if (!this.jid.includes('/')) throw new Error(`${user} was not bound`)
    const token = /<token [^>]*\btoken=['"]([^'"]*)/.exec(success)?.[1]
    if (token !== undefined) tokens.set(user, token)
    await this.#read(FEATURES)
    this.write(`<presence/><r xmlns='${SM}'/>`)
    this.sent = 1
    this.handOver((text) => this.#attend(text))
    await this.#until(() => this.acknowledged >= this.sent)
  }

  /** Says who it is to the relay. */
  async greet(line: string): Promise<void> {
    this.write(`${line}\n`)
    await this.#read(/ok\n/)
  }

  /** Asks the server to acknowledge everything sent so far, and waits for it. Only while nobody has taken over. */
  async flush(): Promise<void> {
    this.write(`<r xmlns='${SM}'/>`)
    await this.#until(() => this.acknowledged >= this.sent)
  }

  /** Closes the stream and waits until the connection is gone. */
  async close(): Promise<void> {
    if (this.#target.protocol === 'xmpp') this.#socket.end('</stream:stream>')
    else this.#socket.end()
    const late = setTimeout(() => this.#socket.destroy(), 5_000)
    await new Promise<void>((resolve) => (this.#closed ? resolve() : this.#socket.once('close', () => resolve())))
    clearTimeout(late)
  }

  async #authenticate(user: string): Promise<void> {
    this.write(streamHeader(this.#target.domain))
    this.features = await this.#read(FEATURES)
    const login: ScramLogin = { hash: 'SCRAM-SHA-256', username: user, password: PASSWORD }
    const scram = new ScramClient(login)
    this.write(scram.auth)
    const challenge = await this.#readSasl('challenge')
    this.write(scram.response(challenge, await rememberedKeys(login, challenge)))
    if (!scram.trusts(await this.#readSasl('success'))) throw new Error(`wrong server signature for ${user}`)
  }

  async #provePassword(user: string): Promise<string> {
    this.write(streamHeader(this.#target.domain))
    await this.#read(FEATURES)
    const login: ScramLogin = { hash: 'SCRAM-SHA-256', username: user, password: PASSWORD }
    const scram = new ScramClient(login)
    const wish = `<request-token xmlns='${FAST}' mechanism='HT-SHA-256-EXPR'/>`
    this.write(authenticate(scram.mechanism, scram.first, user, wish))
    const challenge = await this.#readSasl('challenge')
    const final = scram.final(challenge, await rememberedKeys(login, challenge))
    this.write(`<response xmlns='${SASL2}'>${final}</response>`)
    const success = await this.#read(/<\/(?:success|failure)>/)
    const proof = /<additional-data>([^<]*)/.exec(success)?.[1] ?? ''
    if (!scram.trusts(proof)) throw new Error(`wrong server signature for ${user}`)
    return success
  }

  async #showToken(user: string): Promise<string> {
    await new Promise<void>((resolve) => this.#socket.once('secureConnect', resolve))
    const binding = this.#socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    const mac = createHmac('sha256', tokens.get(user) ?? '')
      .update('Initiator')
      .update(binding)
    const message = Buffer.concat([Buffer.from(`${user}\0`), mac.digest()]).toString('base64')
    const wish = authenticate('HT-SHA-256-EXPR', message, user, `<fast xmlns='${FAST}'/>`)
    this.write(streamHeader(this.#target.domain) + wish)
    await this.#read(FEATURES)
    const answer = await this.#read(/<\/(?:success|failure)>/)
    if (!answer.includes('<success')) throw new Error(`the token of ${user} was refused: ${answer}`)
    return answer
  }

  async #readSasl(name: string): Promise<string> {
    const text = await this.#read(/<\/(?:challenge|success|failure)>/)
    const content = new RegExp(`<${name}[^>]*>([^<]*)</${name}>`).exec(text)?.[1]
    if (content === undefined) throw new Error(`no ${name} but ${text}`)
    return content
  }

  /** Waits for `pattern` and takes everything up to its end. */
  async #read(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.#text), pattern)
    const end = pattern.exec(this.#text)
    const upTo = end === null ? 0 : end.index + end[0].length
    const taken = this.#text.slice(0, upTo)
    this.#text = this.#text.slice(upTo)
    return taken
  }

  async #until(reached: () => boolean, what: RegExp | string = 'an acknowledgement'): Promise<void> {
    if (reached()) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const late = setTimeout(() => reject(new Error(`waited too long for ${what}`)), LIMIT)
    this.#wake = () => {
      if (reached()) resolve()
      else if (this.#failure !== undefined) reject(new Error(`${this.#failure.message} ${this.#text}`))
    }
    this.#wake()
    await promise.finally(() => {
      clearTimeout(late)
      this.#wake = () => {}
    })
  }

  /** Counts stanzas and sees to acknowledgements, exactly and not fast: for all but the receivers of a chat. */
  #attend(text: string): void {
    const all = this.#text + text
    const whole = all.lastIndexOf('>') + 1
    this.#text = all.slice(whole)
    for (const mark of all.slice(0, whole).matchAll(MARKS)) {
      if (mark[1] === 'r') this.answer(1)
      else if (mark[1] === 'a') {
        this.acknowledged = Number(/^[^>]*\sh=['"](\d+)/.exec(all.slice(mark.index))?.[1] ?? this.acknowledged)
      } else this.handled++
      if (mark[1] === 'message') this.messages++
    }
  }

  #end(error: Error): void {
    this.#failure ??= error
    this.#closed = true
    this.#wake()
  }
}

/** An `<authenticate/>` that binds and enables stream management. @param first the initial response in Base64 */
function authenticate(mechanism: string, first: string, user: string, wish: string): string {
  const id = `d4565fa7-4d72-4749-b3d3-${user.slice(1).padStart(12, '0')}`
  return (
    `<authenticate xmlns='${SASL2}' mechanism='${mechanism}'>` +
    `<initial-response>${first}</initial-response><user-agent id='${id}'/>` +
    `<bind xmlns='urn:xmpp:bind:0'><tag>load</tag><enable xmlns='${SM}' resume='true'/></bind>${wish}</authenticate>`
  )
}

/** Opens a connection and logs in; the relay is told `line` instead. */
export async function open(target: Target, session: Session, line: string): Promise<Client> {
  const client = new Client(target)
  if (session.way !== undefined) await client.loginAtOnce(session)
  else if (target.protocol === 'xmpp') await client.login(session)
  else await client.greet(line)
  return client
}

/** Runs `work` for 0 … count-1, at most `atOnce` of them at a time. */
export async function inTurns(count: number, atOnce: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane))
}
