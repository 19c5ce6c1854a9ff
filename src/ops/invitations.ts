// SPDX-License-Identifier: Apache-2.0
// What can be asked about invitations through the admin socket, and without a server.

import * as v from 'valibot'
import type { Accounts } from '../accounts/accounts.ts'
import { IN_WORDS } from '../config/explain.ts'
import type { Invitation } from '../store/invitation-store.ts'
import { invitePath, inviteUri } from '../xmpp/0401-invitation.ts'
import type { Jid } from '../xmpp/jid.ts'

/** An invitation as the command line sees it; times in ms since 1970. */
export interface InvitationInfo {
  readonly id: number
  readonly domain: string
  readonly role: 'member' | 'administrator' | 'contact'
  /** The account that made it; null if it was made on the machine itself. */
  readonly creator: string | null
  readonly contact: string | null
  readonly name: string | null
  readonly note: string | null
  /** Null: as often as anybody likes. */
  readonly uses: number | null
  readonly used: number
  readonly created: number
  readonly expires: number
}

/** One that was made just now, with what nobody gets to see again. */
export interface NewInvitationInfo extends InvitationInfo {
  /** Null if the server has no address for browsers. */
  readonly link: string | null
  readonly uri: string
}

/** What the commands need. */
export interface InvitationDesk {
  readonly accounts: Pick<Accounts, 'invitations'>
  readonly hosts: readonly string[]
  /** Reads an address of an account, or says what is wrong with it. */
  readonly address: (text: string) => Jid
  /** Where the pages of a domain are, if anywhere. */
  readonly publicUrl: (host: string) => string | undefined
}

/** How many are listed. */
const SHOWN = 10_000
/** Administrators of the machine make as many as fit. */
const MOST = { perDay: Number.MAX_SAFE_INTEGER, waiting: Number.MAX_SAFE_INTEGER }

const wanted = v.object({
  domain: v.optional(v.string()),
  contact: v.optional(v.string()),
  name: v.optional(v.string()),
  note: v.optional(v.string()),
  admin: v.optional(v.boolean(), false),
  uses: v.optional(v.nullable(v.pipe(v.number(), v.safeInteger())), 1),
  lifetime: v.pipe(v.number(), v.finite()),
})

/** The commands, as in `admin.ts`. */
export function invitationCommands({ accounts: { invitations }, hosts, address, publicUrl }: InvitationDesk) {
  return {
    async 'invite.create'(args: unknown): Promise<NewInvitationInfo> {
      const { contact: text, uses, domain: asked, ...wish } = v.parse(wanted, args, IN_WORDS)
      const contact = text === undefined ? undefined : address(text)
      const domain = asked ?? contact?.domain ?? hosts[0] ?? 'localhost'
      const made = await invitations.create({ ...wish, domain, contact, uses: uses ?? undefined }, MOST)
      const base = publicUrl(made.domain)
      return {
        ...infoOf(made),
        link: base === undefined ? null : `${base}${invitePath(made.token)}`,
        uri: inviteUri({ ...made, contact: contact?.key }, made.token),
      }
    },
    'invite.list': async (): Promise<readonly InvitationInfo[]> => (await invitations.list(SHOWN)).map(infoOf),
    async 'invite.revoke'(args: unknown): Promise<{ readonly revoked: number }> {
      const { ids } = v.parse(
        v.object({ ids: v.optional(v.pipe(v.array(v.pipe(v.number(), v.safeInteger())), v.maxLength(SHOWN))) }),
        args,
        IN_WORDS,
      )
      return { revoked: await invitations.revoke(ids ?? (await invitations.list(SHOWN)).map(({ id }) => id)) }
    },
  }
}

function infoOf({
  id,
  domain,
  creator,
  contact,
  name,
  note,
  admin,
  accounts,
  uses,
  used,
  created,
  expires,
}: Invitation): InvitationInfo {
  return {
    id,
    domain,
    role: admin ? 'administrator' : accounts ? 'member' : 'contact',
    creator: creator?.key ?? null,
    contact: contact?.key ?? null,
    name: name ?? null,
    note: note ?? null,
    uses: uses ?? null,
    used,
    created,
    expires,
  }
}
