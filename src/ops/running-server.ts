// SPDX-License-Identifier: Apache-2.0
// What the command line and the administrators' socket may ask of a server that runs.

import type { Accounts } from '../accounts/accounts.ts'
import type { Config } from '../config/config.ts'
import type { RoomStore } from '../store/rooms-store.ts'
import type { PushStore, ReportStore } from '../store/store.ts'
import type { UploadStore } from '../store/upload-store.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { CertificateState } from './certificate-keeper.ts'
import type { FederationControl } from './federation.ts'
import type { FirstAccount } from './first-account.ts'

/** A socket that listens. */
export interface ListenInfo {
  readonly kind:
    | 'starttls'
    | 'tls'
    | 'shared'
    | 'redirect'
    | 'https'
    | 'http'
    | 'metrics'
    | 'components'
    | 'proxy'
    | 'servers'
    | 'serversTls'
    | 'dns'
    | 'onion'
  readonly host: string
  readonly port: number
  /** The port that was wanted; another one if that was taken. */
  readonly wanted: number
}

/** What a server is and where. */
export interface ServerInfo {
  readonly hosts: readonly string[]
  readonly listening: readonly ListenInfo[]
  readonly data: string
  readonly trial: boolean
  /** Where everybody reaches the web server, if the configuration says so: an origin. */
  readonly url: string | undefined
  /** The file that clients must trust, when the certificate is our own authority's. */
  readonly authority: string | undefined
}

/** How a server is. */
export interface Status {
  readonly version: string
  readonly pid: number
  readonly hosts: readonly string[]
  /** ms. */
  readonly uptime: number
  readonly accounts: number
  readonly sessions: number
  readonly connections: number
  /** Resident memory, in bytes. */
  readonly memory: number
  /** 99th percentile, in ms. */
  readonly eventLoopDelay: number
  readonly store: 'sqlite' | 'postgres'
  /** Writes that wait for their commit. */
  readonly uncommitted: number
  /** Those that are ours to get. */
  readonly certificates: readonly CertificateState[]
  readonly listening: readonly ListenInfo[]
  readonly data: string
}

/** One logged-in client. */
export interface SessionInfo {
  readonly id: string
  readonly jid: string
  /** ms since 1970. */
  readonly since: number
  readonly encrypted: boolean
  readonly mechanism: string
  /** The client program on its device, if it told (XEP-0388): `id` is what `aenigma user revoke` takes. */
  readonly client:
    | { readonly id: string; readonly software: string | undefined; readonly device: string | undefined }
    | undefined
  /** Undefined while it is not available. */
  readonly priority: number | undefined
  /** RFC 6121 §4.7.2.1: '' when plainly available; undefined while it is not available. */
  readonly show: string | undefined
  /** Whether it is connected; otherwise it may come back (XEP-0198 §5). */
  readonly attached: boolean
}

/** A server that runs. */
export interface RunningServer {
  readonly info: ServerInfo
  readonly accounts: Accounts
  readonly firstAccount: Pick<FirstAccount, 'issue'>
  /** Where the pages of a domain are, if browsers reach them. */
  publicUrl(host: string): string | undefined
  status(): Promise<Status>
  sessions(): readonly SessionInfo[]
  readonly pushes: Pick<PushStore, 'list'>
  readonly reports: Pick<ReportStore, 'list' | 'remove'>
  /** What is removed is gone from the disk, too, when that resolves. */
  readonly uploads: Pick<UploadStore, 'usage' | 'list' | 'remove'>
  readonly rooms: Pick<RoomStore, 'all'> & {
    /** Those in it are told. Resolves, when it is gone from the disk, to whether there was such a room. */
    remove(jid: Jid): Promise<boolean>
  }
  readonly federation: FederationControl
  /** @returns false if there is no such session */
  endSession(id: string): boolean
  /** Rejects if a server could not start with this configuration. */
  check(config: Config): Promise<void>
  /** Puts a newer configuration and the certificates in force. Rejects, and changes nothing, if a certificate cannot be used. @returns the options that need a restart */
  reload(config: Config): Promise<readonly string[]>
  /** Closes streams, flushes the store, stops listening. */
  stop(): Promise<void>
}
