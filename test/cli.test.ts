// SPDX-License-Identifier: Apache-2.0
// The command line as a user has it: each command is a process of its own, on a temporary data directory.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../src/clock.ts'
import { adminSocketOf } from '../src/config/config.ts'
import { AdminError, serveAdmin } from '../src/net/admin-socket.ts'
import { trialCertificate } from '../src/ops/trial-certificate.ts'
import { openSqlite } from '../src/store/sqlite.ts'
import { Jid } from '../src/xmpp/jid.ts'

const BIN = join(import.meta.dirname, '../bin/aenigma')

interface Outcome {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

function run(dir: string, args: readonly string[], input = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...args], { cwd: dir })
    let [out, err] = ['', '']
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      err += data
    })
    child.on('close', (status) => resolve({ status, out, err }))
    child.stdin.on('error', () => undefined).end(input)
  })
}

async function json(dir: string, ...args: readonly string[]): Promise<unknown> {
  const { status, out, err } = await run(dir, [...args, '--json'])
  assert.equal(status, 0, err)
  return JSON.parse(out)
}

/** A directory with a configuration that listens nowhere and hashes cheaply. */
async function place(t: TestContext, more = ''): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-cli-'))
  t.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }))
  await trialCertificate(dir, Date.now())
  writeFileSync(join(dir, 'aenigma.yaml'), configText(more))
  return dir
}

function configText(more: string): string {
  return `hosts: [example.org, example.net]
certificate: {cert: tls/localhost.crt, key: tls/localhost.key}
listen: {starttls: [], tls: [], https: [], http: [], proxy: [], metrics: [], servers: [], serversTls: []}
accounts: {scramIterations: 4096, sha1: false}
http: {url: 'https://chat.example.org'}
log: {level: silent}
${more}`
}

interface Running {
  readonly output: () => string
  signal(name: NodeJS.Signals): void
  says(text: string): Promise<void>
  readonly ended: Promise<number | null>
}

/** Starts a server and waits until it is ready. */
async function start(t: TestContext, dir: string, ...args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [BIN, 'up', ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  let output = ''
  const watchers = new Set<() => void>()
  const add = (data: Buffer): void => {
    output += data
    for (const watcher of watchers) watcher()
  }
  child.stdout.on('data', add)
  child.stderr.on('data', add)
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!output.includes(text)) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
      look()
      ended.then(() => reject(new Error(`it ended without saying "${text}":\n${output}`)))
    })
  await Promise.race([says('serves'), says('Ctrl-C')])
  return { output: () => output, signal: (name) => void child.kill(name), says, ended }
}

/** What every command does with accounts, whether a server runs or not. */
async function lifeOfAnAccount(dir: string): Promise<void> {
  const added = await run(
    dir,
    ['user', 'add', 'romeo@example.org', '--admin', '--password-stdin'],
    'wherefore\nart thou',
  )
  assert.deepEqual(added, { status: 0, out: 'Added romeo@example.org.\n', err: '' })
  const made = (await json(dir, 'user', 'add', 'juliet@example.net')) as { password: string }
  assert.deepEqual({ ...made, password: '' }, { jid: 'juliet@example.net', admin: false, password: '' })
  assert.match(made.password, /^([a-z2-9]{5}-){3}[a-z2-9]{5}$/)
  assert.deepEqual(await json(dir, 'user', 'passwd', 'romeo@example.org', '--password', 'x'), {
    jid: 'romeo@example.org',
  })
  assert.deepEqual(await json(dir, 'user', 'disable', 'juliet@example.net'), {
    jid: 'juliet@example.net',
    disabled: true,
  })
  const list = (await json(dir, 'user', 'list')) as Record<string, unknown>[]
  assert.deepEqual(
    list.map(({ created, ...rest }) => ({ ...rest, created: typeof created })),
    [
      { jid: 'juliet@example.net', admin: false, disabled: true, lastSeen: null, created: 'number' },
      { jid: 'romeo@example.org', admin: true, disabled: false, lastSeen: null, created: 'number' },
    ],
  )
  assert.match(
    (await run(dir, ['user', 'list', '--domain', 'example.org'])).out,
    /^ADDRESS .*\nromeo@example\.org +admin .*never\n$/,
  )
  assert.deepEqual(await json(dir, 'user', 'clients', 'romeo@example.org'), [])
  assert.equal((await run(dir, ['user', 'clients', 'romeo@example.org'])).out, 'No client has a token.\n')
  const unknown = await run(dir, ['user', 'revoke', 'romeo@example.org', '0f3a5c7e9b1d2f40'])
  assert.equal(unknown.status, 1)
  assert.match(unknown.err, /romeo@example\.org has no client 0f3a5c7e9b1d2f40 with a token\.\n.*aenigma user clients/)
  await json(dir, 'user', 'enable', 'juliet@example.net')
  assert.equal((await run(dir, ['user', 'rm', 'juliet@example.net'])).out, 'Removed juliet@example.net.\n')
  const gone = await run(dir, ['user', 'rm', 'juliet@example.net', '--json'])
  assert.equal(gone.status, 1)
  assert.deepEqual(JSON.parse(gone.err), {
    error: {
      code: 'not-found',
      message: 'There is no account juliet@example.net.',
      advice: 'See all accounts with "aenigma user list".',
    },
  })
}

test('accounts without a server', async (t) => lifeOfAnAccount(await place(t)))

test('accounts of a server that runs', async (t) => {
  const dir = await place(t)
  const server = await start(t, dir)
  await lifeOfAnAccount(dir)
  server.signal('SIGINT')
  assert.equal(await server.ended, 0)
})

test('what cannot be done says what to type instead', async (t) => {
  const dir = await place(t)
  const errors: readonly (readonly [string[], number, RegExp])[] = [
    [['user', 'add', 'romeo'], 1, /"romeo" is not the whole address: write romeo@example\.org/],
    [['user', 'add', 'a b@example.org'], 1, /not a valid address; one looks like romeo@example\.org/],
    [['user', 'add', 'romeo@example.org/x'], 1, /is the address of a client: write romeo@example\.org/],
    [
      ['user', 'add', 'romeo@example.com'],
      1,
      /example\.com is not a domain of this server \(example\.org, example\.net\)/,
    ],
    [['user', 'add', 'romeo@example.org', '--password', ''], 1, /password is empty/],
    [['user', 'add'], 2, /missing required argument 'jid'/],
    [['user', 'ad', 'romeo@example.org'], 2, /unknown command 'ad'\n\(Did you mean add\?\)/],
    [['statsu'], 2, /Did you mean status\?/],
    [['status', '--jsn'], 2, /unknown option '--jsn'\n\(Did you mean --json\?\)/],
    [['status'], 1, /No server runs here.*\nStart the server with "aenigma up"/],
    [['user', 'list', '--data', 'nowhere'], 1, /There is no data in .*nowhere/],
    [['up', '--config', 'nowhere.yaml'], 1, /nowhere\.yaml:1: cannot be read: there is no such file/],
    [['config', 'check', '--config', 'nowhere.yaml'], 1, /There is a mistake/],
  ]
  for (const [args, status, text] of errors) {
    const outcome = await run(dir, args)
    assert.match(outcome.err, text)
    assert.equal(outcome.status, status, args.join(' '))
  }
})

test('every command has help with examples', async (t) => {
  const dir = await place(t)
  const commands = [
    'up',
    'status',
    'sessions',
    'push',
    'reports',
    'reload',
    'restart',
    'stop',
    'config check',
    'federation',
    'federation test',
    'federation disconnect',
  ]
  const invitations = ['invite', 'invite list', 'invite revoke']
  const users = ['add', 'list', 'passwd', 'disable', 'enable', 'rm', 'import'].map((name) => `user ${name}`)
  await Promise.all(
    [...commands, ...users, ...invitations].map(async (command) => {
      const { status, out } = await run(dir, [...command.split(' '), '--help'])
      assert.equal(status, 0)
      assert.match(out, /--json[\s\S]*Examples:\n {2}\$ .*aenigma/, command)
    }),
  )
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))
  assert.equal((await run(dir, ['--version'])).out, `${version}\n`)
})

async function lifeOfAnInvitation(dir: string): Promise<void> {
  await run(dir, ['user', 'add', 'romeo@example.org', '--password-stdin'], 'wherefore art thou')
  const more = ['--uses', 'unlimited', '--expires', '12h', '--note', 'Come in']
  const made = await run(dir, ['invite', '--contact', 'romeo@example.org', ...more])
  assert.equal(made.status, 0, made.err)
  assert.match(made.out, /as many people as like, as a contact of romeo@example\.org/)
  assert.match(made.out, /[█▀▄]{7}/)
  const link = /https:\S+/.exec(made.out)?.[0] ?? ''
  assert.match(link, /^https:\/\/chat\.example\.org\/invite\/[a-z2-9]{24}$/)
  const other = (await json(dir, 'invite', '--admin', '--name', 'bard', '--host', 'example.net')) as Record<
    string,
    unknown
  >
  assert.match(String(other.uri), /^xmpp:bard@example\.net\?register;preauth=[a-z2-9]{24}$/)
  const list = (await json(dir, 'invite', 'list')) as Record<string, unknown>[]
  assert.deepEqual(
    list.map(({ id, created, expires, ...rest }) => rest),
    [
      {
        domain: 'example.net',
        role: 'administrator',
        creator: null,
        contact: null,
        name: 'bard',
        note: null,
        uses: 1,
        used: 0,
      },
      {
        domain: 'example.org',
        role: 'member',
        creator: null,
        contact: 'romeo@example.org',
        name: null,
        note: 'Come in',
        uses: null,
        used: 0,
      },
    ],
  )
  const token = link.split('/').at(-1) ?? ''
  const shown = (await run(dir, ['invite', 'list'])).out
  assert.match(shown, /^ID .*\n\d+ +administrator +bard@example\.net +0\/1 .*\n\d+ +member .*0\/∞ .*Come in\n$/)
  assert.doesNotMatch(shown, new RegExp(token))
  const first = String(list[0]?.id)
  assert.equal((await run(dir, ['invite', 'revoke', first])).out, 'Took 1 invitation back.\n')
  assert.deepEqual(await json(dir, 'invite', 'revoke', '--all'), { revoked: 1 })
  assert.equal((await run(dir, ['invite', 'list'])).out, 'There are no invitations.\n')
}

test('invitations without a server', async (t) => lifeOfAnInvitation(await place(t)))

test('invitations of a server that runs', async (t) => {
  const dir = await place(t)
  const server = await start(t, dir)
  await lifeOfAnInvitation(dir)
  server.signal('SIGINT')
  assert.equal(await server.ended, 0)
})

test('an invitation that cannot be made says what to type instead', async (t) => {
  const dir = await place(t)
  await run(dir, ['user', 'add', 'romeo@example.org', '--password-stdin'], 'wherefore art thou')
  for (const [args, status, error] of [
    [['--uses', '0'], 2, /not a number of people[\s\S]*--uses 5/],
    [['--expires', 'soon'], 2, /not a time[\s\S]*--expires 12h/],
    [['--expires', '3000d'], 1, /a year at most/],
    [['--contact', 'romeo'], 1, /write romeo@example\.org/],
    [['--contact', 'nobody@example.org'], 1, /no account nobody@example\.org/],
    [['--host', 'example.com'], 1, /not a domain of this server/],
    [['--name', 'romeo'], 1, /name is taken/],
    [['--name', 'juliet', '--uses', '2'], 1, /lets one person in/],
    [['--note', 'x'.repeat(201)], 1, /at most 200/],
    [['revoke'], 2, /Which invitations/],
    [['revoke', 'x'], 2, /not the number/],
    [['revoke', '7'], 1, /no such invitations/],
    [['lost'], 2, /too many arguments|unknown command/],
  ] as const) {
    const failed = await run(dir, ['invite', ...args])
    assert.equal(failed.status, status, args.join(' '))
    assert.match(failed.err, error)
  }
})

test('an import of 1,000 accounts, and again', async (t) => {
  const dir = await place(t)
  const lines = Array.from({ length: 1000 }, (_, n) => `user${n}@example.org,"secret, ${n}"${n === 3 ? ',true' : ''}`)
  writeFileSync(join(dir, 'users.csv'), `jid,password,admin\n${lines.join('\n')}\n`)
  const first = await run(dir, ['user', 'import', 'users.csv'])
  assert.equal(first.out, 'Added 1000 accounts.\n')
  assert.match(first.err, /Importing: \d+ of 1000\n/)
  const again = await run(
    dir,
    ['user', 'import', '-', '--json'],
    '{"jid":"user7@example.org","password":"x"}\n{"jid":"new@example.org","password":"x"}',
  )
  assert.deepEqual(JSON.parse(again.out), { added: 1, existed: ['user7@example.org'], skipped: [] })
  const list = (await json(dir, 'user', 'list')) as { jid: string; admin: boolean }[]
  assert.equal(list.length, 1001)
  assert.deepEqual(
    list.filter(({ admin }) => admin).map(({ jid }) => jid),
    ['user3@example.org'],
  )
})

test('an import with bad lines does nothing, unless they are to be skipped', async (t) => {
  const dir = await place(t)
  writeFileSync(join(dir, 'users.csv'), 'a@example.org,x\nb@example.com,x\nc,x\nd@example.org,\ne@example.org')
  const refused = await run(dir, ['user', 'import', 'users.csv'])
  assert.equal(refused.status, 1)
  assert.match(
    refused.err,
    /because of 4 lines:\nline 2: example\.com is not a domain.*\nline 3: "c" is not the whole address.*\nline 4: This password is empty.*\nline 5: the password is missing.*\n.*--skip-bad/,
  )
  assert.deepEqual(await json(dir, 'user', 'list'), [])
  const skipped = (await json(dir, 'user', 'import', 'users.csv', '--skip-bad')) as {
    added: number
    skipped: unknown[]
  }
  assert.deepEqual([skipped.added, skipped.skipped.length], [1, 4])
})

test('push notifications and reports, as administrators see them', async (t) => {
  const dir = await place(t)
  mkdirSync(join(dir, 'data'), { mode: 0o700 })
  const store = await openSqlite({ file: join(dir, 'data', 'aenigma.db'), clock: systemClock })
  const [romeo, service] = [Jid.parse('romeo@example.org'), Jid.parse('push.example.com')]
  const target = { owner: romeo, service, node: 't0ken' }
  await store.pushes.enable({ ...target, device: 'phone', options: '<x>s3cret</x>' }, 0, 10)
  await store.pushes.failed(target, 60_000, 'item-not-found', true)
  const report = { reporter: romeo, reason: 'spam', text: 'Tiring\u001b[2J\nspam', stanzas: [] }
  await store.reports.add(
    [1, 2, 3].map((n) => ({ ...report, subject: Jid.parse(`iago${n}@example.net`) })),
    0,
    { each: 9, all: 9 },
  )
  await store.close()
  assert.match((await run(dir, ['push'])).err, /Start the server/)
  await start(t, dir)
  const pushes = (await run(dir, ['push', 'romeo@example.org'])).out
  assert.match(
    pushes,
    /\nromeo@example\.org +phone +push\.example\.com +disabled +1970-01-01 00:01 +never +1970-01-01 00:01 item-not-found \(1 in a row\)\n$/,
  )
  const [info] = (await json(dir, 'push')) as Record<string, unknown>[]
  assert.deepEqual([info?.state, info?.errors, info?.lastSuccess], ['disabled', 1, null])
  assert.doesNotMatch(JSON.stringify(info) + pushes, /t0ken|s3cret/)
  assert.deepEqual(await json(dir, 'push', 'juliet@example.org'), [])
  assert.match((await run(dir, ['push', 'romeo'])).err, /is not the address of an account/)
  assert.match(
    (await run(dir, ['reports'])).out,
    /\n3 +1970-01-01 00:00 +iago3@example\.net +spam +romeo@example\.org +Tiring \[2J spam\n/,
  )
  assert.equal((await run(dir, ['reports', '--rm', '1', 'two'])).status, 2)
  assert.equal((await run(dir, ['reports', '--rm', '1', '7'])).out, 'Removed 1 report.\n')
  assert.equal(((await json(dir, 'reports')) as unknown[]).length, 2)
  assert.deepEqual(await json(dir, 'reports', '--clear'), { removed: 2 })
  assert.equal((await run(dir, ['reports'])).out, 'Nobody reported anything.\n')
})

test('a server for real domains: status, reload, stop', async (t) => {
  const dir = await place(t)
  const server = await start(t, dir)
  assert.match(server.output(), /^aenigma serves example\.org, example\.net\./)
  const status = (await json(dir, 'status')) as Record<string, unknown>
  assert.deepEqual([status.hosts, status.accounts, status.store], [['example.org', 'example.net'], 0, 'sqlite'])
  assert.deepEqual(await json(dir, 'sessions'), [])
  assert.match((await run(dir, ['sessions', '--end', 'x'])).err, /There is no session x/)
  assert.match((await run(dir, ['up'])).err, /Another aenigma works in this directory/)

  writeFileSync(join(dir, 'aenigma.yaml'), configText('limits: {sesionsPerAccount: 3}'))
  const refused = await run(dir, ['reload', '--data', 'data'])
  assert.equal(refused.status, 1)
  assert.match(
    refused.err,
    /the old configuration stays in force:\naenigma\.yaml:7: limits\.sesionsPerAccount: .*did you mean sessionsPerAccount/,
  )
  server.signal('SIGHUP')
  await server.says('stays in force')

  writeFileSync(join(dir, 'aenigma.yaml'), configText('store: sqlite\nlimits: {sessionsPerAccount: 3}'))
  server.signal('SIGHUP')
  await server.says('Reloaded.')
  writeFileSync(join(dir, 'aenigma.yaml'), configText('').replace('level: silent', 'level: error'))
  assert.deepEqual(await json(dir, 'reload'), { restart: ['log'] })

  const stopped = (await json(dir, 'stop')) as { stopped: boolean }
  assert.equal(stopped.stopped, true)
  assert.equal(await server.ended, 0)
})

test('restart: with what is on the disk now, or not at all', async (t) => {
  const dir = await place(t)
  const server = await start(t, dir)
  const { pid } = (await json(dir, 'status')) as { pid: number }

  writeFileSync(join(dir, 'aenigma.yaml'), configText('limits: {sesionsPerAccount: 3}'))
  const mistaken = await run(dir, ['restart', '--data', 'data'])
  assert.equal(mistaken.status, 1)
  assert.match(
    mistaken.err,
    /the old configuration stays in force:\naenigma\.yaml:7: .*did you mean sessionsPerAccount/,
  )
  writeFileSync(join(dir, 'aenigma.yaml'), configText('').replace('localhost.key', 'localhost.crt'))
  const keyless = await run(dir, ['restart'])
  assert.equal(keyless.status, 1)
  assert.match(keyless.err, /example\.org/)

  writeFileSync(join(dir, 'aenigma.yaml'), configText('').replace(', example.net', ''))
  const [restarted, other] = await Promise.all([run(dir, ['restart', '--json']), run(dir, ['restart', '--json'])])
  const outcomes = [restarted, other].filter(({ status }) => status === 0).map(({ out }) => JSON.parse(out))
  assert.ok(outcomes.length > 0, restarted.err) // the other one may have come too late, or just before the end
  for (const outcome of outcomes) assert.deepEqual([outcome.restarted, outcome.pid], [true, pid])
  await server.says('aenigma serves example.org.\n')
  const status = (await json(dir, 'status')) as Record<string, unknown>
  assert.deepEqual([status.pid, status.hosts], [pid, ['example.org']])

  assert.deepEqual(await json(dir, 'stop'), { stopped: true, pid })
  assert.equal(await server.ended, 0)
  assert.match((await run(dir, ['restart'])).err, /No server runs here/)
})

test('a server waits until a command that works on the accounts is done', async (t) => {
  const dir = await place(t)
  mkdirSync(join(dir, 'data'), { mode: 0o700 })
  const asked = Promise.withResolvers<void>()
  const command = await serveAdmin(adminSocketOf(join(dir, 'data')), async () => {
    asked.resolve()
    throw new AdminError('busy', 'Somebody works on the accounts.')
  })
  const server = start(t, dir)
  await asked.promise
  await command.stop()
  await server
})

test('the trial mode: an administrator once, the CA to trust, a port that is taken', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'aenigma-trial-'))
  t.after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }))
  const server = await start(t, dir)
  const [, password = ''] = /admin@localhost\n {2}password {3}(\S+)/.exec(server.output()) ?? []
  assert.match(password, /^([a-z2-9]{5}-){3}[a-z2-9]{5}$/)
  assert.match(server.output(), /trust +\/.*\/data\/tls\/ca\.crt/)
  assert.deepEqual(
    ((await json(dir, 'user', 'list')) as { jid: string }[]).map(({ jid }) => jid),
    ['admin@localhost'],
  )

  const other = await start(t, dir, '--data', 'other')
  assert.match(other.output(), /Note: port \d+ is taken by another program, so this server uses \d+\./)
  const { listening } = (await json(dir, 'status', '--data', 'other')) as {
    listening: { port: number; kind: string }[]
  }
  const monitor = listening.find(({ kind }) => kind === 'metrics')
  assert.equal((await fetch(`http://127.0.0.1:${monitor?.port}/healthz`)).status, 200)
  other.signal('SIGTERM')
  assert.equal(await other.ended, 0)

  server.signal('SIGINT')
  server.signal('SIGINT') // npm and the terminal both pass it on
  assert.equal(await server.ended, 0)
  const again = await start(t, dir)
  assert.doesNotMatch(again.output(), /password/)
  assert.equal((await run(dir, ['stop'])).out, 'Stopped.\n')
  assert.equal(await again.ended, 0)
})

test('config check names every mistake', async (t) => {
  const dir = await place(t)
  assert.match(
    (await run(dir, ['config', 'check'])).out,
    /aenigma\.yaml is fine: a server for example\.org, example\.net/,
  )
  writeFileSync(join(dir, 'bad.yaml'), 'domian: example.org\nlog: {level: loud}\n')
  const { status, out, err } = await run(dir, ['config', 'check', '--config', 'bad.yaml'])
  assert.equal(status, 1)
  assert.match(out, /^bad\.yaml:1:1: the domain is missing/m)
  assert.match(out, /bad\.yaml:1:1: domian: there is no such option; did you mean domain\?/)
  assert.match(out, /bad\.yaml:2:14: log\.level: must be one of debug/)
  assert.match(err, /There are 3 mistakes\./)
  const checked = await run(dir, ['config', 'check', '--config', 'bad.yaml', '--json'])
  assert.equal(JSON.parse(checked.out).mistakes.length, 3)
})
