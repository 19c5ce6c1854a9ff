// SPDX-License-Identifier: Apache-2.0
import { test } from 'node:test'
import { auth, theatre } from '../test/support/cast.ts'
import { MemoryLink } from '../test/support/memory-link.ts'

test('how many failed logins are too many is configured', async () => {
  const stage = await theatre({ limits: { failedLoginsPerAccount: 1 } })
  await stage.account('romeo')
  const attempt = async (password: string, address: string, outcome: string): Promise<void> => {
    const romeo = stage.stranger(new MemoryLink({ address }))
    await romeo.opens()
    romeo.sends(auth('romeo', password))
    await romeo.receives(outcome)
  }
  const failure = (condition: string): string =>
    `<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><${condition}/></failure>`
  await attempt('wrong', '192.0.2.66', failure('not-authorized'))
  await attempt('secret', '192.0.2.66', failure('temporary-auth-failure'))
  await attempt('secret', '192.0.2.1', `<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
})

test('the server itself can tell somebody something', async () => {
  const stage = await theatre()
  const { romeo } = await stage.scene('romeo')
  await stage.server.tell('localhost', romeo.jid.bare, 'The disk is full.')
  await romeo.receives(
    `<message from='localhost' to='*' type='chat' id='*'><body>The disk is full.</body><stanza-id xmlns='urn:xmpp:sid:0' by='*' id='*'/></message>`,
  )
})
