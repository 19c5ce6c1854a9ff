// SPDX-License-Identifier: Apache-2.0
// XEP-0215: External Service Discovery. Tells our users which STUN and TURN servers their calls may use, with credentials that
// end after a while ("REST API for access to TURN services", draft-uberti-behave-turn-rest): nobody else gets any.
import { createHmac } from 'node:crypto'
import * as v from 'valibot'
import type { Feature, FeatureContext, IqRequest } from '../core/feature.ts'
import { type Element, el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'

const NS = 'urn:xmpp:extdisco:2'
const TYPES = ['stun', 'turn', 'stuns', 'turns'] as const
/** RFC 8489 §18.6 and RFC 8656 §17. */
const PORT = 3478
const TLS_PORT = 5349

/** A secret, which no message about a mistake repeats. */
const secret = (what: string) =>
  v.optional(v.custom<string>((value) => typeof value === 'string' && value !== '', `${what} must be text`))

const SERVICE = v.pipe(
  v.strictObject({
    type: v.picklist(TYPES),
    host: v.pipe(v.string(), v.nonEmpty()),
    port: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(65_535))),
    transport: v.optional(v.picklist(['udp', 'tcp'])),
    username: v.optional(v.pipe(v.string(), v.nonEmpty())),
    password: secret('the password'),
    secret: secret('the secret'),
    ttl: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(60), v.maxValue(604_800)), 86_400),
  }),
  v.check(
    ({ secret, username, password }) => secret === undefined || (username ?? password) === undefined,
    'give either secret, or username and password',
  ),
  v.check(
    ({ username, password }) => (username === undefined) === (password === undefined),
    'username and password belong together',
  ),
)
type Service = v.InferOutput<typeof SERVICE>

const SERVICES = v.array(SERVICE)

/** XEP-0215: External Service Discovery. */
export const externalServices: Feature = {
  name: 'external-services',
  implements: [{ xep: 215, version: '1.0.0', name: 'External Service Discovery', note: 'STUN and TURN' }],
  options: {
    externalServices: v.optional(
      v.pipe(
        SERVICES,
        v.metadata({
          description:
            'STUN and TURN servers for calls, each with `type` (stun, turn, stuns, turns), `host`, and if need be `port`, `transport` (udp, tcp), and either `username` with `password` or the `secret` that the TURN server shares with us (its `static-auth-secret`), which makes credentials that last `ttl` seconds.',
          kind: 'list of services',
        }),
      ),
      [],
    ),
  },
  setup(ctx) {
    const known = new Services(ctx)
    return {
      iq: [
        { at: ['server'], type: 'get', ns: NS, name: 'services', answer: (request) => known.list(request) },
        { at: ['server'], type: 'get', ns: NS, name: 'credentials', answer: (request) => known.credentials(request) },
      ],
      disco: { server: { features: [NS] } },
    }
  },
}

/** What the configuration says, as it is at this moment. */
class Services {
  readonly #ctx: FeatureContext

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** XEP-0215 §3.1 and §3.2. */
  list({ payload, from, session }: IqRequest): Element {
    if (!session) throw notForStrangers()
    const { type } = payload.attrs
    const services = this.#configured().filter((service) => type === undefined || service.type === type)
    return el('services', NS, { type }, ...services.map((service) => this.#element(service, from)))
  }

  /** XEP-0215 §3.3. */
  credentials({ payload, from, session }: IqRequest): Element {
    if (!session) throw notForStrangers()
    const wanted = payload.child('service')?.attrs
    if (wanted?.host === undefined || wanted.type === undefined) {
      throw new StanzaError('modify', 'bad-request', 'Which service? It takes a host and a type.')
    }
    const { host, type, port } = wanted
    const found = this.#configured().filter(
      (service) =>
        service.host === host && service.type === type && (port === undefined || String(portOf(service)) === port),
    )
    if (found.length === 0) throw new StanzaError('cancel', 'item-not-found')
    return el('credentials', NS, null, ...found.map((service) => this.#element(service, from)))
  }

  #configured(): readonly Service[] {
    return v.parse(SERVICES, this.#ctx.options.externalServices ?? [])
  }

  #element(service: Service, from: Jid): Element {
    const { type, host, transport, secret: shared, ttl } = service
    const place = { type, host, port: String(portOf(service)), transport: transport ?? defaultTransport(type) }
    if (shared === undefined) {
      const { username, password } = service
      const restricted = username === undefined ? undefined : 'true'
      return el('service', NS, { ...place, restricted, username, password })
    }
    const expires = Math.floor(this.#ctx.clock.now() / 1000) + ttl
    const credentials = temporaryCredentials(shared, expires, from.bare.toString())
    const until = new Date(expires * 1000).toISOString().replace('.000', '')
    return el('service', NS, { ...place, restricted: 'true', ...credentials, expires: until })
  }
}

/**
 * Credentials that a TURN server with the same secret accepts until then. Its log must not tell who calls, but may tell that
 * it was the same one: the account stands in the name as a hash that takes the secret to make.
 * @param expires in seconds since 1970
 */
export function temporaryCredentials(
  secret: string,
  expires: number,
  account: string,
): { readonly username: string; readonly password: string } {
  const pseudonym = createHmac('sha256', secret).update(`account ${account}`).digest('base64url').slice(0, 16)
  const username = `${expires}:${pseudonym}`
  return { username, password: createHmac('sha1', secret).update(username).digest('base64') }
}

function portOf({ port, type }: Service): number {
  return port ?? (type.endsWith('s') ? TLS_PORT : PORT)
}

function defaultTransport(type: Service['type']): 'udp' | 'tcp' {
  return type.endsWith('s') ? 'tcp' : 'udp'
}

function notForStrangers(): StanzaError {
  return new StanzaError('auth', 'forbidden', 'Only for users of this server.')
}
