// SPDX-License-Identifier: Apache-2.0
// The configuration of the trial mode: a server for this machine only, without a file.
import { networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import * as v from 'valibot'
import type { Address, Config } from './config.ts'
import { featureShape, type OptionSource } from './load.ts'
import { baseShape } from './schema.ts'

/** The one domain of the trial mode. */
const TRIAL_HOST = 'localhost'

/**
 * Everything at its default, reachable from this machine only.
 * @param directory the data directory; the certificate in it is made by `ops/trial-certificate.ts`
 */
export function trialConfig(directory: string, features: readonly OptionSource[] = []): Config {
  const data = resolve(directory)
  const { limits, accounts, contacts, http, uploads, proxy, federation, dns } = v.parse(v.object(baseShape), {})
  return {
    hosts: [TRIAL_HOST],
    moved: new Map(),
    data,
    listen: {
      starttls: loopback(5222),
      tls: loopback(5223),
      https: loopback(5443),
      proxy: loopback(7777),
      http: loopback(5280),
      metrics: loopback(5281),
      components: [],
      servers: [],
      serversTls: [],
      shared: [],
      redirect: [],
      dns: [],
      onion: [],
      nextFreePort: true,
    },
    acme: undefined,
    behind: {},
    http,
    uploads,
    proxy,
    certificates: new Map([
      [TRIAL_HOST, { cert: join(data, 'tls', 'localhost.crt'), key: join(data, 'tls', 'localhost.key') }],
    ]),
    store: { kind: 'sqlite' },
    log: { level: 'warn' }, // what matters to somebody who tries it out is printed
    limits,
    accounts,
    admins: [],
    contacts,
    components: new Map(),
    federation: { ...federation, enabled: false },
    dns,
    doctor: 'off',
    features: v.parse(v.object(featureShape(features)), {}),
    trial: true,
  }
}

function loopback(port: number): readonly Address[] {
  const six = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))
  return [{ host: '127.0.0.1', port }, ...(six ? [{ host: '::1', port }] : [])]
}
