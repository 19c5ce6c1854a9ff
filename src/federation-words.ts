// SPDX-License-Identifier: Apache-2.0
// What the walk to another server says: titles, advice, and how things are written.
import type { DialFailure } from './stream/link.ts'
import { NS_BIDI_FEATURE, NS_DIALBACK_FEATURE, NS_SM } from './stream/s2s/offer.ts'

/** The steps, and what each is about. */
export const TITLES = {
  policy: 'Our own rules',
  records: 'DNS: where the server is',
  addresses: 'DNS: its addresses',
  connection: 'Connection',
  stream: 'XMPP',
  tls: 'Encryption',
  certificate: 'Their certificate',
  proof: 'Who they are',
  features: 'What they offer',
  external: 'Who we are, by our certificate',
  dialback: 'Who we are, by dialback',
  ping: 'A question and its answer',
} as const

/** A step. */
export type StepId = keyof typeof TITLES

/** Where dialling failed. */
export const STEP_OF: Readonly<Record<DialFailure, StepId>> = {
  'no-such-domain': 'addresses',
  refused: 'records',
  dns: 'records',
  unreachable: 'connection',
  tls: 'tls',
}

/** Where no certificate is asked for. */
export const DIALBACK_IS_ENOUGH = 'That DNS names it is enough (dialback).'

/** What is worth a word of what they offer. */
export const OFFERS = [
  { name: 'dialback', ns: NS_DIALBACK_FEATURE, word: 'dialback' },
  { name: 'bidi', ns: NS_BIDI_FEATURE, word: 'one stream for both ways' },
  { name: 'sm', ns: NS_SM, word: 'acknowledgements' },
]

/** What to do about it, by step or by why dialling failed. */
export const ADVICE: Readonly<Partial<Record<string, string>>> = {
  dns: 'Is the resolver of this machine all right? See /etc/resolv.conf, or name others in `federation.resolvers`.',
  addresses: 'Is the name of the domain right? Otherwise its administrator must mend its DNS records.',
  'no-such-domain': 'Is the name of the domain right? Otherwise its administrator must mend its DNS records.',
  connection:
    'Does a firewall here let connections to that port out? Otherwise the other server is down, or its firewall keeps us out.',
  unreachable:
    'Does a firewall here let connections to that port out? Otherwise the other server is down, or its firewall keeps us out.',
  noTls: 'Nothing is ever sent unencrypted: its administrator must set TLS up.',
  tls: 'The other server must offer TLS 1.2 or newer with a certificate; its log says more.',
  stream: 'Perhaps no XMPP server listens there, or it does not serve this domain; its log says more.',
  proof:
    'Its administrator must get a certificate for the domain. If you know the server and its network well, name the domain in `federation.trustDialback`.',
  external:
    'Does our certificate name our domain, with its whole chain? See "aenigma config check" and the log of the other server.',
  dialback:
    'The other server must find ours: are the DNS records of our domain right, and can port 5269 be reached from outside?',
  ping: 'We reach them, but their answer does not come: they must find our server (DNS records of our domain, port 5269 open from outside), and accept it.',
}

/** A place as it is written. */
export function at({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host} port ${port}`
}

/** A day, in UTC. */
export function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

/** With a capital letter and a full stop. */
export function sentence(text: string): string {
  const end = /[.!?]$/.test(text) ? '' : '.'
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${end}`
}
