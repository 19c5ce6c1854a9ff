// SPDX-License-Identifier: Apache-2.0
// Somebody with a client on another host, found by the domain alone (`client.ts`).
import { join } from 'node:path'
import type { Host } from '../support/network/host.ts'
import type { Child } from '../support/process.ts'

/** How long they wait for anything, in ms. */
const PATIENCE = 60_000

/** Who it is, and how they come. */
export interface Coming {
  readonly domain: string
  readonly name: string
  readonly password: string
  /** File with whom they trust. */
  readonly ca: string
  /** By STARTTLS, or with TLS from the start. */
  readonly by?: 'xmpp' | 'xmpps'
}

/** They are logged in. */
export class Person {
  /** Where their server was found. */
  readonly service: string
  readonly #child: Child

  private constructor(child: Child, service: string) {
    this.#child = child
    this.service = service
  }

  /** Logs in. */
  static async logIn(host: Host, { domain, name, password, ca, by = 'xmpps' }: Coming): Promise<Person> {
    const args = [join(import.meta.dirname, 'client.ts'), domain, name, password, by]
    const env = { NODE_EXTRA_CA_CERTS: ca }
    const child = host.start({ program: process.execPath, args, env, isAsked: true })
    const { service } = await sees<{ service: string }>(child, 'a login', (fact) => 'jid' in fact)
    return new Person(child, service)
  }

  /** Says something; the server has it then. */
  async says(to: string, body: string): Promise<void> {
    this.#child.types(`${JSON.stringify({ to, body })}\n`)
    await sees(this.#child, `word that "${body}" is there`, (fact) => 'said' in fact && fact.said === body)
  }

  async hears(body: string): Promise<void> {
    await sees(this.#child, `"${body}"`, (fact) => 'heard' in fact && fact.heard === body)
  }

  /** Waits until the session went on over another connection. */
  async resumes(): Promise<void> {
    await sees(this.#child, 'a session that goes on', (fact) => 'resumed' in fact)
  }

  /** Whether something was lost on the way. */
  get hasLost(): boolean {
    return this.#child.stdout.includes('{"lost"')
  }

  async leaves(): Promise<void> {
    this.#child.closes()
    await this.#child.succeeds(PATIENCE)
  }
}

function sees<T extends object>(child: Child, what: string, is: (fact: object) => boolean): Promise<T> {
  return child.until(what, () => child.lines.map((line): T => JSON.parse(line)).find(is), PATIENCE)
}
