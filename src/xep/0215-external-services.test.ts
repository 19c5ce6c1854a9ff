// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { theatre } from '../../test/support/cast.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { assertLike } from '../../test/support/match.ts'
import { ConfigError, loadConfig } from '../config/load.ts'
import { externalServices, temporaryCredentials } from './0215-external-services.ts'

const NS = 'urn:xmpp:extdisco:2'
const OPTIONS = {
  externalServices: [
    { type: 'stun', host: 'stun.example.org' },
    { type: 'turn', host: 'turn.example.org', port: 3479, transport: 'tcp', secret: 'north', ttl: 86_400 },
    { type: 'turns', host: 'relay.example.net', username: 'guest', password: 'welcome' },
  ],
}
/** Made with `openssl dgst -sha1 -hmac north`, at the first second of 2026. */
const JULIET = `username='1767312000:zIbUodcHscw1fWXs' password='NYP2t8hiVFXlm7sulfqmN/M2g0w='`

const stage = () => theatre({ options: OPTIONS, clock: new FakeClock() })

test('a user gets all services, with credentials that end', async () => {
  const juliet = await (await stage()).enter('juliet')
  assertLike(
    await juliet.gets(`<services xmlns='${NS}'/>`, 'localhost'),
    `<iq type='result'><services xmlns='${NS}'>
      <service type='stun' host='stun.example.org' port='3478' transport='udp'/>
      <service type='turn' host='turn.example.org' port='3479' transport='tcp' restricted='true'
        expires='2026-01-02T00:00:00Z' ${JULIET}/>
      <service type='turns' host='relay.example.net' port='5349' transport='tcp' username='guest' password='welcome'/>
    </services></iq>`,
  )
})

test('or those of one type, or the credentials of one', async () => {
  const juliet = await (await stage()).enter('juliet')
  const turn = await juliet.gets(`<services xmlns='${NS}' type='turn'/>`, 'localhost')
  assertLike(
    turn,
    `<iq type='result'><services xmlns='${NS}' type='turn'><service host='turn.example.org'/></services></iq>`,
  )
  assert.equal(turn.child('services', NS)?.elements.length, 1)
  const credentials = (attrs: string) => `<credentials xmlns='${NS}'><service ${attrs}/></credentials>`
  assertLike(
    await juliet.gets(credentials(`host='turn.example.org' type='turn'`), 'localhost'),
    `<iq type='result'><credentials xmlns='${NS}'><service host='turn.example.org' ${JULIET}/></credentials></iq>`,
  )
  for (const [attrs, type] of [
    [`host='turn.example.org' type='turn' port='1'`, 'cancel'],
    [`host='nowhere' type='turn'`, 'cancel'],
    [`host='turn.example.org'`, 'modify'],
  ] as const) {
    assertLike(await juliet.gets(credentials(attrs), 'localhost'), `<iq type='error'><error type='${type}'/></iq>`)
  }
})

test('credentials are what a TURN server with the same secret computes', () => {
  const { username, password } = temporaryCredentials('north', 1_767_312_000, 'juliet@localhost')
  assert.match(username, /^1767312000:[\w-]{16}$/)
  assert.equal(password, createHmac('sha1', 'north').update(username).digest('base64'))
  assert.doesNotMatch(username, /juliet/)
  assert.notEqual(username, temporaryCredentials('north', 1_767_312_000, 'romeo@localhost').username)
})

function mistakesOf(services: string): string {
  const text = `domain: example.org\ncertificate: { cert: a, key: b }\nexternalServices:\n${services}`
  try {
    loadConfig(text, { file: 'x.yaml', features: [externalServices] })
    return ''
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.message
  }
}

test('mistakes in the configuration are told, secrets are not', () => {
  assert.equal(mistakesOf('  - { type: turn, host: t.example.org, secret: s3cr3t }'), '')
  assert.match(mistakesOf('  - { type: tunr, host: t }'), /did you mean turn\?/)
  assert.match(mistakesOf('  - { type: turn, host: t, secert: x }'), /did you mean secret\?/)
  assert.match(mistakesOf('  - { type: turn, host: t, username: x }'), /username and password belong together/)
  assert.match(mistakesOf('  - { type: turn, host: t, secret: x, username: x, password: x }'), /either secret/)
  const wrong = mistakesOf(
    '  - { type: turn, host: t, secret: 12345678 }\n  - { type: turn, host: t, password: [s3cr3t] }',
  )
  assert.match(wrong, /the secret must be text/)
  assert.doesNotMatch(wrong, /12345678|s3cr3t/)
})
