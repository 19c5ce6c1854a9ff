// SPDX-License-Identifier: Apache-2.0
// Servers of ours that find each other: real processes on the loopback interface, a name server that says where each is, and
// an authority that all of them trust.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { ClientSocket } from '../../src/net/probes/client-socket.ts'
import { Client } from '../../src/ops/compliance/client.ts'
import { authenticate, bind } from '../../src/ops/compliance/login.ts'
import { type Element, el } from '../../src/xml/element.ts'
import { authority, type Issued, issue } from './certificates.ts'
import { FakeDns } from './fake-dns.ts'
import { type Bench, Child, freePorts } from './process.ts'

const AENIGMA = new URL('../../bin/aenigma', import.meta.url).pathname
const PASSWORD = 'secret'
/** How long anything may take, in ms. */
const PATIENCE = 60_000
/** What a client may be sent before a test asks for it: all that waited for it comes at once. */
const INBOX_MAX = 5_000
const NS_CLIENT = 'jabber:client'

/** What a server may have that others have not. */
export interface Wish {
  /** Beside the options that all have. */
  readonly options?: Readonly<Record<string, unknown>>
  /** `federation` alone. */
  readonly federation?: Readonly<Record<string, unknown>>
  /** What its certificate is for, if it is not its own domain. */
  readonly certifiedFor?: string
}

/** A network with servers of ours. */
export class Network {
  readonly dns: FakeDns
  readonly #of: Bench
  readonly #authority: Issued

  private constructor(of: Bench, dns: FakeDns, ca: Issued) {
    this.#of = of
    this.dns = dns
    this.#authority = ca
  }

  static async begin(of: Bench): Promise<Network> {
    const ca = await authority()
    setDefaultCACertificates([...getCACertificates('default'), ca.cert])
    writeFileSync(join(of.directory, 'ca.pem'), ca.cert)
    return new Network(of, await FakeDns.start(), ca)
  }

  /** A server that is known to the name server, and does not run yet. */
  async prepare(domain: string, wish: Wish = {}): Promise<OurServer> {
    const ports = await freePorts()
    const [plain, direct] = [ports.starttls, ports.http]
    this.dns.srv(`_xmpp-server._tcp.${domain}`, [0, 0, plain, `xmpp.${domain}`]).host(`xmpp.${domain}`, '127.0.0.1')
    const directory = join(this.#of.directory, domain)
    mkdirSync(directory)
    const { cert, key } = await issue({ dns: [wish.certifiedFor ?? domain], by: this.#authority })
    writeFileSync(join(directory, 'cert.pem'), cert)
    writeFileSync(join(directory, 'key.pem'), key)
    const { host, port } = this.dns.server
    const config = {
      domain,
      data: join(directory, 'data'),
      certificate: { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') },
      listen: {
        ...{ tls: [`127.0.0.1:${ports.tls}`], servers: [`127.0.0.1:${plain}`], serversTls: [`127.0.0.1:${direct}`] },
        ...{ starttls: [], http: [], https: [], metrics: [], proxy: [] },
      },
      federation: {
        resolvers: [`${host}:${port}`],
        authorities: join(this.#of.directory, 'ca.pem'),
        ...wish.federation,
      },
      ...wish.options,
    }
    const file = join(directory, 'aenigma.yaml')
    writeFileSync(file, JSON.stringify(config, undefined, 2))
    return new OurServer(this.#of, domain, file, { client: ports.tls, plain, direct })
  }

  /** The same, running, with accounts. */
  async start(domain: string, accounts: readonly string[], wish: Wish = {}): Promise<OurServer> {
    const server = await this.prepare(domain, wish)
    await server.start()
    for (const name of accounts) await server.addUser(name)
    return server
  }
}

/** One server. */
export class OurServer {
  readonly domain: string
  /** For clients with TLS from the start, and for servers without it and with it. */
  readonly ports: { readonly client: number; readonly plain: number; readonly direct: number }
  readonly #of: Bench
  /** The file that says what it is. */
  readonly config: string
  #child: Child | undefined

  constructor(of: Bench, domain: string, config: string, ports: OurServer['ports']) {
    this.#of = of
    this.domain = domain
    this.config = config
    this.ports = ports
  }

  get child(): Child {
    assert.ok(this.#child)
    return this.#child
  }

  async start(): Promise<void> {
    const child = this.run(['up', '--json'])
    await child.until('readiness', () => child.lines[0], PATIENCE)
    this.#child = child
  }

  async stop(): Promise<void> {
    assert.deepEqual(await this.child.end('SIGTERM'), { code: 0, signal: null }, this.child.output)
  }

  /** No time for anything. */
  async crash(): Promise<void> {
    await this.child.end('SIGKILL')
  }

  async addUser(name: string): Promise<void> {
    await this.run(['user', 'add', `${name}@${this.domain}`, '--password-stdin'], `${PASSWORD}\n`).succeeds()
  }

  /** A client that is available. */
  async enter(name: string, resource = 'x'): Promise<Client> {
    const pipe = await ClientSocket.direct({ host: '127.0.0.1', port: this.ports.client, domain: this.domain })
    const client = new Client(pipe, this.domain, AbortSignal.timeout(120_000), INBOX_MAX)
    this.#of.defer(() => client.leaves())
    await client.opens()
    await authenticate(client, { username: name, password: PASSWORD })
    await bind(client, resource)
    client.sends(el('presence', NS_CLIENT))
    await client.settles()
    return client
  }

  /** A command of ours about it. */
  run(args: readonly string[], input?: string): Child {
    const all = [AENIGMA, ...args, '--config', this.config]
    return new Child(this.#of, { program: process.execPath, args: all, ...(input ? { input } : {}) })
  }
}

/** A line of chat. */
export function chat(to: string, text: string): Element {
  return el('message', NS_CLIENT, { to, type: 'chat', id: text }, el('body', NS_CLIENT, null, text))
}

/** Waits until somebody is told these, in this order and nothing between. */
export async function hears(client: Client, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const message = await client.hears(`“${text}”`, (one) => one.childText('body') !== undefined, PATIENCE)
    assert.equal(message.childText('body'), text)
    assert.equal(message.attrs.type, 'chat', message.xml(NS_CLIENT))
  }
}

/** Waits until a message comes back. @returns the condition and the text of its error */
export async function getsBack(client: Client, text: string): Promise<{ condition: string; text: string }> {
  const message = await client.hears(
    `“${text}” back`,
    (one) => one.attrs.type === 'error' && one.attrs.id === text,
    PATIENCE,
  )
  const [condition, words] = message.child('error')?.elements ?? []
  return { condition: condition?.name ?? '', text: words?.text ?? '' }
}
