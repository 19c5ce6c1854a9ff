// SPDX-License-Identifier: Apache-2.0
// Programs and services between two servers: components (XEP-0114), push services (XEP-0357), and accounts that end (XEP-0077).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Program, SECRET } from '../support/component.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { rosterOf } from '../support/friends.ts'
import { assertLike, error } from '../support/match.ts'
import { allSettle, befriendAcross, CAPULET, lovers, MONTAGUE } from '../support/two-servers.ts'

const GATEWAY = `irc.${CAPULET}`
const PUSH = `push.${MONTAGUE}`

function gateway(domain: string): { components: ReadonlyMap<string, { secret: string }> } {
  return { components: new Map([[domain, { secret: SECRET }]]) }
}

test('a component talks to people on other servers, and they to it and to everybody behind it', async () => {
  const { capulet, romeo } = await lovers({ capulet: gateway(GATEWAY) })
  const irc = await Program.comes(capulet).joins(SECRET, GATEWAY)
  romeo.sends(`<message type='chat' id='a' to='#verona@${GATEWAY}'><body>Hail</body></message>`)
  await irc.receives(`<message type='chat' id='a' from='${romeo.full}' to='#verona@${GATEWAY}'/>`)
  irc.sends(
    `<message type='chat' id='b' from='#verona@${GATEWAY}/x' to='${romeo.bare}'><body>Well met</body></message>`,
  )
  await romeo.receives(`<message type='chat' id='b' from='#verona@${GATEWAY}/x' to='${romeo.bare}'/>`)
  romeo.sends(`<presence type='subscribe' to='${GATEWAY}'/>`)
  await irc.receives(`<presence type='subscribe' from='${romeo.bare}' to='${GATEWAY}'/>`)
  irc.sends(`<presence type='subscribed' from='${GATEWAY}' to='${romeo.bare}'/>`)
  irc.sends(`<presence from='${GATEWAY}' to='${romeo.bare}'/>`)
  const heard = await romeo.hearsOut(CAPULET)
  assert.deepEqual(
    heard.filter(({ attrs }) => attrs.from === GATEWAY).map(({ attrs }) => attrs.type),
    ['subscribed', undefined],
  )
  irc.sends(`<iq type='get' id='q' from='${GATEWAY}' to='${MONTAGUE}'><query xmlns='jabber:iq:version'/></iq>`)
  await irc.receives(`<iq type='result' id='q' from='${MONTAGUE}' to='${GATEWAY}'/>`)
  irc.sends(`<message id='c' from='${GATEWAY}' to='x@verona.example'><body>?</body></message>`)
  await irc.receives(`<message type='error' id='c'>${error('cancel', 'remote-server-not-found')}</message>`)
})

test('what is for a component that is not connected comes back', async () => {
  const { romeo } = await lovers({ capulet: gateway(GATEWAY) })
  romeo.sends(`<message type='chat' id='a' to='#verona@${GATEWAY}'><body>Hail</body></message>`)
  await romeo.receives(
    `<message type='error' id='a' from='#verona@${GATEWAY}'>${error('wait', 'service-unavailable')}</message>`,
  )
})

test('a device is woken by a push service elsewhere; one that cannot be found is asked again and again', async () => {
  const clock = new FakeClock()
  const stage = { clock, limits: { idleTimeout: 86_400_000 } }
  const { capulet, montague, juliet, romeo } = await lovers({
    capulet: stage,
    montague: { ...stage, ...gateway(PUSH) },
  })
  const app = await Program.comes(montague).joins(SECRET, PUSH)
  await juliet.sets(`<enable xmlns='urn:xmpp:push:0' jid='${PUSH}' node='token'/>`)
  await juliet.sets(`<enable xmlns='urn:xmpp:push:0' jid='push.verona.example' node='lost'/>`)
  juliet.link.clientCloses()
  romeo.sends(`<message type='chat' to='${juliet.bare}'><body>Wake up</body></message>`)
  const pushed = await app.receives(
    `<iq type='set' from='${juliet.bare}' to='${PUSH}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='token'/></pubsub></iq>`,
  )
  assert.doesNotMatch(pushed.xml(''), /romeo|Wake/)
  app.sends(`<iq type='result' id='${pushed.attrs.id}' from='${PUSH}' to='${juliet.bare}'/>`)
  const lost = async (): Promise<readonly [number, boolean]> => {
    const { errors, disabled } =
      (await capulet.store.pushes.list(juliet.jid.bare, 10)).find(({ node }) => node === 'lost') ?? {}
    return [errors ?? 0, disabled ?? true]
  }
  for (let hour = 1; hour <= 5; hour++) {
    while ((await lost())[0] < hour) await capulet.store.durable()
    clock.advance(3_600_000)
    romeo.sends(`<message type='chat' to='${juliet.bare}'><body>Wake up</body></message>`)
    await allSettle(romeo)
  }
  assert.equal((await lost())[1], false)
})

test('for its contacts elsewhere an account that is removed is one that removed them (XEP-0077 §3.2)', async () => {
  const { capulet, juliet, romeo } = await lovers()
  await befriendAcross(juliet, romeo)
  juliet.sends(`<iq type='set' id='r'><query xmlns='jabber:iq:register'><remove/></query></iq>`)
  await juliet.receives(`<iq type='result' id='r'/>`)
  await juliet.isClosed('not-authorized')
  await allSettle(romeo)
  assert.deepEqual(await rosterOf(romeo), [`${juliet.bare} none`])
  assert.equal(await capulet.accounts.find(juliet.jid.bare), undefined)
  assertLike(await romeo.gets(`<query xmlns='jabber:iq:version'/>`, juliet.bare), `<iq type='error'/>`)
})
