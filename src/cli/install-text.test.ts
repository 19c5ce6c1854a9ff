// SPDX-License-Identifier: Apache-2.0
// What an installation says at its end, by what was seen then.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configOf } from '../../test/support/patient.ts'
import type { CheckReport, Result } from '../appliance/examine.ts'
import type { NewInvitationInfo } from '../ops/invitations.ts'
import { closing } from './install-text.ts'

const LINK = 'https://example.org/invite/t'
const invitation: NewInvitationInfo = {
  ...{ id: 1, domain: 'example.org', role: 'administrator', creator: null, contact: null, name: null, note: null },
  ...{ uses: 1, used: 0, created: 0, expires: 0, link: LINK, uri: 'xmpp:example.org?register;preauth=t' },
}

async function said(...findings: readonly Result[]): Promise<string> {
  const checks: CheckReport = { level: 'ok', findings }
  const config = configOf('dns: { addresses: 192.0.2.1 }\n')
  return closing({ name: 'aenigma', config, steps: 9, checks, invitation, ms: 4200 })
}

const dns: Result = {
  id: 'dns.example.org',
  level: 'info',
  found: 'To be added: …',
  about: 'the records',
  group: 'DNS',
}

test('records that are missing are printed, and the link comes last', async () => {
  const text = await said(dns)
  assert.match(text, /^\nAll is well\.\n\nThe server runs \(9 steps, 4 s\)/)
  assert.match(text, /_xmpps-client\._tcp +SRV +0 5 5223 example\.org\./)
  assert.ok(text.indexOf('_xmpps-client') < text.indexOf(LINK))
})

test('records that are right are not', async () => {
  const text = await said({ ...dns, level: 'ok' })
  assert.doesNotMatch(text, /SRV/)
  assert.match(text, /invite\/t/)
})

test('what is not well is counted', async () => {
  assert.match(await said({ ...dns, level: 'error' }), /^\n1 error, 0 warnings\./)
})
