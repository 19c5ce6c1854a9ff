// SPDX-License-Identifier: Apache-2.0
// Somebody else's web client (Strophe, which most web chats are made with), over BOSH and over WebSocket.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { $iq, $msg, $pres, Strophe } from 'strophe.js'
import { streamManagement } from '../../src/xep/0198-stream-management/feature.ts'
import { ping } from '../../src/xep/0199-ping.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { loopback } from '../support/loopback.ts'
import { FetchingXmlHttpRequest } from '../support/xml-http-request.ts'

Strophe.setLogLevel(Strophe.LogLevel.FATAL)
Object.assign(globalThis, { XMLHttpRequest: FetchingXmlHttpRequest })

const place = await loopback({ features: [streamManagement, ping], hashes: ['SCRAM-SHA-256'], iterations: 4096 })
for (const name of ['romeo', 'juliet']) await place.accounts.add(Jid.of(name, 'localhost'), 'secret')

const SERVICES = {
  BOSH: `https://localhost:${place.https}/http-bind`,
  'BOSH on this machine': `http://127.0.0.1:${place.http}/http-bind`,
  WebSocket: `wss://localhost:${place.https}/xmpp-websocket`,
  'WebSocket on this machine': `ws://127.0.0.1:${place.http}/xmpp-websocket`,
}

interface Stanza {
  getElementsByTagName(name: string): ArrayLike<{ readonly textContent: string | null }>
}

class Person {
  readonly connection
  readonly #bodies: string[] = []
  #changed: () => void = () => undefined
  #status: number | undefined

  constructor(t: TestContext, service: string) {
    this.connection = new Strophe.Connection(service)
    this.connection.addHandler(
      (stanza: Stanza) => {
        this.#bodies.push(stanza.getElementsByTagName('body')[0]?.textContent ?? '')
        this.#changed()
        return true
      },
      null as never,
      'message',
    )
    t.after(() => this.connection.reset())
  }

  async enters(name: string, password = 'secret'): Promise<void> {
    this.connection.connect(`${name}@localhost`, password, (status: number) => {
      this.#status = status
      this.#changed()
    })
  }

  /** Waits for a status. */
  async becomes(...wanted: readonly number[]): Promise<void> {
    while (!wanted.includes(this.#status ?? -1)) await this.#change()
  }

  async hears(): Promise<string> {
    for (;;) {
      const body = this.#bodies.shift()
      if (body !== undefined) return body
      await this.#change()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = resolve
    })
  }
}

for (const [way, service] of Object.entries(SERVICES)) {
  test(`Strophe logs in, chats and leaves (${way})`, async (t) => {
    const [romeo, juliet] = [new Person(t, service), new Person(t, service)]
    await romeo.enters('romeo')
    await juliet.enters('juliet')
    for (const one of [romeo, juliet]) {
      await one.becomes(Strophe.Status.CONNECTED)
      one.connection.send($pres())
    }
    const ask = (one: Person): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const iq = $iq({ type: 'get', to: 'localhost' }).c('ping', { xmlns: 'urn:xmpp:ping' })
        one.connection.sendIQ(iq, resolve, reject)
      })
    await Promise.all([ask(romeo), ask(juliet)])
    for (let line = 1; line <= 10; line++) {
      romeo.connection.send($msg({ to: juliet.connection.jid, type: 'chat' }).c('body').t(`there ${line} <&>`))
      juliet.connection.send($msg({ to: romeo.connection.jid, type: 'chat' }).c('body').t(`back ${line} <&>`))
    }
    for (let line = 1; line <= 10; line++) {
      assert.equal(await juliet.hears(), `there ${line} <&>`)
      assert.equal(await romeo.hears(), `back ${line} <&>`)
    }
    for (const one of [romeo, juliet]) {
      one.connection.disconnect('')
      await one.becomes(Strophe.Status.DISCONNECTED)
    }
    while ([...place.server.sessions()].length > 0) await new Promise((resolve) => setImmediate(resolve))
  })

  test(`Strophe is told that the password is wrong (${way})`, async (t) => {
    const romeo = new Person(t, service)
    await romeo.enters('romeo', 'wrong')
    await romeo.becomes(Strophe.Status.AUTHFAIL)
  })
}
