// SPDX-License-Identifier: Apache-2.0
// The options about other servers.

import * as v from 'valibot'
import { isDomain } from './domains.ts'
import { choice, count, duration, flag, nameServers, place, section, size, texts, told } from './kinds.ts'

const domains = (help: string) =>
  texts({ default: [], help }, 'domain or *.domain, or a list of them', (text) =>
    isDomain(text.startsWith('*.') ? text.slice(2) : text)
      ? undefined
      : 'must be a domain such as example.org, or *.example.org for all below it',
  )

/** Whom this server talks to, what it asks of them, and how much it takes from each. */
export const federation = section(
  {
    enabled: flag({ default: true, help: 'Talk to other servers at all; the trial server does not.' }),
    trust: choice(['certificate', 'dialback'], {
      default: 'certificate',
      help: 'What proves who another server is: its certificate alone (by a public authority, or DANE), or also an answer from where DNS says that it is (dialback, XEP-0220), which is weaker. TLS it is either way.',
    }),
    trustDialback: domains('Domains that may prove themselves by dialback although `trust` says `certificate`.'),
    allow: domains('If there are any, the only domains that this server talks to; `*.example.org` for all below it.'),
    block: domains(
      'Domains, with all below each, that this server does not talk to; `*.example.org` leaves the domain itself out.',
    ),
    bytesPerSecond: size({
      default: '4MiB',
      min: '16KiB',
      max: '1GiB',
      help: 'What one other domain may send in a second; ten times as much may come at once, and what goes beyond is read later.',
    }),
    stanzasPerSecond: count({
      default: 2000,
      min: 10,
      max: 1_000_000,
      help: 'Stanzas that one other domain may send in a second; ten times as many may come at once, and what goes beyond is read later.',
    }),
    stanzaBytes: size({ default: '512KiB', min: 10_000, max: '16MiB', help: 'Largest stanza of another server.' }),
    idleTimeout: duration({
      default: '30m',
      min: '1m',
      max: '7d',
      help: 'After this long without a stanza a stream is closed; the next stanza opens another.',
    }),
    queueStanzas: count({
      default: 1000,
      min: 10,
      max: 1_000_000,
      help: 'Stanzas that may wait for one other domain that cannot be reached at the moment; further ones go back to their senders.',
    }),
    queueBytes: size({
      default: '4MiB',
      min: '64KiB',
      max: '1GiB',
      help: 'Bytes that may wait for one other domain that cannot be reached at the moment.',
    }),
    queueTime: duration({
      default: '5m',
      min: '10s',
      max: '7d',
      help: 'How long a stanza waits for a domain that cannot be reached before it goes back to its sender.',
    }),
    connectTime: duration({
      default: '30s',
      min: '5s',
      max: '5m',
      help: 'Time from looking a domain up to being able to send to it.',
    }),
    streamsPerDomain: count({
      default: 50,
      min: 2,
      max: 10_000,
      help: 'Streams that one other domain may have to this server at a time.',
    }),
    streams: count({
      default: 2000,
      min: 10,
      max: 100_000,
      help: 'Streams of all other servers to this one at a time.',
    }),
    connectionsPerAddress: count({
      default: 200,
      min: 1,
      help: 'Open connections of servers from one IPv4 address or IPv6 /64 network.',
    }),
    connectionsPerMinute: count({
      default: 120,
      min: 1,
      help: 'New connections of servers in a minute from one IPv4 address or IPv6 /64 network.',
    }),
    resolvers: nameServers({
      help: 'DNS resolvers to ask; those of the system (`/etc/resolv.conf`) if there are none here.',
    }),
    dnssec: choice(['auto', 'on', 'off'], {
      default: 'auto',
      help: 'Whose word on DNSSEC is taken, without which there is no DANE: that of resolvers on this machine (`auto`), of all resolvers (`on`: they validate, and nobody between can change what they say), or of none (`off`).',
    }),
    authorities: v.optional(
      v.pipe(
        v.string(),
        v.nonEmpty(),
        told('Certificate authorities that are trusted too, beside the public ones (PEM).', 'file'),
      ),
    ),
    onionProxy: place({
      help: 'A SOCKS5 proxy, such as that of Tor, by which `.onion` domains are reached; without it they are not.',
    }),
  },
  'Other servers: see [federation.md](federation.md).',
)
