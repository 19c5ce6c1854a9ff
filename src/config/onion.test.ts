// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withOnion, withoutOnion } from './onion.ts'

const ONION = `${'a'.repeat(56)}.onion`
const PROXY = '127.0.0.1:9050'

test('an onion name joins a domain, and what somebody wrote stays', () => {
  const text = '# Ours\ndomain: example.org # since 2026\n\n# Few may come.\nlimits: {connectionsPerAddress: 20}\n'
  const more = withOnion(text, ONION, PROXY)
  assert.equal(
    more,
    `# Ours\nhosts: [example.org, ${ONION}] # since 2026\n\n# Few may come.\nlimits: {connectionsPerAddress: 20}\nfederation:\n  onionProxy: ${PROXY}\n`,
  )
  assert.equal(withOnion(more, ONION, PROXY), more)
  assert.equal(withoutOnion(more, ONION, PROXY), text)
})

test('among several domains it is one more, and goes alone', () => {
  const text = `hosts:\n  - example.org # the first\n  - example.net\nfederation:\n  onionProxy: 127.0.0.1:9150 # of the browser\n`
  const more = withOnion(text, ONION, PROXY)
  assert.equal(more, text.replace('- example.net\n', `- example.net\n  - ${ONION}\n`))
  assert.equal(withoutOnion(more, ONION, PROXY), text)
})
