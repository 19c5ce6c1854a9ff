// SPDX-License-Identifier: Apache-2.0
// Asks those who keep a zone, each at each of its addresses, past all that others remember: what a registrar's form was just
// told is seen at once, and a server that lags behind is seen, too.
import { exchange, type NameServer, NoAnswer } from './exchange.ts'
import type { DnsRecord, Question, Reply } from './message.ts'
import type { DnsResolver } from './resolver.ts'

/** How long a server may take, in ms. */
const PATIENCE = 3_000
/** Servers of one zone. */
const MOST_SERVERS = 16
/** How many aliases are followed inside an answer. */
const MOST_ALIASES = 8
const PORT = 53

/** A zone, and who keeps it. */
export interface Zone {
  readonly name: string
  readonly servers: readonly ZoneServer[]
  /** Whether it has keys of its own (DNSSEC), and the zone above says so. */
  readonly signed: boolean
  /** It has keys, but the zone above does not say so: they are worth nothing. */
  readonly unlinked: boolean
}

/** A server of a zone at one of its addresses. */
export interface ZoneServer extends NameServer {
  /** What it is called in the zone. */
  readonly name: string
}

/** What one server says of a name. `failed` tells why it says nothing. */
export interface Saying {
  readonly server: ZoneServer
  readonly values: readonly string[]
  readonly failed: string | undefined
}

/** What it is told. */
export interface AuthoritativeParts {
  readonly resolver: Pick<DnsResolver, 'records' | 'addresses'>
  /** The servers to ask instead of those that the DNS names, for a zone that nobody was told of yet. */
  readonly servers?: readonly NameServer[]
  readonly patience?: number
  /** Where servers of zones listen; 53 unless told. */
  readonly port?: number
}

/** Asks the servers of zones. */
export class Authoritative {
  readonly #parts: AuthoritativeParts
  readonly #zones = new Map<string, Promise<Zone | undefined>>()
  readonly #said = new Map<string, Promise<readonly Saying[]>>()
  /** Servers that cannot be reached from here: they are not waited for with each question. */
  readonly #silent = new Map<string, string>()

  constructor(parts: AuthoritativeParts) {
    this.#parts = parts
  }

  /** The zone that a name is in; undefined if there is none. Rejects with a `DnsError`. */
  zoneOf(name: string): Promise<Zone | undefined> {
    const known = this.#zones.get(name)
    if (known) return known
    const looking = this.#findZone(name)
    this.#zones.set(name, looking)
    return looking
  }

  /** What each server of its zone says is at a name, in the form of a zone file. Rejects with a `DnsError`. */
  ask(name: string, type: Question['type']): Promise<readonly Saying[]> {
    const key = `${type} ${name}`
    const known = this.#said.get(key)
    if (known) return known
    // An alias is alone at its name, so no zone begins there (RFC 1034 §3.6.2); and where one begins, the one above says who keeps it.
    const inside = type === 'NS' || type === 'CNAME' ? name.slice(name.indexOf('.') + 1) : name
    const asking = this.zoneOf(inside).then((zone) =>
      Promise.all((zone?.servers ?? []).map((server) => this.#askOne(server, { name, type }))),
    )
    this.#said.set(key, asking)
    return asking
  }

  async #findZone(name: string): Promise<Zone | undefined> {
    const { servers, resolver } = this.#parts
    for (let at = name; at.includes('.') || at === name; at = at.slice(at.indexOf('.') + 1)) {
      if (servers) {
        const given = servers.map((one) => ({ ...one, name: one.host }))
        if ((await this.#isTop(given, at)) || !at.includes('.')) return this.#zone(at, given)
      } else {
        const { records } = await resolver.records(at, 'NS')
        if (records.length > 0) return this.#zone(at, await this.#addresses(records))
      }
      if (!at.includes('.')) break
    }
    return undefined
  }

  async #isTop(servers: readonly ZoneServer[], name: string): Promise<boolean> {
    const said = await Promise.all(servers.map((server) => this.#askOne(server, { name, type: 'SOA' })))
    return said.some(({ values }) => values.length > 0)
  }

  async #zone(name: string, servers: readonly ZoneServer[]): Promise<Zone> {
    const keys = await Promise.all(servers.map((server) => this.#askOne(server, { name, type: 'DNSKEY' })))
    const hasKeys = keys.some(({ values }) => values.length > 0)
    const linked = hasKeys && (await this.#isLinked(name))
    return { name, servers, signed: linked, unlinked: hasKeys && !linked }
  }

  /** RFC 4035 §2.4. A zone that nobody was told of yet cannot be; it will be, then. */
  async #isLinked(name: string): Promise<boolean> {
    const { servers, resolver } = this.#parts
    if (servers) return true
    const found = await resolver.records(name, 'DS').catch(() => undefined) // who cannot say does not say no
    return found === undefined || found.records.length > 0
  }

  async #addresses(records: readonly DnsRecord[]): Promise<readonly ZoneServer[]> {
    const names = records.map(({ data }) => String(data).toLowerCase()).sort()
    const all = await Promise.all(
      names.map(async (name) => {
        const { records: hosts } = await this.#parts.resolver.addresses(name).catch(() => ({ records: [] }))
        return hosts.map((host) => ({ name, host, port: this.#parts.port ?? PORT }))
      }),
    )
    return all.flat().slice(0, MOST_SERVERS)
  }

  /** Addresses are followed through aliases, into other zones, too. */
  async #values(reply: Reply, question: Question, jumps = 0): Promise<readonly string[]> {
    if (question.type === 'NS') return valuesOf({ answers: [...reply.answers, ...reply.referral] }, question)
    const alias = question.type === 'A' || question.type === 'AAAA' ? aliasIn(reply, question.name) : undefined
    if (alias === undefined || alias === question.name) return valuesOf(reply, question)
    const further = { name: alias, type: question.type }
    const here = valuesOf(reply, further)
    if (here.length > 0) return here
    if (aliasIn(reply, alias) !== undefined && jumps < MOST_ALIASES) return this.#values(reply, further, jumps + 1)
    const { records } = await this.#parts.resolver.records(alias, question.type)
    return records.map(recordText)
  }

  async #askOne(server: ZoneServer, question: Question): Promise<Saying> {
    const key = `${server.host} ${server.port}`
    const silent = this.#silent.get(key)
    if (silent !== undefined) return { server, values: [], failed: silent }
    try {
      const reply = await exchange(server, question, this.#parts.patience ?? PATIENCE)
      if (reply.code === 0 || reply.code === 3)
        return { server, values: await this.#values(reply, question), failed: undefined }
      return { server, values: [], failed: `it answers with error ${reply.code}` }
    } catch (error) {
      const failed = error instanceof NoAnswer ? 'it does not answer' : reasonOf(error)
      this.#silent.set(key, failed)
      return { server, values: [], failed }
    }
  }
}

/** Where a name leads, if it is an alias. */
function aliasIn({ answers }: Reply, name: string): string | undefined {
  const alias = answers.find((one) => one.type === 'CNAME' && one.name.toLowerCase() === name)
  return alias && String(alias.data).replace(/\.$/, '').toLowerCase()
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENETUNREACH' || code === 'EADDRNOTAVAIL' || code === 'EHOSTUNREACH')
    return 'there is no way there from here'
  return error instanceof Error ? error.message : String(error)
}

function valuesOf({ answers }: Pick<Reply, 'answers'>, { name, type }: Question): readonly string[] {
  return answers.filter((one) => one.type === type && one.name.toLowerCase() === name).map(recordText)
}

type Fields = Readonly<Record<string, unknown>>

/** The data of a record, as a zone file has it. */
export function recordText({ type, data }: DnsRecord): string {
  const fields = data as Fields
  if (type === 'SRV') return `${fields.priority} ${fields.weight} ${fields.port} ${dotted(String(fields.target))}`
  if (type === 'CAA') return `${fields.flags} ${fields.tag} "${fields.value}"`
  if (type === 'TLSA') {
    const { usage, selector, matchingType, certificate } = fields
    return `${usage} ${selector} ${matchingType} ${(certificate as Buffer).toString('hex')}`
  }
  if (type === 'TXT') return Buffer.concat([data].flat().map((one) => Buffer.from(one as Buffer))).toString()
  if (type === 'CNAME' || type === 'NS') return dotted(String(data))
  return typeof data === 'string' ? data : type // only that there is one matters of the others
}

function dotted(name: string): string {
  return `${name.replace(/\.$/, '')}.`
}
