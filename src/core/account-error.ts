// SPDX-License-Identifier: Apache-2.0
// What a peer reads when something could not be done with an account.
import type { AccountError, AccountProblem } from '../accounts/accounts.ts'
import { StanzaError } from '../xmpp/errors.ts'

const ERRORS: Readonly<Record<AccountProblem, readonly [StanzaError['type'], StanzaError['condition']]>> = {
  exists: ['cancel', 'conflict'],
  'unknown-host': ['modify', 'not-acceptable'],
  'no-local-part': ['modify', 'not-acceptable'],
  'bad-password': ['modify', 'not-acceptable'],
  'not-found': ['cancel', 'item-not-found'],
  'no-client': ['cancel', 'item-not-found'],
  invitation: ['cancel', 'item-not-found'],
  'bad-invitation': ['modify', 'not-acceptable'],
  taken: ['cancel', 'conflict'],
  'too-many': ['wait', 'resource-constraint'],
}

/** The refusal that an error of `Accounts` comes to (RFC 6120 §8.3.3); any other error as it is. */
export function accountRefusal(error: unknown): unknown {
  if (!isAccountError(error)) return error
  return new StanzaError(...ERRORS[error.problem], error.message)
}

function isAccountError(error: unknown): error is AccountError {
  return error instanceof Error && error.name === 'AccountError' && 'problem' in error
}
