// SPDX-License-Identifier: Apache-2.0
// Pebble, an authority of the people who make Let's Encrypt, and this server with it. It rejects good nonces now and then, as is its
// habit, and really looks.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, rootCertificates } from 'node:tls'
import { authority, issue } from './certificates.ts'
import { type Bench, Child, type Command, freePorts, needs } from './process.ts'

const AENIGMA = new URL('../../bin/aenigma', import.meta.url).pathname

/** The domain that is served. */
export const HOST = 'aenigma.test'

/** What it is to be. */
export interface PebbleWish {
  /** The ports that it looks at. */
  readonly look?: { readonly tls: number; readonly http: number }
  /** Whom it asks for names, instead of a companion of its own that says what it is told: host and port. */
  readonly dns?: string
  /** What accounts must be bound to. */
  readonly eab?: { readonly kid: string; readonly key: string }
  /** Starts programs, if not here. */
  readonly run?: (command: Command) => Child
}

/** An authority. */
export type Pebble = Awaited<ReturnType<typeof startPebble>>

/** Starts one. */
export async function startPebble(of: Bench, { look = { tls: 1, http: 1 }, dns, eab, run }: PebbleWish = {}) {
  needs('/usr/bin/pebble', 'pebble')
  const start = run ?? ((command) => new Child(of, command))
  const [{ starttls: more, http: acme }, own] = [
    await freePorts(),
    await issue({ dns: ['localhost'], by: await signer() }),
  ]
  const file = (name: string, text: string): string => {
    writeFileSync(join(of.directory, `pebble-${acme}.${name}`), text)
    return join(of.directory, `pebble-${acme}.${name}`)
  }
  const trusted = file('ca.pem', (await signer()).cert)
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${acme}`,
      managementListenAddress: `127.0.0.1:${more}`,
      certificate: file('pem', own.cert),
      privateKey: file('key', own.key),
      httpPort: look.http,
      tlsPort: look.tls,
      ocspResponderURL: '',
      externalAccountBindingRequired: eab !== undefined,
      ...(eab ? { externalAccountMACKeys: { [eab.kid]: eab.key } } : {}),
    },
  }
  const names = dns === undefined ? await startNames(start) : undefined
  const resolver = names?.resolver ?? dns ?? ''
  const child = start({
    program: '/usr/bin/pebble',
    args: ['-config', file('json', JSON.stringify(config)), '-dnsserver', resolver],
    env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20', PEBBLE_AUTHZREUSE: '0' },
  })
  await child.until('its ports', () => (child.output.includes('Root CA certificate') ? true : undefined))
  const tells = async (what: string, about: object): Promise<void> => names?.tells(what, about)
  return { child, trusted, resolver, directory: `https://localhost:${acme}/dir`, tells }
}

/** One for all authorities of a file: the program that is tested trusts one file. */
let known: ReturnType<typeof authority> | undefined
function signer(): ReturnType<typeof authority> {
  known ??= authority({ commonName: 'test' })
  return known
}

/** Says that all names lead here, unless told otherwise. */
async function startNames(start: (command: Command) => Child) {
  needs('/usr/bin/pebble-challtestsrv', 'pebble')
  const { starttls: dns, tls: management } = await freePorts()
  const child = start({
    program: '/usr/bin/pebble-challtestsrv',
    args: [
      ...['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${management}`, '-defaultIPv6', ''],
      ...['-http01', '', '-https01', '', '-tlsalpn01', ''],
    ],
  })
  return {
    resolver: `127.0.0.1:${dns}`,
    /** Tells the DNS something. */
    async tells(what: string, about: object): Promise<void> {
      await child.until('its ports', () => (child.output.includes('Starting management server') ? true : undefined))
      const answer = await fetch(`http://127.0.0.1:${management}/${what}`, {
        method: 'POST',
        body: JSON.stringify(about),
      })
      assert.equal(answer.status, 200)
    },
  }
}

/** What the program is told. */
export interface StartWish {
  readonly ports?: { readonly tls: number; readonly http: number }
  readonly acme?: object
  /** Other options. */
  readonly options?: object
  readonly run?: (command: Command) => Child
}

/** This server. */
export type Started = ReturnType<typeof startWith>

/** Starts the program with a configuration that names no certificate. */
export function startWith(of: Bench, pebble: Pebble, { ports, acme, options, run: start }: StartWish) {
  const config = join(of.directory, 'aenigma.yaml')
  const none = Object.fromEntries(
    ['starttls', 'tls', 'https', 'http', 'metrics', 'proxy', 'servers', 'serversTls', 'shared', 'redirect'].map(
      (kind) => [kind, []],
    ),
  )
  const some = ports ? { shared: [`127.0.0.1:${ports.tls}`], redirect: [`127.0.0.1:${ports.http}`] } : {}
  const { listen = {}, ...others } = (options ?? {}) as { readonly listen?: object }
  const write = (changed: object = {}): void => {
    const common = { domain: HOST, data: 'data', federation: { resolvers: [pebble.resolver] } }
    const all = { listen: { ...none, ...some, ...listen }, acme: { authority: pebble.directory, ...acme } }
    writeFileSync(config, JSON.stringify({ ...common, ...all, ...others, ...changed }))
  }
  write()
  const run = (...words: string[]): Child => {
    const env = { NODE_EXTRA_CA_CERTS: pebble.trusted }
    const command = { program: process.execPath, args: [AENIGMA, ...words, '--config', config], env }
    return start?.(command) ?? new Child(of, command)
  }
  const child = run('up')
  const says = (text: string, times = 1): Promise<true> =>
    child.until(text, () => (child.output.split(text).length > times ? true : undefined), 60_000)
  const status = async () => JSON.parse(await run('status', '--json').succeeds()).certificates[0]
  return { child, says, run, status, write }
}

/** What is shown to who asks for a name. */
export async function shown(port: number, servername: string) {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false, ca: [...rootCertificates] })
  await once(socket, 'secureConnect')
  const { subjectaltname, issuer, fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return { names: subjectaltname ?? '', issuer: String(issuer.CN), fingerprint256 }
}
