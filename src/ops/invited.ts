// SPDX-License-Identifier: Apache-2.0
// What the page behind an invitation shows, and the account that is made there.
import type { Accounts } from '../accounts/accounts.ts'
import type { Invitation } from '../store/invitation-store.ts'
import { invitePath, inviteUri } from '../xmpp/0401-invitation.ts'
import {
  type FirstLogin,
  firstLogin,
  type LoginParts,
  type NewcomerProblem,
  type NewcomerRequest,
  newcomerOf,
  newcomerProblem,
} from './newcomer.ts'

/** An invitation as the invited person sees it. */
export interface InvitationView {
  /** The domain of the account. */
  readonly host: string
  /** Whose contact the guest becomes: an address. */
  readonly inviter: string | undefined
  readonly note: string | undefined
  /** The name that is kept for the guest. */
  readonly name: string | undefined
  /** Whether an account can be made with it. */
  readonly accounts: boolean
  /** ms since 1970. */
  readonly expires: number
  /** For apps. */
  readonly uri: string
  /** The page itself as others reach it, if they do. */
  readonly url: string | undefined
}

/** What the page needs. */
export interface InvitedParts extends LoginParts {
  readonly accounts: Pick<Accounts, 'invitations'>
  /** Where the pages of a domain are, if anywhere. */
  readonly publicUrl: (host: string) => string | undefined
}

/** Accounts for people who were invited. */
export class Invited {
  readonly #parts: InvitedParts

  constructor(parts: InvitedParts) {
    this.#parts = parts
  }

  /** The invitation behind a link; undefined for whatever reason it cannot be used. Does not use it. */
  async look(link: string): Promise<InvitationView | undefined> {
    const found = await this.#parts.accounts.invitations.find(link)
    return found && viewOf(found, link, this.#parts.publicUrl(found.domain))
  }

  /** Makes the account; it is on disk when this resolves. @returns what is wrong, or the first login */
  async create(request: NewcomerRequest): Promise<FirstLogin | NewcomerProblem> {
    const { link, password } = request
    const { invitations } = this.#parts.accounts
    const found = await invitations.find(link)
    if (!found?.accounts) return 'link'
    const jid = newcomerOf(request, found.domain)
    if (typeof jid === 'string') return jid
    try {
      await invitations.redeem({ token: link, jid, password })
    } catch (error) {
      return newcomerProblem(error)
    }
    return firstLogin(jid, request, this.#parts)
  }
}

function viewOf(
  { domain, contact, note, name, accounts, expires }: Invitation,
  link: string,
  base: string | undefined,
): InvitationView {
  const inviter = contact?.key
  const uri = inviteUri({ domain, contact: inviter, name, accounts }, link)
  return { host: domain, inviter, note, name, accounts, expires, uri, url: base && `${base}${invitePath(link)}` }
}
