// SPDX-License-Identifier: Apache-2.0
// Why nothing can be sent to another server, said to three readers: the route (is it worth waiting?), the administrator, and
// whoever wanted to send something.
import { StanzaError } from '../../xmpp/errors.ts'
import { DialError } from '../link.ts'

/** What went wrong on the way to another server. */
export type FailureKind =
  | DialError['kind']
  | 'no-tls'
  | 'certificate'
  | 'not-authenticated'
  | 'protocol'
  | 'not-theirs'
  | 'refused-us'
  | 'lost'
  | 'policy'

/** How it is told to senders, and what it means for what waits. */
interface Meaning {
  readonly type: 'cancel' | 'wait'
  readonly condition: 'remote-server-not-found' | 'remote-server-timeout'
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

/** What a stream error of the other side means. */
export function failureByPeer(condition: string): StreamFailure {
  const kind = NOT_THEIRS.has(condition) ? 'not-theirs' : REFUSED.has(condition) ? 'refused-us' : 'lost'
  return new StreamFailure(kind, `The other server ended the stream: ${condition}.`)
}
