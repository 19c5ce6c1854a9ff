// SPDX-License-Identifier: Apache-2.0
// XEP-0114: a gateway comes, is let in by its secret, and speaks for its domain.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nothingFor, type Theatre, theatre } from '../../test/support/cast.ts'
import { DOMAIN, Program, SECRET } from '../../test/support/component.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'

function withGateway(more: object = {}): Promise<Theatre> {
  return theatre({ components: new Map([[DOMAIN, { secret: SECRET }]]), ...more })
}

test('a component is let in by its secret, and messages go both ways, to and from any address of its domain', async () => {
  const stage = await withGateway()
  const romeo = await stage.enter('romeo')
  const irc = Program.comes(stage)
  assert.deepEqual({ ...(await irc.header()), id: '' }, { from: DOMAIN, id: '', lang: 'en' })
  irc.link.clientVanishes()
  const again = await Program.comes(stage).joins()
  romeo.sends(`<message type='chat' to='#verona@${DOMAIN}' id='1'><body>Hail</body></message>`)
  await again.receives(
    `<message type='chat' from='${romeo.full}' to='#verona@${DOMAIN}' id='1'><body>Hail</body></message>`,
  )
  again.sends(`<message type='chat' from='juliet@${DOMAIN}/x' to='${romeo.bare}'><body>Farewell</body></message>`)
  await romeo.receives(`<message type='chat' from='juliet@${DOMAIN}/x'><body>Farewell</body></message>`)
})

test('it is asked, asks, and is told of errors like everybody', async () => {
  const stage = await withGateway()
  const romeo = await stage.enter('romeo')
  const irc = await Program.comes(stage).joins()
  romeo.sends(`<iq type='get' id='q' to='${DOMAIN}'><query xmlns='jabber:iq:version'/></iq>`)
  await irc.receives(
    `<iq type='get' id='q' from='${romeo.full}' to='${DOMAIN}'><query xmlns='jabber:iq:version'/></iq>`,
  )
  irc.sends(`<iq type='result' id='q' from='${DOMAIN}' to='${romeo.full}'/>`)
  await romeo.receives(`<iq type='result' id='q' from='${DOMAIN}'/>`)
  irc.sends(`<iq type='get' id='p' from='bot@${DOMAIN}/1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`)
  await irc.receives(`<iq type='result' id='p' from='localhost' to='bot@${DOMAIN}/1'/>`)
  irc.sends(`<message from='${DOMAIN}' to='nobody@localhost' id='m'><body>Hello?</body></message>`)
  await irc.receives(
    `<message type='error' id='m' from='nobody@localhost' to='${DOMAIN}'><error type='cancel'/></message>`,
  )
  irc.sends(`<iq from='${DOMAIN}' to='localhost' id='bad' type='ask'/>`)
  await irc.receives(`<iq type='error' id='bad' from='localhost' to='${DOMAIN}'><error type='modify'/></iq>`)
})

test('presence crosses: subscription, probe, and what was sent to it', async () => {
  const stage = await withGateway()
  const romeo = await stage.enter('romeo')
  const irc = await Program.comes(stage).joins()
  romeo.sends(`<presence type='subscribe' to='mab@${DOMAIN}'/>`)
  await irc.receives(`<presence type='subscribe' from='${romeo.bare}' to='mab@${DOMAIN}'/>`)
  irc.sends(`<presence type='subscribed' from='mab@${DOMAIN}' to='${romeo.bare}'/>`)
  irc.sends(`<presence from='mab@${DOMAIN}/dream' to='${romeo.bare}'><show>away</show></presence>`)
  const push = `<iq type='set'><query xmlns='jabber:iq:roster'><item jid='mab@${DOMAIN}'/></query></iq>`
  await romeo.receivesAll(push, push, `<presence type='subscribed'/>`, `<presence><show>away</show></presence>`)
  irc.sends(`<presence type='probe' from='mab@${DOMAIN}' to='${romeo.bare}'/>`)
  await irc.receives(`<presence type='unsubscribed' from='${romeo.bare}' to='mab@${DOMAIN}'/>`)
  romeo.sends(`<presence to='mab@${DOMAIN}'/>`)
  await irc.receives(`<presence from='${romeo.full}' to='mab@${DOMAIN}'/>`)
  romeo.link.clientCloses()
  await irc.receives(`<presence type='unavailable' from='${romeo.full}' to='mab@${DOMAIN}'/>`)
})

test('it is among what the domain has, and who writes to one that is not connected is told so', async () => {
  const stage = await withGateway()
  const romeo = await stage.enter('romeo')
  const items = await romeo.gets(`<query xmlns='http://jabber.org/protocol/disco#items'/>`, 'localhost')
  assert.ok(items.xml('').includes(`jid='${DOMAIN}'`))
  romeo.sends(`<message to='${DOMAIN}' id='m'><body>Hello?</body></message>`)
  await romeo.receives(
    `<message type='error' id='m' from='${DOMAIN}'><error type='wait'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
  )
  romeo.sends(`<presence to='${DOMAIN}'/>`)
  await nothingFor(romeo)
})

test('whoever is not meant, does not know the secret or says nothing is sent away', async () => {
  const clock = new FakeClock()
  const stage = await withGateway({ clock })
  const wrong = Program.comes(stage)
  await wrong.shakesHands('correct house')
  await wrong.isClosed('not-authorized')
  const unknown = Program.comes(stage)
  await unknown.header('icq.localhost')
  await unknown.isClosed('host-unknown')
  const client = Program.comes(stage)
  await client.header(DOMAIN, 'jabber:client')
  await client.isClosed('invalid-namespace')
  const hasty = Program.comes(stage)
  await hasty.header()
  hasty.sends(`<message from='${DOMAIN}' to='romeo@localhost'><body>Hi</body></message>`)
  await hasty.isClosed('not-authorized')
  const slow = Program.comes(stage)
  await slow.header()
  clock.advance(30_000)
  await slow.isClosed('connection-timeout')
})

test('it speaks for its own domain, and says to whom', async () => {
  const stage = await withGateway()
  const liar = await Program.comes(stage).joins()
  liar.sends(`<message from='romeo@localhost' to='juliet@localhost'><body>It is I</body></message>`)
  await liar.isClosed('invalid-from')
  const nameless = await Program.comes(stage).joins()
  nameless.sends(`<message to='juliet@localhost'><body>Who am I?</body></message>`)
  await nameless.isClosed('improper-addressing')
  const aimless = await Program.comes(stage).joins()
  aimless.sends(`<presence from='${DOMAIN}'/>`)
  await aimless.isClosed('improper-addressing')
  const odd = await Program.comes(stage).joins()
  odd.sends('<log>old times</log>')
  await odd.isClosed('unsupported-stanza-type')
})

test('who connects anew takes the place of what is most likely its own dead connection', async () => {
  const stage = await withGateway()
  const romeo = await stage.enter('romeo')
  const before = await Program.comes(stage).joins()
  const after = await Program.comes(stage).joins()
  await before.isClosed('conflict')
  romeo.sends(`<message to='${DOMAIN}'><body>Are you there?</body></message>`)
  await after.receives(`<message to='${DOMAIN}'><body>Are you there?</body></message>`)
})

test('a reload that takes it away or changes its secret ends its stream, and so does the end of the server', async () => {
  const components = new Map([
    [DOMAIN, { secret: SECRET }],
    ['icq.localhost', { secret: SECRET }],
  ])
  const stage = await theatre({ components })
  const irc = await Program.comes(stage).joins()
  const icq = await Program.comes(stage).joins(SECRET, 'icq.localhost')
  components.set(DOMAIN, { secret: 'battery staple' })
  stage.server.hostsChanged()
  await irc.isClosed('host-gone')
  components.set(DOMAIN, { secret: SECRET })
  const again = await Program.comes(stage).joins()
  components.delete('icq.localhost')
  stage.server.hostsChanged()
  await icq.isClosed('host-gone')
  await stage.restarts()
  await again.isClosed('system-shutdown')
})

test('a subdomain that the configuration names is not ours any more', async () => {
  const stage = await theatre({ components: new Map([['pubsub.localhost', { secret: SECRET }]]) })
  const romeo = await stage.enter('romeo')
  const own = await Program.comes(stage).joins(SECRET, 'pubsub.localhost')
  romeo.sends(`<iq type='get' id='q' to='pubsub.localhost'><query xmlns='jabber:iq:version'/></iq>`)
  await own.receives(`<iq type='get' id='q' from='${romeo.full}'><query xmlns='jabber:iq:version'/></iq>`)
})

test('one with a limit is read no faster, and nothing of it is lost', async () => {
  const clock = new FakeClock()
  const components = new Map([[DOMAIN, { secret: SECRET, bytesPerSecond: 1000 }]])
  const stage = await theatre({ clock, components })
  const romeo = await stage.enter('romeo')
  const irc = await Program.comes(stage).joins()
  const text = 'x'.repeat(6000)
  for (const id of ['1', '2', '3']) {
    irc.sends(
      `<message type='chat' from='juliet@${DOMAIN}/x' to='${romeo.bare}' id='${id}'><body>${text}</body></message>`,
    )
  }
  await romeo.receives(`<message id='1'/>`)
  await romeo.receives(`<message id='2'/>`)
  await nothingFor(romeo)
  clock.advance(10_000)
  await romeo.receives(`<message id='3'/>`)
})
