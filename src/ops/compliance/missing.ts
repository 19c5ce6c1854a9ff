// SPDX-License-Identifier: Apache-2.0
// How a check fails: with a reason that people can read.

/** What was looked for is not there. The message is the reason that is shown. */
export class Missing extends Error {
  override readonly name: string = 'Missing'
}

/** It cannot be seen from here whether it is there. */
export class Unseen extends Missing {
  override readonly name = 'Unseen'
}

/** The server answered a question with an error. */
export class Refused extends Missing {
  override readonly name = 'Refused'
  /** RFC 6120 §8.3.3. */
  readonly condition: string

  constructor(what: string, condition: string) {
    super(`${what}: the server answered ${condition}`)
    this.condition = condition
  }
}

/** Ends a check unless something holds. */
export function needs(holds: unknown, reason: string): asserts holds {
  if (!holds) throw new Missing(reason)
}

/** Ends a check that cannot be made unless something holds. */
export function wants(holds: unknown, reason: string): asserts holds {
  if (!holds) throw new Unseen(reason)
}
