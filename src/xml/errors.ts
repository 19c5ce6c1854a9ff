// SPDX-License-Identifier: Apache-2.0
// What the reader refuses. It names the stream error of RFC 6120 §4.9.3 that the peer gets; `stream/` builds it.

/** The stream conditions that reading alone can raise. */
export type ReadCondition =
  | 'bad-namespace-prefix'
  | 'invalid-namespace'
  | 'invalid-xml'
  | 'not-well-formed'
  | 'policy-violation'
  | 'restricted-xml'
  | 'unsupported-encoding'
  | 'bad-format'

/** Thrown by the reader; after it the stream is beyond repair. */
export class ReadError extends Error {
  override readonly name = 'ReadError'
  readonly condition: ReadCondition

  /** @param reason a plain sentence for the peer; never quotes what the peer sent */
  constructor(condition: ReadCondition, reason: string) {
    super(reason)
    this.condition = condition
  }
}
