// SPDX-License-Identifier: Apache-2.0
import { test } from 'node:test'
import { cast, theatre } from '../../test/support/cast.ts'
import { assertLike } from '../../test/support/match.ts'

const ASK = `<vCard xmlns='vcard-temp'/>`
const CARD = `<vCard xmlns='vcard-temp'><FN>JeremieMiller</FN><N><GIVEN>Jeremie</GIVEN><FAMILY>Miller</FAMILY><MIDDLE/></N><NICKNAME>jer</NICKNAME></vCard>`

function refused(type: string, condition: string): string {
  return `<iq type='error'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`
}

test('its owner writes it and everybody reads it (§3)', async () => {
  const { jer, stpeter } = await cast('jer', 'stpeter')
  assertLike(await jer.sets(CARD), `<iq type='result'/>`)
  assertLike(await jer.gets(ASK), `<iq type='result'>${CARD}</iq>`)
  assertLike(await stpeter.gets(ASK, jer.bare), `<iq type='result' from='${jer.bare}'>${CARD}</iq>`)
  assertLike(await jer.sets(`<vCard xmlns='vcard-temp'><FN>Jer</FN></vCard>`, jer.bare), `<iq type='result'/>`)
  assertLike(await stpeter.gets(ASK, jer.bare), `<iq type='result'><vCard xmlns='vcard-temp'><FN>Jer</FN></vCard></iq>`)
})

test('one’s own that is missing is not found; of others it looks as if they did not exist (§3.1, §3.3)', async () => {
  const { jer, stpeter } = await cast('jer', 'stpeter')
  assertLike(await jer.gets(ASK), refused('cancel', 'item-not-found'))
  assertLike(await stpeter.gets(ASK, jer.bare), refused('cancel', 'service-unavailable'))
  assertLike(await stpeter.gets(ASK, 'nobody@localhost'), refused('cancel', 'service-unavailable'))
  assertLike(await stpeter.gets(ASK, 'localhost'), refused('cancel', 'service-unavailable'))
})

test('nobody writes another one’s (§3.2), nor learns by trying whether there is an account', async () => {
  const { jer, stpeter } = await cast('jer', 'stpeter')
  for (const to of [jer.bare, 'nobody@localhost']) {
    assertLike(await stpeter.sets(CARD, to), refused('cancel', 'service-unavailable'))
  }
  assertLike(await jer.gets(ASK), refused('cancel', 'item-not-found'))
})

test('a card that is too large is refused, and the old one stays', async () => {
  const stage = await theatre({ limits: { privateBytes: 500 } })
  const jer = await stage.enter('jer')
  assertLike(await jer.sets(CARD), `<iq type='result'/>`)
  const large = `<vCard xmlns='vcard-temp'><DESC>${'A'.repeat(500)}</DESC></vCard>`
  assertLike(await jer.sets(large), refused('wait', 'resource-constraint'))
  assertLike(await jer.gets(ASK), `<iq type='result'>${CARD}</iq>`)
})
