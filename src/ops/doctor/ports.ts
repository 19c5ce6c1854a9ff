// SPDX-License-Identifier: Apache-2.0
// Whether everything that listens answers: from inside, and through each address that others use.
import type { Check } from '../../appliance/check.ts'
import type { Ward } from '../../appliance/examine.ts'
import { isPublic, publicAddresses } from '../../net/dns/public-addresses.ts'
import { probePort } from '../../net/probes/tls-probe.ts'
import { Unseen } from '../compliance/missing.ts'
import { ownAddresses } from '../dns.ts'
import { reachable } from '../own-places.ts'
import type { ListenInfo } from '../running-server.ts'
import { Probes } from './probes.ts'
import { bad, check, ok, type Seen, type Subject } from './subject.ts'

/** What others connect to. */
const FOR_OTHERS: ReadonlySet<ListenInfo['kind']> = new Set([
  ...(['starttls', 'tls', 'shared', 'redirect', 'https', 'servers', 'serversTls', 'proxy', 'dns'] as const),
])

/** The checks. */
export function portWard(subject: Subject, probes = new Probes(subject)): Ward {
  const { listening } = subject.status
  const inside = listening.map((one) => insideCheck(probes, one))
  const addresses = subject.config.trial ? [] : ownAddresses(subject.config, subject.request.addresses)
  const outward = listening.filter(({ kind, host }) => FOR_OTHERS.has(kind) && !isLoopback(host))
  const seen = new Map<string, ListenInfo>(outward.map((one) => [`${one.port}`, one]))
  const domain = subject.config.hosts[0] ?? 'localhost'
  const outside = addresses.flatMap((address) =>
    [...seen.values()].map((one) =>
      outsideCheck(probes, address, one, () => sameCertificate(probes, one, domain, address)),
    ),
  )
  const checks = [...inside, ...wanted(listening), ...behind(subject), ...outside, ...families(subject, addresses)]
  return { title: 'Ports', checks }
}

/** What gets what comes to the shared port for it. */
function behind({ config }: Subject): readonly Check[] {
  return (['ssh', 'turn'] as const).flatMap((kind) => {
    const place = config.behind[kind]
    if (!place) return []
    const { host, port } = place
    return check(`behind.${kind}`, `the ${kind.toUpperCase()} server behind the shared port`, async () => {
      const failed = await probePort(host, port)
      if (failed === undefined) return ok('It answers.')
      return bad('error', `${host} port ${port}: ${failed}.`, `Start it, or change \`behind.${kind}\`.`)
    })
  })
}

function insideCheck(probes: Probes, { kind, host, port }: ListenInfo): Check {
  return check(`listener.${kind}.${host}.${port}`, `${kind} at port ${port}, from this machine`, async () => {
    const failed = await probes.answers({ host, port })
    if (failed === undefined) return ok('It answers.')
    return bad(
      'error',
      `${reachable(host)} port ${port}: ${failed}.`,
      'Look into the log; "aenigma restart" starts it anew.',
    )
  })
}

/** A port that was taken is worth a word: nobody finds the other one. */
function wanted(listening: readonly ListenInfo[]): readonly Check[] {
  return listening
    .filter(({ port, wanted: asked }) => asked !== port && asked !== 0)
    .map(({ kind, port, wanted: asked }) =>
      check(`port-taken.${kind}`, `the port of ${kind}`, async () =>
        bad(
          'warn',
          `It listens at ${port}: ${asked} was taken.`,
          `Stop what listens at ${asked}, and restart.`,
          String(asked),
        ),
      ),
    )
}

/** Whether it is this server that answers there: a router may do so itself. Undefined: that cannot be told. */
async function sameCertificate(
  probes: Probes,
  port: ListenInfo,
  domain: string,
  address: string,
): Promise<boolean | undefined> {
  if (!probes.ports.some((one) => one.kind === port.kind && one.port === port.port)) return undefined
  const here = await probes.tls(port, domain).catch(() => undefined) // the certificates are looked at by themselves
  if (!here?.certificate) return undefined
  const there = await probes.tls(port, domain, address).catch(() => undefined)
  return there?.certificate?.fingerprint === here.certificate.fingerprint
}

function outsideCheck(
  probes: Probes,
  address: string,
  { kind, host, port }: ListenInfo,
  isSame: () => Promise<boolean | undefined>,
): Check {
  const family = address.includes(':') ? 'v6' : 'v4'
  return check(
    `reach.${family}.${address}.${port}`,
    `port ${port} (${kind}) through ${address}`,
    async (): Promise<Seen> => {
      if ((await probes.answers({ host, port })) !== undefined)
        throw new Unseen('it does not answer from inside either')
      const failed = await probePort(address, port)
      if (failed === undefined) {
        if ((await isSame()) !== false) return ok('It answers.')
        const often =
          'If this was looked at several times within a minute, wait for one: what one address may open is limited.'
        const forward = `Let the router pass port ${port} on to this machine. ${often}`
        return bad('error', `${address} port ${port}: something else than this server answers.`, forward)
      }
      const fix =
        host === '0.0.0.0' && family === 'v6'
          ? `It listens for IPv4 only: use [::]:${port}.`
          : `Open TCP port ${port} in the firewall of this machine and of its provider.`
      // Through a translation of addresses a machine often cannot reach itself, though others can.
      return bad(isOwn(address) ? 'error' : 'warn', `${address} port ${port}: ${failed}.`, fix)
    },
  )
}

/** Whether this machine has an address itself, so that it must be able to reach it. */
export function isOwn(address: string): boolean {
  return publicAddresses().includes(address) || !isPublic(address)
}

/** Both families, as far as this machine has them. */
function families({ config }: Subject, addresses: readonly string[]): readonly Check[] {
  if (config.trial) return []
  if (addresses.length === 0) {
    return [
      check('addresses', 'public addresses', async () =>
        bad(
          'warn',
          'This machine has no public address of its own, so nothing was tried from outside.',
          'Say which addresses others reach it at: --address, or dns.addresses.',
        ),
      ),
    ]
  }
  return [
    check('addresses', 'public addresses', async () => {
      const has = (family: 'IPv4' | 'IPv6'): boolean =>
        addresses.some((one) => one.includes(':') === (family === 'IPv6'))
      const missing = (['IPv4', 'IPv6'] as const).find((family) => !has(family))
      if (!missing) return ok(`Of both families: ${addresses.join(', ')}.`)
      return { level: 'info', found: `${addresses.join(', ')}; who has ${missing} only does not get here.` }
    }),
  ]
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.') || host === 'localhost'
}
