// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import * as v from 'valibot'
import { ConfigError, loadConfig, readConfig } from './load.ts'
import { trialConfig } from './trial.ts'

const CERTIFICATE = 'certificate: {cert: x.crt, key: /etc/x.key}\n'
const registration = {
  name: 'registration',
  options: { registration: v.optional(v.picklist(['closed', 'open']), 'closed') },
}
const options = { file: '/srv/aenigma.yaml', features: [registration] }

/** What is said about a file, without its name. */
function complaints(text: string): readonly string[] {
  try {
    loadConfig(text, options)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.message.split('\n').map((line) => line.replace('/srv/aenigma.yaml:', ''))
  }
}

test('one line and a certificate are a whole configuration', () => {
  const config = loadConfig(`domain: Example.ORG\n${CERTIFICATE}`, options)
  assert.deepEqual(config.hosts, ['example.org'])
  assert.equal(config.data, '/srv/data')
  assert.deepEqual([...config.certificates], [['example.org', { cert: '/srv/x.crt', key: '/etc/x.key' }]])
  assert.deepEqual(config.listen, {
    starttls: [{ host: '::', port: 5222 }],
    tls: [{ host: '::', port: 5223 }],
    proxy: [{ host: '::', port: 7777 }],
    components: [{ host: '127.0.0.1', port: 5347 }],
    servers: [{ host: '::', port: 5269 }],
    serversTls: [{ host: '::', port: 5270 }],
    shared: [],
    redirect: [],
    dns: [],
    https: [{ host: '::', port: 5443 }],
    http: [{ host: '127.0.0.1', port: 5280 }],
    metrics: [{ host: '127.0.0.1', port: 5281 }],
    onion: [{ host: '127.0.0.1', port: 5282 }],
    nextFreePort: false,
  })
  assert.deepEqual(config.store, { kind: 'sqlite' })
  assert.equal(config.limits.stanzaBytes, 262_144)
  assert.equal(config.limits.loginTimeout, 60_000)
  assert.deepEqual([config.federation.enabled, config.federation.trust], [true, 'certificate'])
  assert.deepEqual(config.features, { registration: 'closed' })
  assert.equal(config.trial, false)
  assert.equal(config.moved.size, 0)
})

test('an onion service needs no certificate, and gets none that is for all domains', () => {
  const given = '{cert: x.crt, key: x.key}'
  for (const more of [
    '',
    `certificate: ${given}\n`,
    `certificates: {example.org: ${given}}\n`,
    `certificates: {example.org: ${given}, abc.onion: ${given}}\n`,
  ]) {
    const { certificates } = loadConfig(`hosts: [example.org, abc.onion]\n${more}`, options)
    assert.equal(certificates.has('abc.onion'), more.includes('abc.onion'), more)
    assert.equal(certificates.has('example.org'), more !== '', more)
  }
})

test('one line is a whole configuration: certificates are got by the ports that this takes', () => {
  const { acme, certificates, listen } = loadConfig('domain: example.org', options)
  assert.deepEqual([...certificates], [])
  assert.deepEqual([listen.shared, listen.redirect], [[{ host: '::', port: 443 }], [{ host: '::', port: 80 }]])
  assert.equal(acme?.directory, 'https://acme-v02.api.letsencrypt.org/directory')
  assert.equal(acme?.staging, 'https://acme-staging-v02.api.letsencrypt.org/directory')
  const delegated = loadConfig('domain: example.org\nacme: {challenge: delegated}', options)
  assert.deepEqual([delegated.listen.dns, delegated.acme?.wildcard], [[{ host: '::', port: 53 }], true])
  const own = loadConfig('domain: a.test\nlisten: {shared: []}\nacme: {authority: https://ca.test/dir}', options)
  assert.deepEqual([own.listen.shared, own.acme?.directory, own.acme?.staging], [[], 'https://ca.test/dir', undefined])
  assert.equal(loadConfig(`domain: example.org\n${CERTIFICATE}`, options).acme, undefined)
  const none = 'and no authority gives one for it: write certificate: with cert: and key: below it'
  assert.deepEqual(complaints('hosts: [a.example, "[::1]", example.org]'), [
    `1: the certificate of a.example is missing, ${none}`,
    `1: the certificate of [::1] is missing, ${none}`,
  ])
  assert.deepEqual(complaints('domain: example.org\nacme: {authority: http://ca.test/}'), [
    '2: acme.authority: must be one of letsencrypt, letsencrypt-staging, or the URL of a directory',
  ])
})

test('values are written as people write them', () => {
  const config = loadConfig(
    `hosts: [a.example, müller.example]
certificates:
  a.example: {cert: a.crt, key: a.key}
  Müller.example: {cert: m.crt, key: m.key}
data: /var/lib/aenigma
listen:
  starttls: ['192.0.2.1:5222', '[2001:db8::1]:5222', ':5322']
  tls: []
  http: 8080
store: {postgres: 'postgres://aenigma@db/aenigma'}
limits: {loginTimeout: 1.5m, idleTimeout: 3600, stanzaBytes: 65536, sendQueueBytes: 1MB}
admins: romeo@a.example
contacts: {abuse: [mailto:abuse@a.example, 'https://a.example/abuse'], support: 'xmpp:help@a.example?join'}
registration: open
`,
    options,
  )
  assert.deepEqual([...config.certificates.keys()], ['a.example', 'müller.example'])
  assert.equal(config.certificates.get('müller.example')?.key, '/srv/m.key')
  assert.equal(config.data, '/var/lib/aenigma')
  assert.deepEqual(
    config.listen.starttls.map(({ host }) => host),
    ['192.0.2.1', '2001:db8::1', '::'],
  )
  assert.deepEqual(config.listen.tls, [])
  assert.deepEqual(config.listen.http, [{ host: '::', port: 8080 }])
  assert.deepEqual(config.store, { kind: 'postgres', url: 'postgres://aenigma@db/aenigma' })
  const { loginTimeout, idleTimeout, stanzaBytes, sendQueueBytes } = config.limits
  assert.deepEqual([loginTimeout, idleTimeout, stanzaBytes, sendQueueBytes], [90_000, 3_600_000, 65_536, 1_000_000])
  assert.deepEqual(config.admins, ['romeo@a.example'])
  assert.deepEqual(config.contacts.support, ['xmpp:help@a.example?join'])
  assert.deepEqual(config.features, { registration: 'open' })
})

test('a certificate is found in whatever way its domain is written', () => {
  const config = loadConfig(
    `hosts: [müller.example, xn--mnchen-3ya.example]
certificates:
  xn--mller-kva.example: {cert: m.crt, key: m.key}
  MÜNCHEN.example: {cert: c.crt, key: c.key}
`,
    options,
  )
  const keys = [...config.certificates].map(([host, { key }]) => `${host} ${key}`)
  assert.deepEqual(keys, ['müller.example /srv/m.key', 'xn--mnchen-3ya.example /srv/c.key'])
})

const MISTAKES: Readonly<Record<string, readonly [text: string, ...messages: string[]]>> = {
  'an empty file': ['', '1: the domain is missing: write domain: example.org'],
  'no certificate': [
    'domain: a.example',
    '1: the certificate of a.example is missing, and no authority gives one for it: write certificate: with cert: and key: below it',
  ],
  'a list': ['- domain', '1: must be a list of options such as domain: example.org'],
  'both ways to name the domain': [
    `domain: a.example\nhosts: [b.example]\n${CERTIFICATE}`,
    '2: hosts: give either domain or hosts, not both',
  ],
  'both ways to name certificates': [
    `domain: a.example\n${CERTIFICATE}certificates: {a.example: {cert: a, key: b}}`,
    '3: certificates: give either certificate or certificates, not both',
  ],
  'a domain that is none': [
    `domain: me@example.org\n${CERTIFICATE}`,
    '1: domain: must be a domain such as example.org',
  ],
  'a domain twice': [
    `hosts:\n- a.example\n- A.example\n${CERTIFICATE}`,
    '3: hosts[1]: a.example is in the list already',
  ],
  'a certificate for somebody else': [
    'hosts: [a.example]\ncertificates:\n  a.exmple: {cert: x, key: y}',
    '2: certificates: the certificate of a.example is missing',
    '3: certificates.a.exmple: this is none of our domains; did you mean a.example?',
  ],
  'a domain twice, once in A-labels': [
    `hosts: [müller.example, xn--mller-kva.example]\n${CERTIFICATE}`,
    '1: hosts[1]: xn--mller-kva.example is in the list already',
  ],
  'a move of somebody else, and to nowhere': [
    `hosts: [a.example, b.example]
${CERTIFICATE}moved:
  a.exmple: c.example
  a.example: 'c.example:99999'
  B.example: '::1'`,
    '4: moved.a.exmple: this is none of our domains; did you mean a.example?',
    ...['5: moved.a.example', '6: moved.B.example'].map(
      (place) =>
        `${place}: must be where to connect, such as new.example.org, new.example.org:5222 or [2001:db8::1]:5222`,
    ),
  ],
  'moves that are no table': [
    `domain: a.example\n${CERTIFICATE}moved: c.example`,
    '3: moved: must be a group of options, not "c.example"',
  ],
  'broken YAML': ['domain: x\n\tfoo: 3', '2: this is not YAML: tabs are not allowed as indentation'],
  'a key twice': [`domain: a.example\n${CERTIFICATE}domain: b.example`, '3: domain stands here a second time'],
  'unknown keys, also of features': [
    `domain: a.example\n${CERTIFICATE}limts: {}\nregistratoin: open\nlisten: {startls: 5222}`,
    '3: limts: there is no such option; did you mean limits?',
    '4: registratoin: there is no such option; did you mean registration?',
    '5: listen.startls: there is no such option; did you mean starttls?',
  ],
  'an unknown key like no other': [
    `domain: a.example\n${CERTIFICATE}log: {zzzzzzzzzz: 1}`,
    '3: log.zzzzzzzzzz: there is no such option; known are level',
  ],
  'a word that is none of the choices': [
    `domain: a.example\n${CERTIFICATE}registration: opne\nlog: {level: wran}`,
    '3: registration: must be one of closed, open; did you mean open?',
    '4: log.level: must be one of debug, info, warn, error, silent; did you mean warn?',
  ],
  'values of the wrong kind': [
    `domain: a.example\n${CERTIFICATE}limits: 7\naccounts: {sha1: 'no'}\nadmins: [x, 3]\ncontacts: {abuse: foo}\nstore: mysql`,
    '3: limits: must be a group of options, not 7',
    '4: accounts.sha1: must be true or false, not "no"',
    '5: admins[0]: must be an account such as admin@example.org',
    '5: admins[1]: must be text',
    '6: contacts.abuse: must be a URI such as mailto:abuse@example.org',
    '7: store: must be sqlite, or postgres: with a URL such as postgres://user@host/database',
  ],
  'numbers out of bounds are never clamped': [
    `domain: a.example\n${CERTIFICATE}limits:\n  stanzaBytes: 3\n  loginTimeout: 5parsecs\n  depth: 4000\n  attributes: many`,
    '4: limits.stanzaBytes: must be at least 10000',
    '5: limits.loginTimeout: must be a time such as 30s, 5m, 2h or 1d',
    '6: limits.depth: must be at most 1000',
    '7: limits.attributes: must be a whole number such as 100',
  ],
  'bad addresses': [
    `domain: a.example\n${CERTIFICATE}listen:\n  tls: [5223, 'x:y', 0, '1.2.3.4:99999']\n  http:`,
    '4: listen.tls[1]: must be an address such as [::]:5222, 127.0.0.1:5222 or 5222',
    '4: listen.tls[2]: must be an address such as [::]:5222, 127.0.0.1:5222 or 5222',
    '4: listen.tls[3]: must be an address such as [::]:5222, 127.0.0.1:5222 or 5222',
    '5: listen.http: must be address or a list',
  ],
  'components that cannot be': [
    `domain: a.example\n${CERTIFICATE}components:\n  A.example: {secret: long enough}\n  'x y': {secret: long enough}\n  b.example: {secret: short}\n  c.example: {}`,
    '4: components.A.example: this is one of our own domains',
    '5: components.x y: must be a domain such as irc.example.org',
    '6: components.b.example.secret: must have at least 8 characters',
    '7: components.c.example.secret: is missing',
  ],
  'other servers that cannot be': [
    `domain: a.example\n${CERTIFICATE}federation:\n  trust: everybody\n  block: [spam.example, '*.*.example', '[::1]']\n  allow: 5\n  queueTime: 1s`,
    '4: federation.trust: must be one of certificate, dialback',
    '5: federation.block[1]: must be a domain such as example.org, or *.example.org for all below it',
    '5: federation.block[2]: must be a domain such as example.org, or *.example.org for all below it',
    '6: federation.allow: must be text',
    '7: federation.queueTime: must be at least 10s',
  ],
  'a proof in the DNS by nobody': [
    'domain: a.example.org\nacme:\n  challenge: dns-01',
    '3: acme.challenge: dns-01 takes somebody who keeps the zone: see dns.provider',
  ],
  'a key of an account that is none': [
    'domain: a.example.org\nacme:\n  eab: { kid: a, key: short }',
    '3: acme.eab.key: must be a key in base64url',
  ],
  'half a certificate': ['domain: a.example\ncertificate:\n  cert: a', '2: certificate.key: is missing'],
}

for (const [what, [text, ...messages]] of Object.entries(MISTAKES)) {
  test(`mistakes: ${what}`, () => assert.deepEqual(complaints(text), messages))
}

test('two features cannot claim the same option, nor one of ours', () => {
  const twice = { file: 'x', features: [registration, { ...registration, name: 'other' }] }
  assert.throws(() => loadConfig('', twice), /other: the option registration exists already/)
  const ours = { file: 'x', features: [{ name: 'bad', options: { domain: v.string() } }] }
  assert.throws(() => loadConfig('', ours), /bad: the option domain exists already/)
})

test('files that cannot be read are mistakes', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-config-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'aenigma.yaml')
  await assert.rejects(readConfig({ file, features: [] }), /aenigma\.yaml:1: cannot be read: there is no such file/)
  writeFileSync(file, 'domain: a.example\ncertificate:\n  cert: a.crt\n  key: a.key\n')
  writeFileSync(join(dir, 'a.crt'), '')
  await assert.rejects(readConfig({ file, features: [] }), {
    message: `${file}:4: certificate.key: ${dir}/a.key cannot be read: there is no such file`,
  })
  writeFileSync(join(dir, 'a.key'), '')
  assert.deepEqual((await readConfig({ file, features: [] })).hosts, ['a.example'])
})

test('the trial mode is reachable from this machine only', () => {
  const config = trialConfig('/tmp/trial', [registration])
  const { starttls, tls, proxy, http, components, nextFreePort } = config.listen
  assert.deepEqual(components, [])
  assert.equal(nextFreePort, true)
  for (const { host } of [...starttls, ...tls, ...proxy, ...http]) assert.match(host, /^(127\.0\.0\.1|::1)$/)
  assert.deepEqual(config.hosts, ['localhost'])
  assert.deepEqual(config.features, { registration: 'closed' })
  assert.equal(config.trial, true)
  assert.equal(config.federation.enabled, false)
})
