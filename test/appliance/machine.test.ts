// SPDX-License-Identifier: Apache-2.0
// One command on a fresh Debian 12, booted with a systemd of its own in an internet of its own: a server that people log in to by
// its domain, with a certificate by an authority, that comes back after a reboot, that a second call does not change, that is
// upgraded with its data while people stay logged in, and that goes without a trace.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { CheckReport } from '../../src/appliance/examine.ts'
import { fillNpmCache, whyNoMachine } from '../support/debian-tree.ts'
import { TestMachine } from '../support/machine.ts'
import { Authority } from '../support/network/authority.ts'
import { whyNoNetwork } from '../support/network/host.ts'
import { bench } from '../support/process.ts'
import { startBrowser } from './browser.ts'
import { checkouts } from './checkouts.ts'
import { faultsOf } from './faults.ts'
import { type GradedPort, grade } from './grade.ts'
import { Person } from './person.ts'
import { changes, listing } from './traces.ts'
import { createInternet, type Internet, recordsOf } from './world.ts'

const DOMAIN = 'm.example.org'
/** A quarter of an hour: packages are unpacked and removed, and graders look, perhaps beside much else on two cores. */
const PATIENCE = 900_000
/** Everything that speaks TLS. */
const PORTS: readonly GradedPort[] = [
  { port: 443, begins: 'at once', web: true },
  { port: 5443, begins: 'at once', web: true },
  { port: 5223, begins: 'at once' },
  { port: 5270, begins: 'at once' },
  { port: 5222, begins: 'with STARTTLS of clients' },
  { port: 5269, begins: 'with STARTTLS of servers' },
]
/** It comes more often than anybody may. */
const PATIENT = `limits: { connectionsPerMinutePerAddress: 100000, connectionsPerAddress: 1000 }
federation: { connectionsPerMinute: 100000, connectionsPerAddress: 1000 }`
/** What the grader says about itself, and about the authority. */
const NOT_OURS: ReadonlySet<string> = new Set(['engine_problem', 'cert_revocation'])

suite('a machine', { timeout: 40 * 60_000 }, () => {
  const why = whyNoMachine() ?? whyNoNetwork()
  const of = bench({ after })
  let machine: TestMachine
  let internet: Internet
  let untouched: readonly string[]
  /** Of the first administrator. */
  let invitation = ''

  before(async () => {
    assert.equal(why, undefined, 'this needs a machine that can boot another one inside')
    internet = await createInternet(of)
    const [first, upgrade] = checkouts(of.directory)
    const cache = fillNpmCache(of.directory, [first, upgrade])
    await internet.givesPackages(cache, join(upgrade, 'deploy/npm/package-lock.json'))
    const binds = { '/checkout': first, '/upgrade': upgrade, '/srv/npm': cache }
    machine = await TestMachine.start(of, internet.place, { binds, trusted: internet.trusted })
    writeFileSync(join(machine.tree, 'root/.npmrc'), 'cache=/srv/npm\noffline=true\nlogs-max=0\n')
    untouched = listing(machine)
  })

  const addressOf = (name: string): string => `${name}@${DOMAIN}`

  /** Logs in from another host, by the domain alone. */
  function logIn(name: string, by: 'xmpp' | 'xmpps' = 'xmpps'): Promise<Person> {
    const password = `secret of ${name}`
    return Person.logIn(internet.users, { domain: DOMAIN, name, password, ca: internet.ca, by })
  }

  async function canLogIn(name: string): Promise<void> {
    await (await logIn(name)).leaves()
  }

  function addUser(name: string): void {
    machine.run('sh', '-c', `echo 'secret of ${name}' | aenigma user add ${addressOf(name)} --password-stdin`)
  }

  /** @returns makes the server as impatient as it was */
  function patient(): () => void {
    const config = '/etc/aenigma/aenigma.yaml'
    machine.run('sh', '-ec', `cp -p ${config} /run/impatient.yaml && echo '${PATIENT}' >>${config} && aenigma reload`)
    return () => void machine.run('sh', '-ec', `cp -p /run/impatient.yaml ${config} && aenigma reload`)
  }

  test('that is not fit is told so before anything changes', () => {
    const squatter =
      "setsid perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalPort=>5222,Listen=>1,ReuseAddr=>1) or die; sleep 600' >/dev/null 2>&1 & echo $!"
    const pid = machine.run('sh', '-c', squatter).trim()
    const { status, output } = machine.try('/checkout/setup', DOMAIN, '--yes')
    machine.run('kill', pid)
    assert.equal(status, 1, output)
    assert.match(output, /Port 5222 is taken by perl \(process \d+\)/)
    assert.deepEqual(changes(untouched, listing(machine)), [])
  })

  test('serves after one command and one answer, when the records are where it says', {
    timeout: PATIENCE,
  }, async (t) => {
    const began = performance.now()
    const seconds = (): string => `${Math.round((performance.now() - began) / 1000)} s`
    const answers = [['Shall I?', '\r']] as const // whatever else is asked gets no answer, and the command does not end
    const shown = await machine.onTerminal(answers, PATIENCE, '/checkout/setup', DOMAIN)
    t.diagnostic(`${seconds()} from the command to its end, with ${answers.length} question`)
    invitation = /https:\/\/m\.example\.org\/invite\/\S+/.exec(shown)?.[0] ?? assert.fail(shown)
    assert.match(shown, /_xmpps-client\._tcp\b.*SRV/, shown)
    await internet.dns.change(recordsOf(machine.run('aenigma', 'dns', '--zone')))
    certificateComes(machine)
    addUser('juliet')
    await canLogIn('juliet')
    t.diagnostic(`${seconds()} from the command to a login`)
    machine.run('aenigma', 'dns')
  })

  test('is found at both ports, with a certificate for all names', async () => {
    const starttls = await logIn('juliet', 'xmpp')
    assert.equal(starttls.service, `xmpp://${DOMAIN}:5222`)
    await starttls.leaves()
    const direct = await logIn('juliet', 'xmpps')
    assert.equal(direct.service, `xmpps://${DOMAIN}:443`)
    await direct.leaves()
    const { certificates } = JSON.parse(machine.run('aenigma', 'status', '--json'))
    assert.deepEqual(certificates[0].missing, [])
  })

  test('lets the first administrator in by the link, in a browser that finds nothing wrong with it', async () => {
    const browser = await startBrowser(of, internet.users, internet.ca)
    const page = await browser.newPage({ locale: 'en-GB' })
    const answer = await page.goto(invitation)
    assert.match((await answer?.securityDetails())?.issuer ?? '', /Pebble/)
    await page.fill('#name', 'benvolio')
    await page.fill('#password', 'part, fools, put up your swords')
    await page.click('#submit')
    await page.waitForSelector('converse-user-profile', { state: 'attached' })
    assert.equal(page.url(), `https://${DOMAIN}/chat/`)
    assert.match(machine.run('aenigma', 'user', 'list'), /benvolio@m\.example\.org.*admin/)
    await browser.close()
  })

  test('has nothing in its TLS that costs it the best grade', { timeout: PATIENCE }, async (t) => {
    const impatient = patient()
    const from = { host: internet.grader, domain: DOMAIN, ca: internet.ca }
    const all = await Promise.all(PORTS.map((one) => grade(of, from, one)))
    impatient()
    const found = all.flatMap((list, index) => list.map((one) => ({ port: PORTS[index]?.port, ...one })))
    for (const { port, severity, id, finding } of found) t.diagnostic(`${port} ${severity} ${id}: ${finding}`)
    assert.deepEqual(
      found.filter(({ id }) => !NOT_OURS.has(id)),
      [],
    )
  })

  test('keeps the service in a sandbox', () => {
    const [, exposure] =
      /exposure level for aenigma\.service: ([\d.]+)/.exec(
        machine.run('systemd-analyze', 'security', '--no-pager', 'aenigma.service'),
      ) ?? []
    assert.ok(Number(exposure) <= 2, `exposure ${exposure}`)
  })

  test('lets nothing else in', () => {
    const rules = machine.run('nft', 'list', 'table', 'inet', 'aenigma')
    assert.match(rules, /policy drop/)
    assert.match(rules, /tcp dport 22 accept/)
  })

  test('is seen by the doctor as it is', () => {
    const ids = ['service', 'firewall', 'sandbox', 'updates']
    const seen = (): string => {
      const { output } = machine.try('aenigma', 'doctor', '--json', ...ids.flatMap((id) => ['--only', id]))
      const { findings }: CheckReport = JSON.parse(lastLine(output))
      return findings.map(({ id, level }) => `${level} ${id}`).join()
    }
    assert.equal(seen(), 'ok service,ok firewall,ok sandbox,ok updates')
    machine.run('nft', 'delete', 'table', 'inet', 'aenigma')
    assert.equal(seen(), 'ok service,error firewall,ok sandbox,ok updates')
    machine.run('systemctl', 'restart', 'aenigma-firewall')
    assert.equal(seen(), 'ok service,ok firewall,ok sandbox,ok updates')
  })

  test('changes nothing when it is told the same again', () => {
    const { changed } = JSON.parse(lastLine(machine.run('aenigma', 'install', DOMAIN, '--json')))
    assert.deepEqual(changed, [])
  })

  test('restarts in place, and comes back after a crash', async () => {
    const before = machine.run('systemctl', 'show', '-P', 'MainPID', 'aenigma')
    const juliet = await logIn('juliet')
    machine.run('aenigma', 'restart')
    assert.equal(machine.run('systemctl', 'show', '-P', 'MainPID', 'aenigma'), before)
    await juliet.resumes()
    await juliet.leaves()
    machine.run('systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'aenigma')
    answers(machine)
    await canLogIn('juliet')
  })

  test('comes back after a restart and a reboot, firewall, data and all', async () => {
    addUser('romeo')
    const juliet = await logIn('juliet')
    await juliet.says(addressOf('romeo'), 'before the restart')
    machine.run('systemctl', 'restart', 'aenigma')
    answers(machine)
    await juliet.resumes()
    await juliet.says(addressOf('romeo'), 'before the reboot')
    await juliet.leaves()
    await machine.reboot()
    answers(machine)
    assert.match(machine.run('nft', 'list', 'table', 'inet', 'aenigma'), /policy drop/)
    const romeo = await logIn('romeo')
    await romeo.hears('before the restart')
    await romeo.hears('before the reboot')
    await romeo.leaves()
  })

  test('keeps data and sessions when it is upgraded', { timeout: PATIENCE }, async () => {
    const before = machine.run('readlink', '/opt/aenigma/current').trim()
    const [juliet, romeo] = [await logIn('juliet'), await logIn('romeo', 'xmpp')]
    await juliet.says(addressOf('romeo'), 'the old one')
    const { changed } = JSON.parse(lastLine(machine.run('/upgrade/setup', DOMAIN, '--json')))
    assert.deepEqual(changed, ['program', 'service'])
    assert.notEqual(machine.run('readlink', '/opt/aenigma/current').trim(), before)
    assert.equal(machine.run('readlink', '/opt/aenigma/previous').trim(), before)
    for (const person of [juliet, romeo]) await person.resumes()
    await juliet.says(addressOf('romeo'), 'the new one')
    for (const body of ['the old one', 'the new one']) await romeo.hears(body)
    for (const person of [juliet, romeo]) {
      assert.ok(!person.hasLost)
      await person.leaves()
    }
  })

  test('knows what is wrong with it, and nothing else', { timeout: PATIENCE }, async (t) => {
    const strangers = await Authority.create(of.directory, 'strangers')
    const records = recordsOf(machine.run('aenigma', 'dns', '--zone'))
    await internet.dns.change(records)
    const impatient = patient()
    const faults = faultsOf({
      ...{ machine, records, strangers, domain: DOMAIN, trusted: internet.pages, answers: () => answers(machine) },
      changeDns: (changed) => internet.dns.change(changed),
    })
    assert.deepEqual(wrong(machine), [])
    for (const { name, inject, heal, ids, says } of faults) {
      await t.test(name, async () => {
        await inject()
        const found = wrong(machine)
        await heal()
        assert.match(found.map((one) => one.found).join('\n'), says)
        assert.deepEqual(
          found.filter(({ id }) => !ids.some((begin) => id.startsWith(begin))),
          [],
        )
      })
    }
    assert.deepEqual(wrong(machine), [])
    impatient()
    t.diagnostic(`${faults.length} faults`)
  })

  test('is as it was when the server is gone; the data stays', { timeout: PATIENCE }, () => {
    machine.run('aenigma', 'uninstall', '--yes')
    const left = changes(untouched, listing(machine))
    assert.ok(
      left.some((line) => line.startsWith('+ /var/lib/aenigma/aenigma.db ')),
      left.join('\n'),
    )
    assert.deepEqual(
      left.filter((line) => !line.startsWith('+ /var/lib/aenigma')),
      [],
    )
  })
})

/** What the doctor finds that is not as it should be. */
function wrong(machine: TestMachine): readonly { readonly id: string; readonly found: string }[] {
  const { output } = machine.try('aenigma', 'doctor', '--json')
  const { findings }: { findings: { id: string; level: string; found: string }[] } = JSON.parse(lastLine(output))
  return findings.filter(({ level }) => level === 'warn' || level === 'error').map(({ id, found }) => ({ id, found }))
}

/** Waits until the server answers. */
function answers(machine: TestMachine): void {
  waitsFor(machine, 'aenigma status >/dev/null 2>&1')
}

/** Waits until the server has a certificate by an authority. */
function certificateComes(machine: TestMachine): void {
  waitsFor(machine, `aenigma status --json | grep -q '"provisional": *false'`)
}

/** Two minutes at most. */
function waitsFor(machine: TestMachine, condition: string): void {
  const script = `for i in $(seq 240); do ${condition} && exit; sleep 0.5; done; aenigma status; journalctl -u aenigma -n 20; exit 1`
  machine.run('sh', '-c', script)
}

function lastLine(text: string): string {
  return (
    text
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('{')) ?? ''
  )
}
