// SPDX-License-Identifier: Apache-2.0
// Components (XEP-0114) of slixmpp against the real program: a gateway, and an app server that is told when somebody writes
// to a phone that is not there (XEP-0357).
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Report } from '../../src/ops/compliance/run.ts'
import { type Aenigma, bench, Child, freePorts, startAenigma } from '../support/process.ts'
import { slixmpp } from '../support/slixmpp.ts'

const BIN = new URL('../../bin/aenigma', import.meta.url).pathname
const of = bench({ after })
const ports = await freePorts()
const { http: port } = await freePorts()
const component = { domain: 'irc.localhost', secret: 'a secret between two programs', port }
let server: Aenigma
before(async () => {
  const at = (one: number): readonly string[] => [`127.0.0.1:${one}`]
  server = await startAenigma(of, ports, {
    options: {
      listen: {
        ...{ starttls: at(ports.starttls), tls: at(ports.tls), http: at(ports.http), components: at(port) },
        ...{ servers: [], serversTls: [] },
      },
      components: { [component.domain]: { secret: component.secret } },
    },
  })
})

/** It fails as a whole as long as something is missing. */
async function compliance(): Promise<string> {
  const config = join(of.directory, 'aenigma.yaml')
  const child = new Child(of, { program: process.execPath, args: [BIN, 'compliance', '--json', '--config', config] })
  await child.ended
  return child.stdout
}

const { newUser, couple, play } = slixmpp(of, () => server, { component })

test('XEP-0114: a gateway is let in by its secret, is found, has contacts and speaks for its domain only', async () => {
  const body = 'Perché no? <b>&amp;</b> 🌹'
  assert.deepEqual(await play('component.py', 'joins', { romeo: await newUser('romeo') }), [
    { saw: 'joined', refusal: 'not-authorized' },
    { saw: 'joined', refusal: null },
    { saw: 'items', has: true },
    { saw: 'info', identities: [['component', 'generic']] },
    { saw: 'pong' },
    { saw: 'presence', who: 'mab' },
    { saw: 'message', by: 'gateway', sender: true, body },
    { saw: 'message', by: 'romeo', sender: true, body: [...body].reverse().join('') },
    { saw: 'liar', ended: true, heard: false },
  ])
  assert.ok(!server.child.output.includes(component.secret))
})

test('the compliance check sees that components are taken, without pushing one out', async () => {
  const report: Report = JSON.parse(await compliance())
  const line = report.suite.flatMap(({ checks }) => checks).find(({ id }) => id === 'xep0114')
  assert.deepEqual([line?.found, line?.reason], [true, 'a component that nobody knows is refused with host-unknown'])
})

test('XEP-0357: an app server is told that something came for a phone that is away, and neither from whom nor what', async () => {
  assert.deepEqual(await play('component.py', 'push', await couple()), [
    { saw: 'joined', refusal: null },
    { saw: 'enabled', refusal: null },
    { saw: 'awake', pushes: 0 },
    { saw: 'push', sender: true, node: 'a device', secret: 'eruinfvd', count: '1', tells: false },
    { saw: 'disabled', refusal: null },
    { saw: 'later', pushes: 1 },
  ])
})
