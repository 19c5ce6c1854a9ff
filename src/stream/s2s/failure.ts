// SPDX-License-Identifier: Apache-2.0
// Why nothing can be sent to another server, said to three readers: the route (is it worth waiting?), the administrator, and
// whoever wanted to send something.
import { StanzaError } from '../../xmpp/errors.ts'
import { DialError } from '../link.ts'
import type { Asked } from './dialback-asking.ts'

/** What went wrong on the way to another server. */
export type FailureKind =
  | DialError['kind']
  | 'no-tls'
  | 'certificate'
  | 'not-authenticated'
  | 'not-believed'
  | 'not-verified'
  | 'protocol'
  | 'not-theirs'
  | 'refused-us'
  | 'lost'
  | 'policy'

/** How it is told to senders, and what it means for what waits. */
interface Meaning {
  readonly type: 'cancel' | 'wait'
  readonly condition: 'remote-server-not-found' | 'remote-server-timeout' | 'internal-server-error'
  readonly text: string
  /** Whether messages wait for a better time; otherwise everything goes back at once. */
  readonly passes: boolean
}

const MEANINGS: Readonly<Record<FailureKind, Meaning>> = {
  'no-such-domain': never('There is no server with this name.'),
  refused: never('This domain has no server for chat.'),
  policy: never('This server does not talk to that one.'),
  'not-theirs': never('The other server says that it does not answer for this domain.'),
  'refused-us': soon('The other server does not want to talk to this one.', false),
  'no-tls': soon('The other server offers no encryption.', false),
  certificate: soon('The other server could not prove that it answers for this domain.', false),
  // XEP-0220 §2.1.1
  'not-believed': {
    type: 'wait',
    condition: 'internal-server-error',
    text: 'The other server does not believe this one who it is.',
    passes: false,
  },
  'not-verified': soon('The other server could not ask this one whether it is itself.', true),
  'not-authenticated': soon('This server could not prove to the other one who it is.', false),
  tls: soon('No encrypted connection to the other server could be made.', false),
  protocol: soon('The other server does not speak as it should.', false),
  dns: soon('It could not be found out where the other server is.', true),
  unreachable: soon('The other server cannot be reached at the moment.', true),
  lost: soon('The connection to the other server broke.', true),
}

function never(text: string): Meaning {
  return { type: 'cancel', condition: 'remote-server-not-found', text, passes: false }
}

/** RFC 6120 §8.3.3.17: the domain is there, but a stream is not. */
function soon(text: string, passes: boolean): Meaning {
  return { type: 'wait', condition: 'remote-server-timeout', text, passes }
}

/** Why a stream to another server did not come about, or ended. The message is for administrators. */
export class StreamFailure extends Error {
  override readonly name = 'StreamFailure'
  readonly kind: FailureKind

  constructor(kind: FailureKind, message: string) {
    super(message)
    this.kind = kind
  }

  /** Whether what can wait does. */
  get passes(): boolean {
    return MEANINGS[this.kind].passes
  }

  /** What senders read. */
  get forSender(): StanzaError {
    const { type, condition, text } = MEANINGS[this.kind]
    return new StanzaError(type, condition, text)
  }
}

/** Any reason as one of ours. */
export function failureOf(error: unknown): StreamFailure {
  if (error instanceof StreamFailure) return error
  if (error instanceof DialError) return new StreamFailure(error.kind, error.message)
  return new StreamFailure('lost', error instanceof Error ? error.message : String(error))
}

/** Conditions by which the other side says that it is not the one we want. */
const NOT_THEIRS = new Set(['host-unknown', 'host-gone'])
/** Those by which it says that it does not want us. */
const REFUSED = new Set(['policy-violation', 'not-authorized', 'invalid-from', 'unsupported-version'])

/** What a stream error of the other side means. @param text its own words */
export function failureByPeer(condition: string, text: string | undefined): StreamFailure {
  const kind = NOT_THEIRS.has(condition) ? 'not-theirs' : REFUSED.has(condition) ? 'refused-us' : 'lost'
  return new StreamFailure(
    kind,
    `The other server ended the stream: ${condition}${text === undefined ? '' : ` (${text})`}.`,
  )
}

/** What it means that they did not let one of our domains in by dialback (XEP-0220 §2.1.1, §2.5). */
export function failureByDialback(asked: Exclude<Asked, { readonly type: 'valid' }>): StreamFailure {
  switch (asked.type) {
    case 'invalid':
      return new StreamFailure(
        'not-believed',
        'It says that our key of dialback is wrong: is DNS right about our domain?',
      )
    case 'timeout':
      return new StreamFailure('unreachable', 'It did not tell in time whether dialback lets us in.')
    case 'error':
      return new StreamFailure(
        KIND_BY_DIALBACK.get(asked.condition) ?? 'not-authenticated',
        `${WHY_BY_DIALBACK.get(asked.condition) ?? 'It does not let us in by dialback'} (${asked.condition}).`,
      )
    case 'full':
    case 'lost':
      return new StreamFailure('lost', 'The stream ended before dialback did.')
  }
}

// Maps, since the other side chooses the word: every object has a `constructor`.
const KIND_BY_DIALBACK: ReadonlyMap<string, FailureKind> = new Map<string, FailureKind>([
  ['item-not-found', 'not-theirs'],
  ['policy-violation', 'refused-us'],
  ['forbidden', 'not-believed'],
  ['remote-server-timeout', 'not-verified'],
  ['remote-connection-failed', 'not-verified'],
  ['resource-constraint', 'unreachable'],
])

const WHY_BY_DIALBACK: ReadonlyMap<string, string> = new Map([
  ['item-not-found', 'It says that it does not serve this domain'],
  ['not-authorized', 'It wants a certificate that proves our domain'],
  ['policy-violation', 'It does not want to talk to our domain'],
  ['forbidden', 'It says that our key of dialback is wrong'],
  ['remote-server-not-found', 'It found no server for our domain, or got no answer there: are our DNS records right?'],
  ['remote-server-timeout', 'It got no answer from our server: can it be reached from outside?'],
  ['remote-connection-failed', 'It could not connect to our server: can it be reached from outside?'],
  ['resource-constraint', 'It has no room for our domain at the moment'],
])
