// SPDX-License-Identifier: Apache-2.0
// Subscriptions between two users of this server (RFC 6121 §3), as the conversations that both sides see.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, nothingFor, theatre } from '../../test/support/cast.ts'
import { befriend, follow, push, rosterOf, rosterSet } from '../../test/support/friends.ts'
import { error } from '../../test/support/match.ts'
import { ping } from '../xep/0199-ping.ts'

const stage = await theatre({ features: [ping], hosts: ['localhost', 'capulet.example'] })

/** A subscription stanza as a client sends it. */
function sub(type: string, to: Actor | string, content = ''): string {
  return `<presence type='${type}' to='${typeof to === 'string' ? to : to.bare}'>${content}</presence>`
}

/** A subscription stanza as it arrives: always from a bare JID (§3). */
function subFrom(type: string, from: Actor, content = ''): string {
  return `<presence type='${type}' from='${from.bare}'>${content}</presence>`
}

function item(contact: Actor, subscription: string, extra = ''): string {
  return `<item jid='${contact.bare}' subscription='${subscription}' ${extra}/>`
}

/** Somebody with an account, a roster and a client, but without presence. */
async function connected(name: string): Promise<Actor> {
  const actor = await stage.enter(name, 'quiet', false)
  await actor.gets(`<query xmlns='jabber:iq:roster'/>`)
  return actor
}

test('a request, its approval, and the same the other way round (§3.1)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(`<presence type='subscribe' id='xk3h1v69' to='${juliet.bare}'/>`)
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  await juliet.receives(`<presence type='subscribe' id='xk3h1v69' from='${romeo.bare}' to='${juliet.bare}'/>`)
  assert.deepEqual(await rosterOf(juliet), [], 'not in the roster of who is only asked')

  juliet.sends(`<presence type='subscribed' id='h4v1c4kj' to='${romeo.bare}'/>`)
  await juliet.receives(push(item(romeo, 'from')))
  await romeo.receives(`<presence type='subscribed' id='h4v1c4kj' from='${juliet.bare}' to='${romeo.bare}'/>`)
  await romeo.receives(push(item(juliet, 'to')))
  await romeo.receives(`<presence from='${juliet.full}' to='${romeo.bare}'/>`)
  assert.deepEqual(await rosterOf(romeo), [`${juliet.bare} to`])

  juliet.sends(sub('subscribe', romeo))
  await juliet.receives(push(item(romeo, 'from', `ask='subscribe'`)))
  await romeo.receives(subFrom('subscribe', juliet))
  romeo.sends(sub('subscribed', juliet))
  await romeo.receives(push(item(juliet, 'both')))
  await juliet.receives(subFrom('subscribed', romeo))
  await juliet.receives(push(item(romeo, 'both')))
  await juliet.receives(`<presence from='${romeo.full}' to='${juliet.bare}'/>`)
  assert.deepEqual(await rosterOf(romeo), [`${juliet.bare} both`])
  assert.deepEqual(await rosterOf(juliet), [`${romeo.bare} both`])
  await nothingFor(romeo, juliet)
})

test('all clients of both take part: requests go to the available, the rest to the interested (§2.2)', async () => {
  const { romeo, phone, balcony, chamber } = await stage.scene(
    'romeo',
    { phone: 'romeo' },
    { balcony: 'juliet' },
    { chamber: 'juliet' },
  )
  const quiet = await connected(balcony.bare)
  await balcony.settles()
  await romeo.settles()
  romeo.sends(sub('subscribe', balcony))
  for (const client of [romeo, phone]) await client.receives(push(item(balcony, 'none', `ask='subscribe'`)))
  for (const client of [balcony, chamber]) await client.receives(subFrom('subscribe', romeo))
  chamber.sends(sub('subscribed', romeo))
  for (const client of [balcony, chamber, quiet]) await client.receives(push(item(romeo, 'from')))
  for (const client of [romeo, phone]) {
    await client.receives(subFrom('subscribed', balcony))
    await client.receives(push(item(balcony, 'to')))
    await client.receivesAll(`<presence from='${balcony.full}'/>`, `<presence from='${chamber.full}'/>`)
  }
  await nothingFor(romeo, phone, balcony, chamber, quiet)
})

test('a request is denied (§3.2), and who denies never had the other in the roster', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(sub('subscribe', juliet))
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  await juliet.receives(subFrom('subscribe', romeo))
  juliet.sends(sub('unsubscribed', romeo))
  await romeo.receives(subFrom('unsubscribed', juliet))
  await romeo.receives(push(item(juliet, 'none')))
  assert.deepEqual(await rosterOf(romeo), [`${juliet.bare} none`])
  assert.deepEqual(await rosterOf(juliet), [])
  await nothingFor(romeo, juliet)
})

test('a request is taken back (§3.3), and is not heard of again', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(sub('subscribe', juliet))
  await romeo.settles()
  await juliet.receives(subFrom('subscribe', romeo))
  romeo.sends(sub('unsubscribe', juliet))
  await romeo.receives(push(item(juliet, 'none')))
  await juliet.receives(subFrom('unsubscribe', romeo))
  const chamber = await stage.enter(juliet.bare, 'chamber', false)
  chamber.sends('<presence/>')
  assert.deepEqual(
    (await chamber.hearsOut()).filter((element) => element.attrs.type === 'subscribe'),
    [],
  )
})

test('a subscription is cancelled: first unavailable, then unsubscribed, then the push (§3.2.2, §3.2.3)', async () => {
  const { romeo, balcony, chamber } = await stage.scene('romeo', { balcony: 'juliet' }, { chamber: 'juliet' })
  await befriend(romeo, balcony)
  await chamber.settles()
  balcony.sends(sub('unsubscribed', romeo))
  await romeo.receivesAll(
    `<presence type='unavailable' from='${balcony.full}'/>`,
    `<presence type='unavailable' from='${chamber.full}'/>`,
  )
  await romeo.receives(subFrom('unsubscribed', balcony))
  await romeo.receives(push(item(balcony, 'from')))
  for (const client of [balcony, chamber]) await client.receives(push(item(romeo, 'to')))
  await nothingFor(romeo, balcony, chamber)
  balcony.sends(`<presence><show>away</show></presence>`)
  await balcony.settles()
  await romeo.receivesNothing()
})

test('somebody unsubscribes: the other is told, then the push; its presence is withdrawn (§3.3)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  await befriend(romeo, juliet)
  romeo.sends(sub('unsubscribe', juliet))
  await romeo.receivesAll(
    push(item(juliet, 'from')),
    `<presence type='unavailable' from='${juliet.full}' to='${romeo.bare}'/>`,
  )
  await juliet.receives(subFrom('unsubscribe', romeo))
  await juliet.receives(push(item(romeo, 'to')))
  await nothingFor(romeo, juliet)
})

test('stanzas that change nothing are not delivered (appendix A.3)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  for (const type of ['unsubscribe', 'unsubscribed']) romeo.sends(sub(type, juliet))
  await nothingFor(romeo, juliet)
  assert.deepEqual(await rosterOf(romeo), [])
  await follow(romeo, juliet)
  juliet.sends(sub('subscribed', romeo))
  await nothingFor(juliet, romeo)
})

test('a request that waits is delivered once, however often it is repeated', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(sub('subscribe', juliet))
  romeo.sends(sub('subscribe', juliet))
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  await romeo.receivesNothing()
  await juliet.receives(subFrom('subscribe', romeo))
  await juliet.receivesNothing()
})

test('who is subscribed already and asks again is told the presence again; nobody is bothered (§3.1.3)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  await follow(romeo, juliet)
  romeo.sends(sub('subscribe', juliet))
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  await nothingFor(romeo, juliet)
  assert.deepEqual(await rosterOf(romeo), [`${juliet.bare} to`])
})

test('a request waits for a contact that is away, whole, once, until it is answered (§3.1.3)', async () => {
  const { romeo } = await stage.scene('romeo')
  const name = `away-${romeo.jid.local}`
  const juliet = await stage.account(name)
  romeo.sends(
    sub('subscribe', `${juliet}`, `<status>It is I</status><nick xmlns='http://jabber.org/protocol/nick'>R</nick>`),
  )
  await romeo.receives(push(`<item jid='${juliet}' subscription='none' ask='subscribe'/>`))
  romeo.sends(sub('subscribe', `${juliet}`, '<status>Still I</status>'))
  await romeo.receivesNothing()

  const request = `<presence type='subscribe' from='${romeo.bare}' to='${juliet}'><status>It is I</status><nick xmlns='http://jabber.org/protocol/nick'>R</nick></presence>`
  for (const resource of ['balcony', 'chamber']) {
    const client = await stage.enter(name, resource, false)
    await client.receivesNothing()
    client.sends('<presence/>')
    await client.receivesAll(`<presence from='${juliet}/${resource}'/>`, request)
    await client.receivesNothing()
    client.link.clientCloses()
    await client.isClosed(undefined)
  }
  const client = await stage.enter(name, 'garden', false)
  assert.deepEqual(await rosterOf(client), [])
  client.sends('<presence/>')
  await client.receivesAll(`<presence from='${juliet}/garden'/>`, request)
  client.sends(sub('subscribed', romeo))
  await client.receives(push(item(romeo, 'from')))
  await romeo.receives(`<presence type='subscribed' from='${juliet}'/>`)
  const later = await stage.enter(name, 'later', false)
  later.sends('<presence/>')
  assert.deepEqual(
    (await later.hearsOut()).filter((element) => element.attrs.type === 'subscribe'),
    [],
  )
})

test('an approval reaches who is away: roster now, no stanza later', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(sub('subscribe', juliet))
  romeo.link.clientCloses()
  await juliet.receives(subFrom('subscribe', romeo))
  juliet.sends(sub('subscribed', romeo))
  await juliet.receives(push(item(romeo, 'from')))
  const again = await connected(romeo.bare)
  assert.deepEqual(await rosterOf(again), [`${juliet.bare} to`])
  again.sends('<presence/>')
  await again.receivesAll(`<presence from='${again.full}'/>`, `<presence from='${juliet.full}'/>`)
  await again.receivesNothing()
})

test('a request approved in advance is granted without asking, once (§3.4)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  juliet.sends(sub('subscribed', romeo))
  await juliet.receives(push(item(romeo, 'none', `approved='true'`)))
  await romeo.receivesNothing()
  romeo.sends(sub('subscribe', juliet))
  await juliet.receives(push(item(romeo, 'from')))
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  await romeo.receives(subFrom('subscribed', juliet))
  await romeo.receives(push(item(juliet, 'to')))
  await romeo.receives(`<presence from='${juliet.full}'/>`)
  await nothingFor(romeo, juliet)
  assert.deepEqual(await rosterOf(juliet), [`${romeo.bare} from`])
})

test('an approval in advance is taken back unseen (§3.2.2)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  juliet.sends(sub('subscribed', romeo))
  await juliet.receives(push(item(romeo, 'none', `approved='true'`)))
  juliet.sends(sub('unsubscribed', romeo))
  await juliet.receives(push(item(romeo, 'none')))
  assert.deepEqual(await rosterOf(juliet), [`${romeo.bare} none`])
  await romeo.receivesNothing()
  romeo.sends(sub('subscribe', juliet))
  await juliet.receives(subFrom('subscribe', romeo))
})

test('a roster set and a request may come in either order (§3.1.1)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(sub('subscribe', juliet))
  romeo.sends(rosterSet(`<item jid='${juliet.bare}' name='Juliet'/>`))
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  await romeo.receivesAll(push(item(juliet, 'none', `ask='subscribe' name='Juliet'`)), `<iq type='result' id='set'/>`)
  juliet.sends(rosterSet(`<item jid='${romeo.bare}' name='Romeo'/>`))
  await juliet.receives(subFrom('subscribe', romeo))
  await juliet.receivesAll(push(item(romeo, 'none', `name='Romeo'`)), `<iq type='result' id='set'/>`)
  juliet.sends(sub('subscribed', romeo))
  await juliet.receives(push(item(romeo, 'from', `name='Romeo'`)))
})

test('who does not exist looks like somebody who is away: no answer (§8.5.1)', async () => {
  const { romeo } = await stage.scene('romeo')
  const away = await stage.account(`away2-${romeo.jid.local}`)
  for (const contact of [`nobody-${romeo.jid.local}@localhost`, `${away}`]) {
    for (const type of ['subscribe', 'unsubscribe']) {
      romeo.sends(sub(type, contact))
      await romeo.receives(
        push(`<item jid='${contact}' subscription='none' ${type === 'subscribe' ? `ask='subscribe'` : ''}/>`),
      )
      await romeo.receivesNothing()
    }
  }
})

test('a request to another server is refused while there is no way to it (§3.1.2)', async () => {
  const { romeo } = await stage.scene('romeo')
  romeo.sends(`<presence type='subscribe' id='s' to='juliet@remote.example'/>`)
  await romeo.receives(
    `<presence type='error' id='s' from='juliet@remote.example'>${error('cancel', 'remote-server-not-found')}</presence>`,
  )
  await romeo.receivesNothing()
  assert.deepEqual(await rosterOf(romeo), [])
})

test("a request to one's own account does nothing: one sees oneself anyway (§4.2.2)", async () => {
  const { romeo } = await stage.scene('romeo')
  for (const type of ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed']) romeo.sends(sub(type, romeo))
  await romeo.receivesNothing()
  assert.deepEqual(await rosterOf(romeo), [])
})

test('a request to nobody in particular is a mistake', async () => {
  const { romeo } = await stage.scene('romeo')
  romeo.sends(`<presence type='subscribe' id='s'/>`)
  await romeo.receives(`<presence type='error' id='s'>${error('modify', 'bad-request')}</presence>`)
})

test('the resource in the address of a request is left out (§3.1.2)', async () => {
  const { romeo, juliet, chamber } = await stage.scene('romeo', 'juliet', { chamber: 'juliet' })
  await juliet.settles()
  romeo.sends(sub('subscribe', juliet.full))
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  for (const client of [juliet, chamber]) {
    await client.receives(`<presence type='subscribe' from='${romeo.bare}' to='${juliet.bare}'/>`)
  }
})

test('a contact removed from the roster loses both subscriptions (§2.5.2)', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  await befriend(romeo, juliet)
  romeo.sends(rosterSet(`<item jid='${juliet.bare}' subscription='remove'/>`))
  const heard = await romeo.hearsOut()
  const pushes = heard.filter((element) => element.attrs.type === 'set').map((element) => element.xml('jabber:client'))
  assert.match(pushes.at(-1) ?? '', /subscription='remove'/)
  assert.ok(heard.some((element) => element.attrs.type === 'unavailable' && element.attrs.from === juliet.full))
  assert.ok(heard.some((element) => element.attrs.type === 'result' && element.attrs.id === 'set'))

  await juliet.receives(subFrom('unsubscribe', romeo))
  await juliet.receives(push(item(romeo, 'to')))
  await juliet.receives(`<presence type='unavailable' from='${romeo.full}'/>`)
  await juliet.receives(subFrom('unsubscribed', romeo))
  await juliet.receives(push(item(romeo, 'none')))
  await nothingFor(romeo, juliet)
  assert.deepEqual(await rosterOf(romeo), [])
  assert.deepEqual(await rosterOf(juliet), [`${romeo.bare} none`])
})

test('a request ends with the item that is removed, on either side', async () => {
  const { romeo, juliet } = await stage.scene('romeo', 'juliet')
  romeo.sends(sub('subscribe', juliet))
  await romeo.settles()
  await juliet.receives(subFrom('subscribe', romeo))
  await romeo.sets(`<query xmlns='jabber:iq:roster'><item jid='${juliet.bare}' subscription='remove'/></query>`)
  await juliet.receives(subFrom('unsubscribe', romeo))
  await juliet.receivesNothing()

  romeo.sends(sub('subscribe', juliet))
  await juliet.receives(subFrom('subscribe', romeo))
  await romeo.settles()
  await juliet.sets(`<query xmlns='jabber:iq:roster'><item jid='${romeo.bare}'/></query>`)
  await juliet.sets(`<query xmlns='jabber:iq:roster'><item jid='${romeo.bare}' subscription='remove'/></query>`)
  await romeo.receives(subFrom('unsubscribed', juliet))
  await romeo.receives(push(item(juliet, 'none')))
})

test('users of two domains of this server are contacts like any others', async () => {
  const { romeo } = await stage.scene('romeo')
  const juliet = await stage.enter('juliet@capulet.example')
  romeo.sends(sub('subscribe', juliet))
  await juliet.receives(subFrom('subscribe', romeo))
  juliet.sends(sub('subscribed', romeo))
  await romeo.receives(push(item(juliet, 'none', `ask='subscribe'`)))
  await romeo.receives(subFrom('subscribed', juliet))
})

test('a roster that is full takes no more requests, and its owner sees none', async () => {
  const small = await theatre({ features: [ping], limits: { rosterItems: 1 } })
  const { romeo, tybalt, juliet } = await small.scene('romeo', 'tybalt', 'juliet')
  romeo.sends(sub('subscribe', juliet))
  await juliet.receives(subFrom('subscribe', romeo))
  tybalt.sends(sub('subscribe', juliet))
  await tybalt.settles()
  await juliet.receivesNothing()
  tybalt.sends(`<presence type='subscribe' id='s' to='${romeo.bare}'/>`)
  await tybalt.receives(`<presence type='error' id='s'>${error('wait', 'resource-constraint')}</presence>`)
})
