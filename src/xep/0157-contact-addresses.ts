// SPDX-License-Identifier: Apache-2.0
// XEP-0157: Contact Addresses for XMPP Services. Whom to write to about this server, as a form in its service discovery.
// The option `contacts` is one of the server's own (`config/schema.ts`), because mail and web pages will show it too.

import * as v from 'valibot'
import type { Feature } from '../core/feature.ts'
import { resultElement } from '../xmpp/0004-data-forms.ts'

/** The roles of XEP-0157 §7.1. */
const ROLES = ['abuse', 'admin', 'feedback', 'sales', 'security', 'status', 'support'] as const

/** By role; what is something else counts as nothing. */
const CONTACTS = v.fallback(v.record(v.string(), v.array(v.string())), {})

/** XEP-0157: Contact Addresses for XMPP Services. */
export const contactAddresses: Feature = {
  name: 'contact-addresses',
  implements: [{ xep: 157, version: '1.1.1', name: 'Contact Addresses for XMPP Services' }],
  setup: (ctx) => ({
    disco: {
      server: {
        forms() {
          const contacts = v.parse(CONTACTS, ctx.options.contacts ?? {})
          const fields = ROLES.flatMap((role) => {
            const values = contacts[role] ?? []
            return values.length > 0 ? [{ name: `${role}-addresses`, type: 'list-multi' as const, values }] : []
          })
          return fields.length > 0 ? [resultElement({ formType: 'http://jabber.org/network/serverinfo', fields })] : []
        },
      },
    },
  }),
}
