// SPDX-License-Identifier: Apache-2.0
// The people of the test network.

/** Everybody's. */
export const PASSWORD = 'wherefore art thou'

/** Somebody, on some server. */
export interface Account {
  readonly name: string
  readonly domain: string
  readonly password: typeof PASSWORD
}

/** An account that servers are started with. */
export function account(name: string, domain: string): Account {
  return { name, domain, password: PASSWORD }
}
