// SPDX-License-Identifier: Apache-2.0
// A client that counts as XEP-0198 says and resumes its session whenever its connection breaks; it keeps what it sent until
// the server says that it has it, and sends it again if the server does not.
import assert from 'node:assert/strict'
import { connect, type TLSSocket } from 'node:tls'
import { ScramClient } from '../../src/accounts/scram-client.ts'
import type { Element } from '../../src/xml/element.ts'
import { Reader } from '../../src/xml/reader.ts'
import { SM } from './resume.ts'
import { HEADER } from './wire.ts'

/** How long anything may take, in ms; only a test that fails waits so long. */
const PATIENCE = 60_000

/** Where it connects, and as whom. */
export interface Place {
  readonly port: number
  readonly ca: string
  readonly name: string
  readonly password: string
}

/** One client of one account, over as many connections as it takes. */
export class ResumingClient {
  /** Bodies of the messages that came, in order. */
  readonly bodies: string[] = []
  /** How many of its stanzas the server has acknowledged. */
  acknowledged = 0
  readonly #place: Place
  /** Stanzas that are not acknowledged. */
  #unacknowledged: string[] = []
  #handled = 0
  #id: string | undefined
  #socket: TLSSocket | undefined
  #elements: Element[] = []
  #changed: () => void = () => undefined

  constructor(place: Place) {
    this.#place = place
  }

  /** Whether it has a stream. */
  get connected(): boolean {
    return this.#socket !== undefined
  }

  /** How many of its stanzas are not acknowledged. */
  get waiting(): number {
    return this.#unacknowledged.length
  }

  /** Sends a stanza, now or when it is connected again. */
  send(xml: string): void {
    this.#unacknowledged.push(xml)
    this.#socket?.write(xml)
  }

  /** Asks what the server has. */
  ask(): void {
    this.#socket?.write(`<r xmlns='${SM}'/>`)
  }

  /** Logs in and binds; later it resumes. */
  async connects(): Promise<void> {
    const socket = await this.#opens()
    const say = (xml: string): unknown => socket.write(xml)
    await this.#logsIn(say)
    if (this.#id === undefined) {
      say(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
      await this.#hears('iq')
      say(`<enable xmlns='${SM}' resume='true'/>`)
      this.#id = (await this.#hears('enabled')).attrs.id
    } else {
      say(`<resume xmlns='${SM}' previd='${this.#id}' h='${this.#handled}'/>`)
      const resumed = await this.#hears('resumed')
      this.#takes(Number(resumed.attrs.h))
      for (const xml of this.#unacknowledged) say(xml)
    }
    this.#socket = socket
    this.#lives()
  }

  /** Resolves when that is so; asked whenever something came. */
  async until(what: string, condition: () => boolean): Promise<void> {
    while (!condition()) await this.#change(what)
  }

  /** The connection is cut. */
  async drops(): Promise<void> {
    const socket = this.#socket
    if (!socket || socket.destroyed) return
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.destroy()
    await closed
  }

  async #opens(): Promise<TLSSocket> {
    const { port, ca } = this.#place
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca })
    await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
    this.#elements = []
    let reader = new Reader({})
    socket.on('error', () => undefined)
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#changed()
    })
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk)
      for (let event = reader.next(); event; event = reader.next()) {
        if (event.kind !== 'element') continue
        this.#elements.push(event.element)
        if (event.element.name === 'success') reader = new Reader({})
      }
      if (this.#socket === socket) this.#lives()
      this.#changed()
    })
    return socket
  }

  async #logsIn(say: (xml: string) => unknown): Promise<void> {
    const { name, password } = this.#place
    const scram = new ScramClient({ hash: 'SCRAM-SHA-256', username: name, password })
    say(HEADER)
    await this.#hears('features')
    say(scram.auth)
    say(scram.response((await this.#hears('challenge')).text))
    await this.#hears('success')
    say(HEADER)
    await this.#hears('features')
  }

  async #hears(name: string): Promise<Element> {
    for (;;) {
      const element = this.#elements.shift()
      if (element) {
        assert.equal(element.name, name, element.xml(''))
        return element
      }
      await this.#change(name)
    }
  }

  /** Deals with what has come. */
  #lives(): void {
    for (const element of this.#elements.splice(0)) {
      if (element.is('r', SM)) this.#socket?.write(`<a xmlns='${SM}' h='${this.#handled}'/>`)
      else if (element.is('a', SM)) this.#takes(Number(element.attrs.h))
      else if (element.ns === 'jabber:client') {
        this.#handled++
        const body = element.childText('body')
        if (element.name === 'message' && body !== undefined) this.bodies.push(body)
      }
    }
  }

  #takes(h: number): void {
    const more = h - this.acknowledged
    assert.ok(more >= 0 && more <= this.#unacknowledged.length, `h='${h}' after ${this.acknowledged}`)
    this.#unacknowledged.splice(0, more)
    this.acknowledged = h
  }

  #change(what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what}; so far ${this.bodies.length} messages`)), PATIENCE)
      const before = this.#changed
      this.#changed = () => {
        clearTimeout(timer)
        this.#changed = () => undefined
        before()
        resolve()
      }
    })
  }
}
