// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ListenInfo, ServerInfo } from '../ops/running-server.ts'
import { greeting, linkText } from './up-text.ts'

const listening = (['https', 'http'] as const).map((kind): ListenInfo => {
  const port = kind === 'https' ? 5443 : 5280
  return { kind, host: '::', port, wanted: port }
})
const real: ServerInfo = {
  hosts: ['example.org'],
  listening,
  data: '/var/lib/aenigma',
  trial: false,
  url: undefined,
  authority: undefined,
}

test('the link for the first account is one that a browser can open', () => {
  assert.equal(linkText(real, 'secret'), 'https://example.org:5443/start#secret')
  assert.equal(linkText({ ...real, url: 'https://chat.example.org' }, 's'), 'https://chat.example.org/start#s')
  assert.equal(linkText({ ...real, trial: true, hosts: ['localhost'] }, 's'), 'http://localhost:5280/start#s')
  assert.equal(linkText({ ...real, listening: [] }, 's'), undefined)
  assert.equal(linkText(real, undefined), undefined)
})

test('the greeting tells of it, or where the chat is', () => {
  assert.match(greeting(real, { link: 'https://example.org/start#s' }), /first account in a browser.*#s$/)
  assert.doesNotMatch(greeting(real, {}), /first account/)
  assert.match(greeting({ ...real, trial: true }, {}), /Invite: .* invite/)
  assert.match(greeting({ ...real, trial: true }, {}), /Chat in a browser:\n +http:\/\/localhost:5280\/chat\/\n/)
})
