// SPDX-License-Identifier: Apache-2.0
// The checked configuration: what the rest of the program sees of the file. Everything has a value here, files have their
// full path, times are in milliseconds and sizes in bytes.

import type { AcmeOptions } from './acme.ts'

/** Where to listen. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** PEM files: a certificate with its chain, and its key. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** Where accounts and messages are kept. */
export type StoreChoice = { readonly kind: 'sqlite' } | { readonly kind: 'postgres'; readonly url: string }

/** Bounds on everything that a peer can make grow; times in ms. */
export interface Limits {
  readonly stanzaBytes: number
  readonly unauthenticatedStanzaBytes: number
  readonly depth: number
  readonly attributes: number
  readonly connectionsPerAddress: number
  readonly connectionsPerMinutePerAddress: number
  readonly failedLoginsPerAddress: number
  readonly failedLoginsPerAccount: number
  readonly registrationsPerHourPerAddress: number
  readonly strangerMessagesPerHour: number
  readonly strangerRequestsPerHour: number
  readonly sessionsPerAccount: number
  readonly loginTimeout: number
  readonly idleTimeout: number
  readonly resumeTimeout: number
  readonly sendQueueBytes: number
  readonly bytesPerSecond: number
  readonly rosterItems: number
  readonly offlineMessages: number
  readonly privateBytes: number
}

/** Bounds on files that users upload; times in ms. */
export interface UploadRules {
  readonly maxBytes: number
  readonly bytesPerAccount: number
  readonly bytesPerDay: number
  readonly filesPerAccount: number
  readonly retention: number
}

/** Whom among other servers this one talks to, what it asks of them, and how much it takes from each; times in ms. */
export interface FederationRules {
  readonly enabled: boolean
  readonly trust: 'certificate' | 'dialback'
  /** Here and in the two below, a domain as written, or `*.` and one. */
  readonly trustDialback: readonly string[]
  readonly allow: readonly string[]
  readonly block: readonly string[]
  readonly bytesPerSecond: number
  readonly stanzasPerSecond: number
  readonly stanzaBytes: number
  readonly idleTimeout: number
  readonly queueStanzas: number
  readonly queueBytes: number
  readonly queueTime: number
  readonly connectTime: number
  readonly streamsPerDomain: number
  readonly streams: number
  readonly connectionsPerAddress: number
  readonly connectionsPerMinute: number
  /** None: those of the system. */
  readonly resolvers: readonly Address[]
  readonly dnssec: 'auto' | 'on' | 'off'
  /** A file, with its full path. */
  readonly authorities?: string | undefined
  readonly onionProxy?: Address | undefined
}

/** Where our domains live, and how the records there are changed. */
export interface DnsRules {
  readonly provider?: 'rfc2136' | 'desec' | 'cloudflare' | 'hetzner' | undefined
  readonly zone?: string | undefined
  readonly server?: Address | undefined
  readonly keyName?: string | undefined
  /** Here and below, with its full path. */
  readonly keyFile?: string | undefined
  readonly tokenFile?: string | undefined
  readonly addresses: readonly string[]
  readonly target?: string | undefined
  /** Who is asked what the zones say; none: those that the DNS names. */
  readonly servers: readonly Address[]
}

/** How passwords are kept and proved. */
interface AccountRules {
  readonly scramIterations: number
  readonly sha1: boolean
  readonly plain: boolean
  /** In ms. */
  readonly tokenLifetime: number
}

/** Whom to write to about this server, as URIs (XEP-0157). */
interface Contacts {
  readonly abuse: readonly string[]
  readonly admin: readonly string[]
  readonly feedback: readonly string[]
  readonly sales: readonly string[]
  readonly security: readonly string[]
  readonly support: readonly string[]
}

/** The levels of the log. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Everything that can be configured. */
export interface Config {
  /** Our domains, at least one. In lower case, but not yet prepared as RFC 7622 wants it. */
  readonly hosts: readonly string[]
  /** Those of `hosts` that another server serves now, and where it can be reached: host or host:port. */
  readonly moved: ReadonlyMap<string, string>
  /** The directory of everything that this server keeps, as a full path. */
  readonly data: string
  readonly listen: {
    readonly starttls: readonly Address[]
    readonly tls: readonly Address[]
    readonly proxy: readonly Address[]
    readonly https: readonly Address[]
    readonly http: readonly Address[]
    /** Where `components` connect, if there are any. */
    readonly components: readonly Address[]
    /** Where other servers connect, with STARTTLS and with TLS from the start. */
    readonly servers: readonly Address[]
    readonly serversTls: readonly Address[]
    /** For everything that uses TLS. */
    readonly shared: readonly Address[]
    /** For browsers that come without TLS. */
    readonly redirect: readonly Address[]
    /** For the DNS, where domains are proved by aliases that lead here. */
    readonly dns: readonly Address[]
    readonly metrics: readonly Address[]
    /** Where Tor hands over what comes to an onion service, if one of `hosts` is one. */
    readonly onion: readonly Address[]
    /** Whether the next free port is used where one is taken. */
    readonly nextFreePort: boolean
  }
  readonly http: {
    /** Where others reach the HTTP server, without a slash at the end; undefined to find out. */
    readonly url?: string | undefined
    /** Addresses and networks of reverse proxies beside this machine. */
    readonly proxies: readonly string[]
  }
  readonly uploads: UploadRules
  /** Where clients reach the proxy (undefined: at the domain), and how fast it is (0: as fast as it can). */
  readonly proxy: { readonly host?: string | undefined; readonly bytesPerSecond: number }
  /** One for each domain, in the order of `hosts`. */
  /** How the certificates are got; undefined if they are given. */
  readonly acme: AcmeOptions | undefined
  /** Servers of other kinds that share `listen.shared`. */
  readonly behind: { readonly ssh?: Address | undefined; readonly turn?: Address | undefined }
  /** Those that are given; an onion service may have none, and gets one of our own making. */
  readonly certificates: ReadonlyMap<string, CertificateFiles>
  readonly store: StoreChoice
  readonly log: { readonly level: LogLevel }
  readonly limits: Limits
  readonly accounts: AccountRules
  /** Bare JIDs, as written, of accounts that may administer whatever the store says of them. */
  readonly admins: readonly string[]
  readonly contacts: Contacts
  /** Programs that answer for domains of their own (XEP-0114), by these, as written. */
  readonly components: ReadonlyMap<string, { readonly secret: string; readonly bytesPerSecond?: number }>
  /** Other servers. */
  readonly federation: FederationRules
  readonly dns: DnsRules
  /** Whether everything is looked at once a night. */
  readonly doctor: 'nightly' | 'off'
  /** The options that features brought, by their key in the file. */
  readonly features: Readonly<Record<string, unknown>>
  /** Whether this is the server that one gets without a configuration. */
  readonly trial: boolean
}

/** The socket through which the command line speaks to the server that uses this data directory. */
export function adminSocketOf(data: string): string {
  return `${data}/admin.sock`
}
