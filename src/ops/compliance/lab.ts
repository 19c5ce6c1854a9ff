// SPDX-License-Identifier: Apache-2.0
// What the checks work with: connections, logged-in sessions of two accounts, and what was asked once already.
import { randomUUID } from 'node:crypto'
import { type ClientPipe, ClientSocket, type Dial } from '../../net/probes/client-socket.ts'
import { fetchFrom, type WebAnswer, type WebPlace, type WebRequest } from '../../net/probes/web-client.ts'
import { type Element, el } from '../../xml/element.ts'
import { Client } from './client.ts'
import { authenticate, becomesAvailable, bind, type Credentials } from './login.ts'
import { Missing, needs } from './missing.ts'

const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_ITEMS = 'http://jabber.org/protocol/disco#items'

/** Ways in for clients. */
export type Transport = 'starttls' | 'tls'

/** A server to look at. */
export interface Target {
  readonly domain: string
  /** Where it is reached; what is missing is not offered. */
  readonly places: Readonly<Partial<Record<Transport, Dial>>>
  /** Where the DNS says that direct TLS is; undefined if the server is reached at its own ports, past the DNS. */
  readonly announced: boolean | undefined
  /** Where components connect (XEP-0114), if that is known. */
  readonly components?: Dial
  /** The origin of its web server, as `http://127.0.0.1:5280`; undefined if that is not known. */
  readonly web: string | undefined
  readonly first: Credentials
  /** Needed for what only another can see. Without it the first account plays both parts. */
  readonly second: Credentials | undefined
}

/** What the checks of one run share. */
export class Lab {
  readonly target: Target
  readonly signal: AbortSignal
  readonly #open: Client[] = []
  readonly #known = new Map<string, Promise<unknown>>()
  readonly #sessions = new Map<string, Client>()

  /** @param signal ends all waiting */
  constructor(target: Target, signal: AbortSignal) {
    this.target = target
    this.signal = signal
  }

  get domain(): string {
    return this.target.domain
  }

  /** Does something at most once; whoever asks later gets the same outcome. */
  once<T>(name: string, work: () => Promise<T>): Promise<T> {
    const known = this.#known.get(name)
    if (known) return known as Promise<T> // the name says what was done
    const begun = work()
    this.#known.set(name, begun)
    return begun
  }

  /** Whether something was done. */
  has(name: string): boolean {
    return this.#known.has(name)
  }

  /** Where the web server is. */
  get web(): WebPlace {
    return { origin: this.target.web, signal: this.signal }
  }

  /** Asks the web server. */
  fetches(url: string, request: WebRequest = {}): Promise<WebAnswer> {
    return fetchFrom(this.web, url, request)
  }

  /** The first account's session that most checks use, available; anew if it was lost. */
  main(): Promise<Client> {
    return this.#kept('main', () => this.available(this.target.first))
  }

  /** Another session of the first account, available. */
  twin(): Promise<Client> {
    return this.#kept('twin', () => this.available(this.target.first))
  }

  /** Somebody else; the first account under another resource if there is only one. Not available. */
  other(): Promise<Client> {
    return this.#kept('other', () => this.session(this.second))
  }

  /** The other's account. */
  get second(): Credentials {
    return this.target.second ?? this.target.first
  }

  /** A new session that is not available. */
  async session(who: Credentials = this.target.first, transport?: Transport): Promise<Client> {
    return this.enter(await this.door(transport), who)
  }

  /** Logs in on a stream. */
  async enter(client: Client, who: Credentials = this.target.first): Promise<Client> {
    await authenticate(client, who)
    await bind(client, `compliance-${randomUUID().slice(0, 8)}`)
    return client
  }

  /** A new session that is available, and the server knows it. */
  async available(who: Credentials, ...presence: readonly Element[]): Promise<Client> {
    const client = await this.session(who)
    becomesAvailable(client, ...presence)
    await client.settles()
    return client
  }

  /** An encrypted stream before the login. */
  async door(transport?: Transport): Promise<Client> {
    const way = transport ?? (this.target.places.starttls ? 'starttls' : 'tls')
    const place = this.target.places[way]
    if (!place) throw new Missing(`the server does not listen for ${way === 'tls' ? 'direct TLS' : 'STARTTLS'}`)
    if (way === 'tls') return this.opened(await ClientSocket.direct(place))
    const socket = await ClientSocket.plain(place)
    const client = await this.opened(socket)
    await this.once('features before TLS', async () => client.features)
    needs(client.features.child('starttls', NS_TLS), 'STARTTLS is not offered')
    client.sends(el('starttls', NS_TLS))
    await client.hears('STARTTLS: permission', (one) => one.is('proceed', NS_TLS))
    await socket.startTls()
    await client.opens()
    return client
  }

  /** What somebody says that it is (XEP-0030). */
  info(jid: string): Promise<Element> {
    return this.once(`info ${jid}`, () => this.infoNow(jid))
  }

  /** The same, asked anew. */
  async infoNow(jid: string, node?: string): Promise<Element> {
    const client = await this.main()
    const answer = await client.asks('get', `disco#info of ${jid}`, el('query', NS_INFO, { node }), jid)
    return answer.child('query', NS_INFO) ?? el('query', NS_INFO)
  }

  /** The parts of the domain that are of a kind (XEP-0030), as their addresses. */
  async services(category: string, type: string): Promise<readonly string[]> {
    const all = await this.once('services', async () => {
      const client = await this.main()
      const answer = await client.asks('get', 'disco#items of the domain', el('query', NS_ITEMS), this.domain)
      const parts = answer.child('query', NS_ITEMS)?.childrenNamed('item') ?? []
      return parts.flatMap(({ attrs: { jid, node } }) => (jid === undefined || node !== undefined ? [] : [jid]))
    })
    const found: string[] = []
    for (const jid of [this.domain, ...all.slice(0, 20)]) {
      const info = await this.info(jid).catch(() => undefined) // a part that does not answer is no reason to stop
      if (info && isOfKind(info, category, type)) found.push(jid)
    }
    return found
  }

  /** The first account's bare JID. */
  async bare(): Promise<string> {
    return (await this.main()).bare
  }

  /** Closes everything. */
  close(): void {
    for (const client of this.#open) client.leaves()
  }

  async #kept(name: string, make: () => Promise<Client>): Promise<Client> {
    const known = this.#sessions.get(name)
    if (known && !known.isOver) return known
    const made = await make()
    this.#sessions.set(name, made)
    return made
  }

  /** A stream that is open, and closed at the end of the run. */
  async opened(pipe: ClientPipe): Promise<Client> {
    const client = new Client(pipe, this.domain, this.signal)
    this.#open.push(client)
    await client.opens()
    return client
  }
}

/** Whether somebody says that it has a feature (XEP-0030 §3.1). */
export function hasFeature(info: Element, ...features: readonly string[]): boolean {
  return info.childrenNamed('feature').some((one) => features.includes(one.attrs.var ?? ''))
}

/** Whether somebody says that it is of a kind. */
export function isOfKind(info: Element, category: string, type: string): boolean {
  return info.childrenNamed('identity').some(({ attrs }) => attrs.category === category && attrs.type === type)
}
