// SPDX-License-Identifier: Apache-2.0
// Every option of the server itself, with its default and what it does. The options of features come from the features.
import * as v from 'valibot'
import { acme } from './acme.ts'
import type { LogLevel } from './config.ts'
import { dns } from './dns.ts'
import { federation } from './federation.ts'
import {
  addresses,
  choice,
  components,
  count,
  duration,
  flag,
  group,
  groupOf,
  place,
  redirects,
  section,
  size,
  texts,
  told,
} from './kinds.ts'

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

const listen = section(
  {
    starttls: addresses({
      default: ['[::]:5222'],
      help: 'Where clients connect and then switch to TLS. `[]` turns it off. `[::]` takes IPv4 too.',
    }),
    tls: addresses({ default: ['[::]:5223'], help: 'Where clients connect with TLS from the start (XEP-0368).' }),
    shared: addresses({
      default: [],
      help: 'Where everything can be had that uses TLS: clients, other servers, web pages, and what stands `behind`. `[::]:443` gets through wherever web pages do.',
    }),
    redirect: addresses({
      default: [],
      help: 'Where browsers that come without TLS are sent to the pages with it, usually `[::]:80`.',
    }),
    dns: addresses({
      default: [],
      help: 'Where the DNS asks for what proves our domains, if `acme.challenge` is `delegated`; then `[::]:53` unless said otherwise.',
    }),
    servers: addresses({
      default: ['[::]:5269'],
      help: 'Where other servers connect and then switch to TLS.',
    }),
    serversTls: addresses({
      default: ['[::]:5270'],
      help: 'Where other servers connect with TLS from the start (XEP-0368).',
    }),
    components: addresses({
      default: ['127.0.0.1:5347'],
      help: 'Where the `components` connect, without TLS: keep it on this machine, or in a network that nobody else can see. Nothing listens as long as there are none.',
    }),
    https: addresses({ default: ['[::]:5443'], help: 'Where web pages and clients in browsers connect, with TLS.' }),
    http: addresses({
      default: ['127.0.0.1:5280'],
      help: 'The same without TLS, for a reverse proxy; clients behind it must have used `https`.',
    }),
    metrics: addresses({ default: ['127.0.0.1:5281'], help: 'Where `/healthz` and `/metrics` answer, without TLS.' }),
    onion: addresses({
      default: ['127.0.0.1:5282'],
      help: 'Where Tor hands over what comes to an onion service of ours (`HiddenServiceExportCircuitID haproxy`): see docs/onion.md. Nothing listens as long as none of our domains is one.',
    }),
    proxy: addresses({
      default: ['[::]:7777'],
      help: 'Where clients that cannot reach each other meet to transfer files (XEP-0065).',
    }),
  },
  'Where the server can be reached.',
)

const behind = section(
  {
    ssh: place({ help: 'The SSH server that gets what comes to `listen.shared` as SSH, such as `127.0.0.1:22`.' }),
    turn: place({
      help: 'The TURN server that gets what comes there for it: TLS with its protocol name (RFC 7443), or for a name that begins with `turn.`.',
    }),
  },
  'Other servers that share `listen.shared`.',
)

const http = section(
  {
    url: v.optional(
      v.pipe(
        v.string(),
        v.regex(/^https?:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/, 'must be an address such as https://example.org'),
        v.transform((text) => text.replace(/\/+$/, '')),
        told(
          'Where browsers and apps reach the HTTP server, if a proxy stands before it; otherwise `https://` with the domain and the port of `listen.https`.',
          'URL',
        ),
      ),
    ),
    proxies: texts(
      {
        default: [],
        help: 'Reverse proxies on other machines, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; those on this machine are.',
      },
      'address or network such as 10.0.0.0/8, or a list of them',
      (text) =>
        /^[0-9a-f.:]+(\/\d{1,3})?$/i.test(text) ? undefined : 'must be an address such as 192.0.2.1 or 10.0.0.0/8',
    ),
  },
  'The HTTP server, as others see it.',
)

const proxy = section(
  {
    host: v.optional(
      v.pipe(
        v.string(),
        v.nonEmpty(),
        told('The name or IP address where clients reach `listen.proxy`; otherwise the domain.', 'host'),
      ),
    ),
    bytesPerSecond: size({ default: 0, min: 0, help: 'The most for one transfer; 0 for as fast as it goes.' }),
  },
  'The proxy for file transfers between clients (XEP-0065).',
)

const uploads = section(
  {
    maxBytes: size({ default: '100MiB', min: 0, help: 'Largest file; 0 turns uploads off.' }),
    bytesPerAccount: size({ default: '2GiB', min: 0, help: 'What the files of one account may take together.' }),
    bytesPerDay: size({ default: '1GiB', min: 0, help: 'What one account may upload in 24 hours.' }),
    filesPerAccount: count({ default: 10_000, min: 1, help: 'Files that one account may have.' }),
    retention: duration({ default: '30d', min: '1h', max: '3650d', help: 'How long a file is kept.' }),
  },
  'Files that users send by way of this server (XEP-0363).',
)

const certificate = group({
  cert: v.pipe(v.string(), v.nonEmpty(), told('The certificate followed by its chain (PEM).', 'file')),
  key: v.pipe(v.string(), v.nonEmpty(), told('Its private key (PEM).', 'file')),
})

const postgres = v.custom<string>((url) => typeof url === 'string' && /^postgres(ql)?:\/\//.test(url))
const store = v.optional(
  v.pipe(
    v.union(
      [v.literal('sqlite'), v.strictObject({ postgres })],
      'must be sqlite, or postgres: with a URL such as postgres://user@host/database',
    ),
    told(
      'Where accounts and messages are kept: a SQLite file in the data directory, or PostgreSQL.',
      'sqlite, or `postgres:` with a URL',
    ),
  ),
  'sqlite',
)

const log = section(
  { level: choice(LEVELS, { default: 'info', help: 'How much is logged; `debug` may show addresses.' }) },
  'The log: JSON lines on standard error.',
)

const accounts = section(
  {
    scramIterations: count({
      default: 10_000,
      min: 4096,
      max: 1_000_000,
      help: 'PBKDF2 rounds of new password verifiers; each login costs the client as many.',
    }),
    sha1: flag({ default: true, help: 'Keep SCRAM-SHA-1 verifiers too, for clients that know nothing newer.' }),
    plain: flag({ default: false, help: 'Offer PLAIN (always inside TLS), for clients without SCRAM.' }),
    tokenLifetime: duration({
      default: '30d',
      min: '1h',
      max: '365d',
      help: 'How long a client that was away may log in without the password, by a token (XEP-0484).',
    }),
  },
  'How passwords are kept and proved.',
)

const uris = (help: string) =>
  texts({ default: [], help }, 'URI, or a list of them', (text) =>
    /^[a-z][a-z0-9+.-]*:\S+$/i.test(text) ? undefined : 'must be a URI such as mailto:abuse@example.org',
  )

const contacts = section(
  {
    abuse: uris('About abuse by users of this server.'),
    admin: uris('The administrators.'),
    feedback: uris('Praise and complaints.'),
    sales: uris('Sales.'),
    security: uris('Vulnerabilities.'),
    support: uris('Help for users.'),
  },
  'Whom to write to, told to everybody who asks (XEP-0157).',
)

const limits = section(
  {
    stanzaBytes: size({ default: '256KiB', min: 10_000, max: '16MiB', help: 'Largest stanza after login.' }),
    unauthenticatedStanzaBytes: size({
      default: '16KiB',
      min: '4KiB',
      max: '1MiB',
      help: 'Largest element before login.',
    }),
    depth: count({ default: 64, min: 8, max: 1000, help: 'Elements in elements, the stanza included.' }),
    attributes: count({ default: 64, min: 8, max: 1000, help: 'Attributes of one element.' }),
    connectionsPerAddress: count({
      default: 100,
      min: 1,
      help: 'Open connections from one IPv4 address or IPv6 /64 network.',
    }),
    connectionsPerMinutePerAddress: count({
      default: 120,
      min: 1,
      help: 'New connections in a minute from one IPv4 address or IPv6 /64 network.',
    }),
    failedLoginsPerAddress: count({
      default: 50,
      min: 1,
      help: 'Failed logins from one network until it is refused; one is forgiven every 10 seconds.',
    }),
    failedLoginsPerAccount: count({
      default: 10,
      min: 1,
      help: 'Failed logins to one account from one network until it is refused there; one is forgiven every minute.',
    }),
    registrationsPerHourPerAddress: count({
      default: 3,
      min: 0,
      help: 'New accounts in an hour from one network, where registration is open.',
    }),
    strangerMessagesPerHour: count({
      default: 500,
      min: 0,
      help: 'Messages in an hour from one sender to people who do not know it; ten times as many from another server, or to one account.',
    }),
    strangerRequestsPerHour: count({
      default: 20,
      min: 0,
      help: 'Subscription requests in an hour from one sender; ten times as many from another server, or to one account.',
    }),
    sessionsPerAccount: count({
      default: 20,
      min: 1,
      max: 1000,
      help: 'Clients that may be logged in to one account.',
    }),
    loginTimeout: duration({ default: '60s', min: '5s', max: '10m', help: 'Time from connecting to being logged in.' }),
    resumeTimeout: duration({
      default: '10m',
      min: '10s',
      max: '1d',
      help: 'How long a client whose connection broke may take to come back and go on as if nothing had happened.',
    }),
    idleTimeout: duration({
      default: '10m',
      min: '30s',
      max: '1d',
      help: 'Silence after which a client is asked whether it is there, and cut off if it does not answer.',
    }),
    sendQueueBytes: size({
      default: '4MiB',
      min: '256KiB',
      max: '256MiB',
      help: 'What may wait for a client that does not read, until it is cut off.',
    }),
    bytesPerSecond: size({
      default: '1MiB',
      min: '16KiB',
      max: '1GiB',
      help: 'What a client may send in a second, where each stanza counts 1 KiB more. Ten times as much may come at once; what goes beyond is read later.',
    }),
    rosterItems: count({ default: 1000, min: 10, max: 100_000, help: 'Contacts of one account.' }),
    offlineMessages: count({
      default: 1000,
      min: 0,
      max: 100_000,
      help: 'Messages that wait for an account whose owner is away; further ones go back to their senders.',
    }),
    privateBytes: size({
      default: '1MiB',
      min: '16KiB',
      max: '1GiB',
      help: 'vCard and private data of one account together.',
    }),
  },
  'Bounds on everything that others can make grow.',
)

/** The options of the server itself, by their key in the file. */
export const baseShape = {
  domain: v.optional(v.pipe(v.unknown(), told('The domain that this server serves.', 'domain'))),
  hosts: v.optional(
    v.pipe(v.unknown(), told('The domains, instead of `domain`, when there are several.', 'list of domains')),
  ),
  moved: redirects({
    help: 'Domains of ours that another server serves now, with where clients are sent (host or host:port), for instance `{ example.org: new.example.org:5222 }`. Such a domain stays in `hosts` and keeps its certificate; nothing else is done for it.',
  }),
  data: v.optional(
    v.pipe(
      v.string(),
      v.nonEmpty(),
      told(
        'The directory of everything that the server keeps: `./data`, or `/var/lib/aenigma` where `aenigma install` put the file.',
        'directory',
      ),
    ),
  ),
  certificate: v.optional(v.pipe(certificate, told('One certificate for all domains.'))),
  certificates: v.optional(
    v.pipe(groupOf(certificate), told('A certificate for each domain, instead of `certificate`.')),
  ),
  acme,
  listen,
  behind,
  http,
  uploads,
  proxy,
  store,
  admins: texts(
    { default: [], help: 'Accounts that may administer the server, beside those made with `--admin`.' },
    'JID, or a list of them',
    (text) => (/^[^@/\s]+@[^@/\s]+$/.test(text) ? undefined : 'must be an account such as admin@example.org'),
  ),
  components: components({
    help: 'Programs of others that answer for a domain (XEP-0114), such as gateways to other networks, each with the `secret` that it was told too, for instance `{ irc.example.org: { secret: … } }`. None of them may be one of our domains.',
  }),
  federation,
  dns,
  doctor: choice(['nightly', 'off'], {
    default: 'nightly',
    help: 'Look at everything once a night, as `aenigma doctor` does, and tell the administrators what changed.',
  }),
  contacts,
  accounts,
  log,
  limits,
}
