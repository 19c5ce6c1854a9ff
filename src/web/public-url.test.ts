// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicUrl } from './public-url.ts'

const http = { kind: 'http', port: 5280 }
const https = { kind: 'https', port: 5443 }

test('the address is what the configuration says, else where HTTPS is', () => {
  const url = 'https://files.example.org'
  assert.equal(publicUrl('example.org', { url, trial: false, listening: [http, https] }), url)
  const found = (port: number) =>
    publicUrl('example.org', { url: undefined, trial: false, listening: [http, { kind: 'https', port }] })
  assert.equal(found(5443), 'https://example.org:5443')
  assert.equal(found(443), 'https://example.org')
})

test('an onion service has its own, without TLS, whatever the configuration says of the others', () => {
  const onion = { kind: 'onion', port: 5282 }
  const found = (listening: readonly { kind: string; port: number }[]) =>
    publicUrl('abc.onion', { url: 'https://files.example.org', trial: false, listening })
  assert.equal(found([https, onion]), 'http://abc.onion')
  assert.equal(found([https]), 'https://files.example.org') // somebody else sees to it
  const given = new Map([['abc.onion', 'a certificate by an authority']])
  const reach = { url: undefined, trial: false, listening: [https, onion], given }
  assert.equal(publicUrl('abc.onion', reach), 'https://abc.onion')
})

test('a trial has an address for this machine only, which no certificate stands before', () => {
  const found = (trial: boolean) =>
    publicUrl('localhost', { url: undefined, trial, listening: trial ? [https, http] : [http] })
  assert.equal(found(true), 'http://localhost:5280')
  assert.equal(found(false), undefined)
})
