// SPDX-License-Identifier: Apache-2.0
// Which records of the DNS a server of this configuration needs.
import { domainToASCII } from 'node:url'
import type { Unwanted, Wanted } from '../appliance/dns/compare.ts'
import { normal } from '../appliance/dns/record.ts'
import type { Config } from '../config/config.ts'
import { type Delegation, delegatedLabel, isRightBelow } from './delegation.ts'

/** In seconds: an hour, so that a move is over soon. */
const TTL = 3600
/** The subdomains that belong to each of our domains (the labels of `core/feature.ts`). */
const SERVICES = ['rooms', 'pubsub', 'upload', 'proxy'] as const
/** Where others look without an SRV record (RFC 6120 §3.2.2). */
const SERVER_PORT = 5269

/** A certificate authority. */
export interface Issuer {
  readonly name: string
  readonly account?: string | undefined
}

/** What must be known of a server. */
export interface DnsWish {
  readonly config: Pick<Config, 'hosts' | 'moved' | 'listen' | 'federation' | 'components'>
  /** Of this machine; none of a family: it has none, or nobody knows. */
  readonly addresses: readonly string[]
  /** The name of the machine, if it is not that of each domain. */
  readonly target?: string | undefined
  /** Who may issue certificates for us, as CAA names them (RFC 8659), and our account there (RFC 8657). */
  readonly issuers?: readonly Issuer[]
  /** The SHA-256 of the public keys that a domain shows, now or next, in hexadecimal digits; none where nothing is to be announced. */
  readonly keysOf?: (host: string) => readonly string[]
  /** Where what proves the domains is answered for, if that is ours to do. */
  readonly delegation?: Delegation | undefined
}

/** The records of one domain. */
export interface HostRecords {
  readonly host: string
  readonly wanted: readonly Wanted[]
  readonly unwanted: readonly Unwanted[]
}

/** The records of each of our domains that are in the DNS at all. */
export function recordsFor(wish: DnsWish): readonly HostRecords[] {
  const { hosts, moved } = wish.config
  const ours = hosts.filter((host) => !moved.has(host) && !isOutside(host))
  return ours.map((host) => hostRecords(ascii(host), wish))
}

/** Names that the DNS knows nothing of: onion services (RFC 7686), this machine, addresses. */
export function isOutside(host: string): boolean {
  return /(^|\.)(onion|localhost|local)$/.test(host) || /^[\d.]+$/.test(host) || host.includes(':')
}

function hostRecords(host: string, wish: DnsWish): HostRecords {
  const target = ascii(wish.target ?? host)
  const services = servicesBelow(host, wish)
  const list = srvRecords(host, wish)
  const places = list.filter((one) => one.ports.length > 0)
  return {
    host,
    wanted: [
      ...addressRecords(target, wish.addresses, `where ${target === host ? host : 'the machine'} is`),
      ...services.map((name) => serviceRecord(name, target, wish.addresses)),
      ...places.map(({ name, ports, why }) => srv(name, target, ports, why)),
      ...servicePorts(services, target, wish),
      ...(wish.issuers?.length ? [caa(host, wish.issuers)] : []),
      ...tlsa(host, target, places, wish),
      ...(wish.delegation ? delegated(host, services, wish.delegation, wish.config.hosts) : []),
    ],
    unwanted: [
      ...list.filter((one) => one.ports.length === 0).map(({ name }) => notServed(name)),
      ...strayAddresses(target, wish.addresses),
      { name: `_jabber._tcp.${host}`, type: 'SRV', why: 'of old; nobody asks for it any more (RFC 3920)' },
    ],
  }
}

/** All subdomains that answer for something. */
export function servicesBelow(
  host: string,
  { config: { components, hosts } }: { readonly config: Pick<Config, 'components' | 'hosts'> },
): readonly string[] {
  const others = [...components.keys()].filter((name) => name.endsWith(`.${host}`)).map(ascii)
  const own = SERVICES.map((label) => `${label}.${host}`)
  return [...new Set([...own, ...others])].filter((name) => !hosts.includes(name))
}

function addressRecords(name: string, addresses: readonly string[], why: string): readonly Wanted[] {
  return (['A', 'AAAA'] as const).flatMap((type): Wanted[] => {
    const values = ofFamily(addresses, type)
    return values.length === 0 ? [] : [{ name, type, ttl: TTL, values, why }]
  })
}

/** A machine whose IPv4 is its own has its own IPv6, too, if any: what is there otherwise leads elsewhere. Not the other way round: IPv4 is often translated. */
function strayAddresses(name: string, addresses: readonly string[]): readonly Unwanted[] {
  const known = ofFamily(addresses, 'A').length > 0 && ofFamily(addresses, 'AAAA').length === 0
  return known ? [{ name, type: 'AAAA', why: 'this machine has no IPv6 address that others can use' }] : []
}

function ofFamily(addresses: readonly string[], type: 'A' | 'AAAA'): readonly string[] {
  return addresses.filter((one) => one.includes(':') === (type === 'AAAA')).map((one) => normal(type, one))
}

/** An alias moves with the machine; addresses do as well, where an alias cannot be had. */
function serviceRecord(name: string, target: string, addresses: readonly string[]): Wanted {
  const instead = (['A', 'AAAA'] as const).flatMap((type) => {
    const values = ofFamily(addresses, type)
    return values.length === 0 ? [] : [{ type, values }]
  })
  const values = [`${target}.`]
  return { name, type: 'CNAME', ttl: TTL, values, why: `the service ${name.split('.')[0]}`, instead }
}

interface Place {
  readonly name: string
  readonly ports: readonly number[]
  readonly why: string
}

/** RFC 6120 §3.2.1, XEP-0368. */
function srvRecords(host: string, { config: { listen, federation } }: DnsWish): readonly Place[] {
  const port = (list: readonly { readonly port: number }[]): readonly number[] =>
    list.slice(0, 1).map((one) => one.port)
  const shared = listen.shared.find((one) => one.port === 443)?.port
  const others = federation.enabled
  const direct = shared === undefined ? port([...listen.tls, ...listen.shared]) : [shared]
  return [
    { name: `_xmpp-client._tcp.${host}`, ports: port(listen.starttls), why: 'clients, with STARTTLS' },
    { name: `_xmpps-client._tcp.${host}`, ports: direct, why: 'clients, with TLS from the start' },
    {
      name: `_xmpp-server._tcp.${host}`,
      ports: others ? port(listen.servers) : [],
      why: 'other servers, with STARTTLS',
    },
    {
      name: `_xmpps-server._tcp.${host}`,
      ports: others ? port([...listen.serversTls, ...listen.shared]) : [],
      why: 'other servers, with TLS from the start',
    },
  ]
}

function srv(name: string, target: string, ports: readonly number[], why: string): Wanted {
  return { name, type: 'SRV', ttl: TTL, values: ports.map((port) => `0 5 ${port} ${target}.`), why }
}

function notServed(name: string): Unwanted {
  return { name, type: 'SRV', why: 'nobody listens there', except: ['0 0 0 .'] }
}

/** Other servers find services at the standard port by themselves. */
function servicePorts(services: readonly string[], target: string, { config }: DnsWish): readonly Wanted[] {
  const ports = config.federation.enabled ? config.listen.servers.slice(0, 1).map((one) => one.port) : []
  if (ports.length === 0 || ports.includes(SERVER_PORT)) return []
  return services.map((name) => srv(`_xmpp-server._tcp.${name}`, target, ports, 'other servers, to this service'))
}

function caa(host: string, issuers: readonly Issuer[]): Wanted {
  const values = issuers.map(({ name, account }) => {
    return `0 issue "${name}${account === undefined ? '' : `; accounturi=${account}`}"`
  })
  const weaker = issuers.map(({ name }) => `0 issue "${name}"`)
  const why = 'nobody else may issue certificates for us'
  return { name: host, type: 'CAA', ttl: TTL, values, weaker, why, optional: true, amongOthers: true }
}

/** RFC 7673 §4: at the port of the target. */
function tlsa(host: string, target: string, places: readonly Place[], { keysOf }: DnsWish): readonly Wanted[] {
  const values = (keysOf?.(host) ?? []).map((key) => `3 1 1 ${key}`)
  if (values.length === 0) return []
  const ports = [...new Set(places.flatMap((one) => one.ports))]
  return ports.map((port) => ({
    ...{ name: `_${port}._tcp.${target}`, type: 'TLSA' as const, ttl: TTL, values },
    ...{ why: 'the DNS vouches for our keys (DANE)', optional: true, amongOthers: true },
  }))
}

/** Aliases from where authorities look (RFC 8555 §8.4) to the zone that this server answers for. */
function delegated(
  host: string,
  services: readonly string[],
  { zone, server, wildcard }: Delegation,
  hosts: readonly string[],
): readonly Wanted[] {
  const names = wildcard ? [host, ...services.filter((name) => !isRightBelow(host, name))] : [host, ...services]
  const why = 'certificates, by this server alone'
  // Where the domain that the machine's name is in is one of ours, it is told with that one.
  const above = hosts.map(ascii).find((one) => server === one || server.endsWith(`.${one}`))
  const ns: Wanted = {
    name: zone,
    type: 'NS',
    ttl: TTL,
    values: [`${server}.`],
    why: 'this server answers for the proofs',
  }
  return [
    ...(above === undefined || above === host ? [ns] : []),
    ...names.map((name) => ({
      ...{ name: `_acme-challenge.${name}`, type: 'CNAME' as const, ttl: TTL },
      ...{ values: [`${delegatedLabel(name)}.${zone}.`], why },
    })),
  ]
}

function ascii(name: string): string {
  return domainToASCII(name).toLowerCase()
}
