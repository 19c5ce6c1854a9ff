// SPDX-License-Identifier: Apache-2.0
// `aenigma federation`, between servers of ours that run: what administrators see, and how far a test gets.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import type { FederationInfo, FederationReport } from '../../src/ops/federation.ts'
import { chat, hears, Network, type OurServer } from '../support/federated.ts'
import { bench } from '../support/process.ts'

const place = bench({ after })
const network = await Network.begin(place)
const capulet = await network.start('capulet.example', ['juliet'])
const montague = await network.start('montague.example', ['romeo'])
const verona = await network.start('verona.example', [], { certifiedFor: 'other.example' })

/** What a command prints for programs, whatever its exit status. */
async function json<T>(server: OurServer, status: number, ...args: readonly string[]): Promise<T> {
  const child = server.run([...args, '--json'])
  const ending = await child.ended
  assert.equal(ending.code, status, child.output)
  return JSON.parse(child.output) as T
}

async function text(server: OurServer, status: number, ...args: readonly string[]): Promise<string> {
  const child = server.run(args)
  assert.equal((await child.ended).code, status, child.output)
  return child.output
}

const results = ({ steps }: FederationReport): Record<string, string> =>
  Object.fromEntries(steps.map(({ id, result }) => [id, result]))

test('the whole way to a server that is as it should be', async () => {
  const report = await json<FederationReport>(capulet, 0, 'federation', 'test', 'montague.example')
  assert.deepEqual(results(report), {
    policy: 'passed',
    records: 'passed',
    addresses: 'passed',
    connection: 'passed',
    tls: 'passed',
    certificate: 'passed',
    proof: 'passed',
    features: 'passed',
    external: 'passed',
    dialback: 'passed',
    ping: 'passed',
  })
  assert.ok(report.passed)
  const details = Object.fromEntries(report.steps.map(({ id, detail }) => [id, detail]))
  assert.match(details.tls ?? '', /^TLSv1\.3, TLS_AES/)
  assert.match(details.certificate ?? '', /^for montague\.example; by .+; until \d{4}-/)
  const printed = await text(capulet, 0, 'federation', 'test', 'montague.example')
  assert.match(printed, /^✓ Our own rules {2,}It may be talked to/)
  assert.match(printed, /can talk to each other\.\n$/)
})

test('streams are listed, and ended', async () => {
  const [juliet, romeo] = [await capulet.enter('juliet'), await montague.enter('romeo')]
  juliet.sends(chat(romeo.jid, 'there'))
  await hears(romeo, 'there')
  const { streams, enabled } = await json<FederationInfo>(capulet, 0, 'federation')
  assert.ok(enabled)
  const out = streams.find(({ direction, to }) => direction === 'out' && to === 'montague.example')
  assert.deepEqual(out?.proved, [{ domain: 'montague.example', by: 'pkix' }])
  assert.equal(out?.tls, 'TLSv1.3')
  const listed = await text(capulet, 0, 'federation')
  assert.match(listed, /THEIR DOMAIN +OUR DOMAIN +PROVED BY/)
  assert.match(listed, /montague\.example +capulet\.example +certificate +TLSv1\.3/)
  assert.match(await text(capulet, 0, 'federation', 'disconnect', 'montague.example'), /^Ended \d+ streams?\.\n$/)
  assert.match(await text(capulet, 1, 'federation', 'disconnect', 'nobody.example'), /There is no stream with nobody/)
})

test('a certificate for somebody else: where it fails, and what to do', async () => {
  const report = await json<FederationReport>(capulet, 1, 'federation', 'test', 'verona.example')
  const failed = report.steps.find(({ result }) => result === 'failed')
  assert.equal(failed?.id, 'proof')
  assert.match(failed.detail, /The certificate is for other\.example, not for verona\.example\./)
  assert.match(failed.advice ?? '', /federation\.trustDialback/)
})

test('where dialback is said to be enough, both ways work', async () => {
  const padua = await network.start('padua.example', [], { federation: { trustDialback: ['verona.example'] } })
  const to = await json<FederationReport>(padua, 0, 'federation', 'test', 'verona.example')
  assert.deepEqual([results(to).proof, results(to).external, results(to).ping], ['notable', 'passed', 'passed'])
  await text(padua, 0, 'federation', 'disconnect', 'verona.example')
  const from = await json<FederationReport>(verona, 0, 'federation', 'test', 'padua.example')
  assert.deepEqual(
    [results(from).external, results(from).dialback, results(from).ping],
    ['skipped', 'passed', 'passed'],
  )
  const { streams } = await json<FederationInfo>(padua, 0, 'federation')
  assert.ok(streams.length > 0)
  for (const { proved } of streams) assert.deepEqual(proved, [{ domain: 'verona.example', by: 'dialback' }])
})

test('and the other way round: they do not accept us', async () => {
  const report = await json<FederationReport>(verona, 1, 'federation', 'test', 'montague.example')
  assert.deepEqual(
    report.steps.filter(({ result }) => result === 'failed').map(({ id }) => id),
    ['dialback'],
  )
  assert.match(report.steps.find(({ id }) => id === 'dialback')?.detail ?? '', /It wants a certificate that proves our/)
})

test('a domain without a server, one that says so, one that nobody answers for', async () => {
  network.dns
    .srv('_xmpp-server._tcp.none.example', [0, 0, 0, '.'])
    .srv('_xmpps-server._tcp.none.example', [0, 0, 0, '.'])
  network.dns
    .srv('_xmpp-server._tcp.down.example', [0, 0, 9, 'xmpp.down.example'])
    .host('xmpp.down.example', '127.0.0.1')
  const failing = async (domain: string): Promise<readonly string[]> => {
    const { steps } = await json<FederationReport>(capulet, 1, 'federation', 'test', domain)
    const failed = steps.find(({ result }) => result === 'failed')
    return [failed?.id ?? '', failed?.detail ?? '']
  }
  const [id, detail] = await failing('nowhere.example')
  assert.equal(id, 'addresses', String(detail))
  assert.deepEqual(await failing('none.example'), [
    'records',
    'The domain says that it has no XMPP server (SRV "." records).',
  ])
  const [step, reason] = await failing('down.example')
  assert.equal(step, 'connection')
  assert.match(reason ?? '', /127\.0\.0\.1 port 9 refuses connections/)
})

test('what cannot be asked says why', async () => {
  assert.match(await text(capulet, 1, 'federation', 'test', 'romeo@montague.example'), /is no domain/)
  assert.match(await text(capulet, 1, 'federation', 'test', 'capulet.example'), /is a domain of this server itself/)
  assert.match(
    await text(capulet, 1, 'federation', 'test', 'a.example', '--from', 'b.example'),
    /b\.example is no domain of/,
  )
})

test('a domain that is blocked from now on loses its streams', async () => {
  const [juliet, romeo] = [await capulet.enter('juliet', 'y'), await montague.enter('romeo', 'y')]
  juliet.sends(chat(romeo.jid, 'last'))
  await hears(romeo, 'last')
  const config = JSON.parse(readFileSync(capulet.config, 'utf8'))
  writeFileSync(
    capulet.config,
    JSON.stringify({ ...config, federation: { ...config.federation, block: ['montague.example'] } }),
  )
  await text(capulet, 0, 'reload')
  const { streams } = await json<FederationInfo>(capulet, 0, 'federation')
  assert.deepEqual(
    streams.filter(({ from, to }) => [from, to].includes('montague.example')),
    [],
  )
  const report = await json<FederationReport>(capulet, 1, 'federation', 'test', 'montague.example')
  assert.deepEqual(results(report), { policy: 'failed' })
})

test('where no server runs, the test goes as far as it can', async () => {
  await verona.stop()
  const report = await json<FederationReport>(verona, 0, 'federation', 'test', 'montague.example')
  assert.equal(results(report).proof, 'passed')
  assert.equal(results(report).ping, 'skipped')
})
