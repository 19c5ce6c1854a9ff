// SPDX-License-Identifier: Apache-2.0
// What a XEP is to this server: a value that says what it implements and which hooks it takes part in. Nothing runs on
// import. RFC 6120 and 6121 are not features: they are plain code in this folder.
import type * as v from 'valibot'
import type { Accounts } from '../accounts/accounts.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { Link } from '../stream/link.ts'
import type { Element } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza, StanzaKind } from '../xmpp/stanza.ts'
import type { Command } from './command.ts'
import type { Directory, LocalAccount } from './directory.ts'
import type { Router } from './router.ts'
import type { LoginFacts, Session } from './session.ts'

/** A value now, or a promise of it when somebody had to wait; an `await` is only taken in the second case. */
export type MaybeAsync<T> = T | Promise<T>

/** What became of a stanza at a hook, and why. There is no fourth answer. */
export type Verdict =
  /** Go on: as it is, or with a changed copy. */
  | { readonly pass: Stanza | undefined }
  /** Refused, for this reason (for the log); the sender gets the error if there is one. */
  | { readonly stop: string; readonly error?: StanzaRefusal }
  /** Stored or queued: the feature answers for it from now on. */
  | { readonly keep: string }

/** An error that goes back to a sender; see `StanzaError`. */
export type StanzaRefusal = import('../xmpp/errors.ts').StanzaError

/** Go on with the stanza as it is. */
export const PASS: Verdict = Object.freeze({ pass: undefined })

/** A question (an iq of type get or set) on its way to the one who answers it. */
export interface IqRequest {
  readonly stanza: Stanza
  /** The one child element of the iq. */
  readonly payload: Element
  readonly type: 'get' | 'set'
  /** Who asks: a full JID, mostly. */
  readonly from: Jid
  /** Who is asked: an account's bare JID, one of our domains, a service of one, or a bare address at a service. */
  readonly owner: Jid
  /** The account that is asked; undefined when it is a domain. */
  readonly account: LocalAccount | undefined
  /** The service that is asked, if it is one. */
  readonly service: Service | undefined
  /** The client that asks, if it is one of ours. */
  readonly session: Session | undefined
  /** Whether the asker asks its own account. */
  readonly own: boolean
}

/** The services that features may own, by the label that stands before our domain. */
export type ServiceLabel = 'pubsub' | 'rooms' | 'upload' | 'proxy'

/**
 * Where a question is asked. `server`: of one of our domains. `account`: of an account (its bare JID, or no address at
 * all). A label: of that service. `service`: of any service, unless it has a route of its own.
 */
export type IqPlace = 'server' | 'account' | 'service' | ServiceLabel

/** A subdomain of each of our domains that a feature owns. A domain that the configuration names is not one. */
export interface Service {
  readonly label: ServiceLabel
  /** What it is (XEP-0030). */
  readonly about: Disclosed
  /** Whether there are addresses with a local part: then questions to them (without a resource) come to its routes too. */
  readonly inhabited?: boolean
  /** As in `Announcement`, but asked about this service alone; `info` without a node only about an address with a local part. */
  items?(request: DiscoRequest): MaybeAsync<readonly Element[] | undefined>
  info?(request: DiscoRequest): MaybeAsync<Disclosed | undefined>
  /** A message to it. @returns whether it took it; what it does not take goes back to the sender */
  onMessage?(stanza: Stanza): MaybeAsync<boolean>
  /** Any other stanza to an address with a local part: messages, presence, iqs with a resource. @returns as `onMessage` */
  onStanza?(stanza: Stanza): MaybeAsync<boolean>
}

/** Who answers which question. Two routes for one question are an error at start. */
export interface IqRoute {
  readonly at: readonly IqPlace[]
  readonly type: 'get' | 'set'
  readonly ns: string
  /** The payload's name; any when absent. */
  readonly name?: string
  /**
   * Whether others than the owner may ask an account this. Unless true they get `service-unavailable`, as if the
   * account did not exist (RFC 6120 §8.5.1 hides who exists).
   */
  readonly strangers?: boolean
  /**
   * The payload of the result (undefined: an empty one). Throws a StanzaError to refuse; the router turns any other
   * error into `internal-server-error`. Resolves only when what it changed is on disk.
   */
  answer(request: IqRequest): MaybeAsync<Element | undefined>
}

/** An identity or a feature that XEP-0030 announces. */
export interface Disclosed {
  readonly features?: readonly string[]
  readonly identities?: readonly { readonly category: string; readonly type: string; readonly name?: string }[]
  /** Forms with more about us (XEP-0128), made when asked. */
  readonly forms?: () => readonly Element[]
}

/** A question of XEP-0030, as `Hooks.disco` gets it. Who asks is known, so that only those who may see something do. */
export interface DiscoRequest {
  readonly node: string | undefined
  readonly from: Jid
  /** Who is asked: an account's bare JID, or one of our domains. */
  readonly owner: Jid
}

/** What one feature announces by XEP-0030. */
export interface Announcement {
  readonly server?: Disclosed
  readonly account?: Disclosed
  /**
   * For `disco#items`: the `<item/>`s that this feature has at the node, or undefined if it knows nothing of it. The
   * answer (`xep/0030-disco.ts`) puts together what all features return, without a node too; commands (XEP-0050) need it.
   */
  items?(request: DiscoRequest): MaybeAsync<readonly Element[] | undefined>
  /** For `disco#info` with a node: what it is, or undefined if it is none of this feature's. Throws a StanzaError to refuse. */
  info?(request: DiscoRequest): MaybeAsync<Disclosed | undefined>
  /** Ad-hoc commands that our domains have (XEP-0050); `xep/0050-commands.ts` carries them out. */
  readonly commands?: readonly Command[]
}

/** What a hook may be about: `message` is any but those of rooms, of which there are many more than of all others. */
export type Sort = StanzaKind | 'groupchat'

/** The hooks of which most stanzas are no business of most features. */
type Sorted = 'onSend' | 'onReceive' | 'onDeliver'

/** The places at which a feature may take part. All others are none of its business. */
export interface Hooks {
  /** Which stanzas a hook is about, if not about all: of others it is not asked. */
  readonly only?: { readonly [name in Sorted]?: readonly Sort[] }
  readonly iq?: readonly IqRoute[]
  /** One of our clients sent a stanza; once. */
  onSend?(stanza: Stanza, sender: Session): MaybeAsync<Verdict>
  /** A stanza for one of our accounts; once per account, before it is known which clients get it. */
  onReceive?(stanza: Stanza, owner: LocalAccount): MaybeAsync<Verdict>
  /** A message for which nobody is there. After the last of these hooks the sender gets an error. */
  onAway?(stanza: Stanza, owner: LocalAccount): MaybeAsync<Verdict>
  /** About to go to one client; once per client. */
  onDeliver?(stanza: Stanza, client: Session): MaybeAsync<Verdict>
  /** A client became available for messages (RFC 6121 §4.2: initial presence, or priority no longer negative). */
  onAvailable?(client: Session, stanza: Stanza): MaybeAsync<void>
  /** Elements at the top of a bound client's stream that are no stanzas, by `nonzaKey`. */
  readonly nonzas?: Readonly<Record<string, (element: Element, client: Session) => MaybeAsync<void>>>
  /** A client is gone. */
  onEnd?(client: Session): void
  /** Elements to be put into the stream features. */
  streamFeatures?(stream: {
    readonly host: string
    readonly encrypted: boolean
    readonly authenticated: boolean
    /** Undefined as long as there is no resource. */
    readonly session?: Session | undefined
  }): readonly Element[]
  /**
   * A logged-in stream that has no resource yet wants to go on as a session that exists (XEP-0198 §5), by a top-level
   * element or inside SASL2. Undefined if the element is none of this feature's business.
   */
  resume?(request: ResumeRequest): MaybeAsync<Resumption | undefined>
  /** What takes part in a login of one round trip (XEP-0388 §2.6, XEP-0386). */
  readonly inline?: {
    /** Elements to be put into the `<inline/>` of SASL2. */
    readonly login?: readonly Element[]
    /** The `var`s of features to be put into the `<inline/>` of Bind 2. */
    readonly bind?: readonly string[]
    /**
     * Elements inside the `<bind/>` of Bind 2, by `nonzaKey`: called once the client is bound, before it is told so. What
     * is returned goes into `<bound/>`.
     */
    readonly onBind?: Readonly<Record<string, (element: Element, client: Session) => MaybeAsync<Element | undefined>>>
    /** What every client that binds by Bind 2 is told in `<bound/>`; called once it is bound, and all it asked for is done. */
    onBound?(client: Session): MaybeAsync<Element | undefined>
  }
  /** An iq before login that this feature answers (XEP-0077), or undefined if it is not its business. */
  beforeLogin?(request: BeforeLogin): MaybeAsync<Stanza> | undefined
  /** What is announced about our domains and about accounts (to their owner, and to those whom they let see them). */
  readonly disco?: Announcement
  /** The feature owns a subdomain; its questions are `iq` routes at its label. */
  readonly service?: Service
  start?(): MaybeAsync<void>
  stop?(): MaybeAsync<void>
}

/** A stream that wants to go on as a session that exists. */
interface ResumeRequest {
  readonly element: Element
  /** The bare JID that has logged in. */
  readonly jid: Jid
  readonly login: LoginFacts
  /** Where the session is to write from now on. */
  readonly link: Link
}

/** What became of a request to resume. */
interface Resumption {
  /** To be sent first: `<resumed/>` or `<failed/>`. */
  readonly answer: Element
  /** The session whose client the stream now is; undefined if it failed and the client may bind instead. */
  readonly session: Session | undefined
  /** Sends what the client has not acknowledged; to be called right after `answer` was sent. */
  readonly replay: () => void
}

/** An iq on an encrypted stream that has not logged in. */
export interface BeforeLogin {
  readonly stanza: Stanza
  readonly payload: Element
  readonly host: string
  /** The peer's network (an IPv4 address, an IPv6 /64), for throttling; never logged. */
  readonly network: string
  /** Stands for the stream, for what a feature notes about it (by a WeakMap). */
  readonly stream: object
}

/** What the program is called (XEP-0092) and where it lives. */
export interface Software {
  readonly name: string
  readonly version: string
}

/** What a feature gets to work with. A thirteenth member needs a decision record. */
export interface FeatureContext {
  /** The options of features by their key, checked. Read them when needed: a reload changes them. */
  readonly options: Readonly<Record<string, unknown>>
  /** Our domains. */
  readonly hosts: ReadonlySet<string>
  readonly limits: FeatureLimits
  readonly store: Store
  /** Accounts that are in memory, and how to get one there. */
  readonly directory: Directory
  readonly router: Router
  readonly accounts: Accounts
  /** Whether somebody may administer our domains. */
  readonly isAdmin: (jid: Jid) => boolean
  readonly software: Software
  /** What all features announce (XEP-0030). Complete when all are set up: ask when a question comes. */
  readonly announced: () => readonly Announcement[]
  readonly clock: Clock
  readonly log: Log
}

/** Bounds that the configuration sets for features. */
export interface FeatureLimits {
  readonly offlineMessages: number
  readonly privateBytes: number
  readonly stanzaBytes: number
  /** The same before login. */
  readonly unauthenticatedStanzaBytes: number
  /** Silence after which a client is asked whether it is there, in ms. */
  readonly idleTimeout: number
  /** How long a session without a connection waits for its client, in ms. */
  readonly resumeTimeout: number
  readonly registrationsPerHourPerAddress: number
  readonly rosterItems: number
  /** From one whom the addressees do not know, to all of our accounts together. */
  readonly strangerMessagesPerHour: number
  readonly strangerRequestsPerHour: number
}

/** A XEP (or a few that make no sense apart). */
export interface Feature {
  /** Lower case, unique; the key of its options in the configuration. */
  readonly name: string
  readonly implements: readonly {
    readonly xep: number
    readonly version: string
    readonly name: string
    readonly note?: string
  }[]
  /** Options that become top-level keys of the configuration; each with a default and a description. */
  readonly options?: Readonly<Record<string, v.GenericSchema>>
  setup(context: FeatureContext): Hooks
}

/** The key of an element in `Hooks.nonzas`. */
export function nonzaKey(ns: string, name: string): string {
  return `${ns} ${name}`
}

/** Calls `next` with the value: at once if it is there, later if it is a promise. */
export function andThen<T, R>(value: MaybeAsync<T>, next: (value: T) => MaybeAsync<R>): MaybeAsync<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}
