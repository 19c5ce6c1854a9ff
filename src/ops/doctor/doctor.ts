// SPDX-License-Identifier: Apache-2.0
// Everything that is looked at, for a server of this machine.
import { statfs } from 'node:fs/promises'
import { freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type CheckReport, type Examination, examine, type Ward } from '../../appliance/examine.ts'
import { System } from '../../appliance/system.ts'
import type { Config } from '../../config/config.ts'
import { isInstalled } from '../../config/installed.ts'
import { inspectSqlite } from '../../store/inspect.ts'
import type { DnsRequest } from '../dns.ts'
import type { Status } from '../running-server.ts'
import { tlsWard } from './certificates.ts'
import { clientWard } from './clients.ts'
import { machineWard } from './machine.ts'
import { networkWard } from './network.ts'
import { portWard } from './ports.ts'
import { Probes } from './probes.ts'
import type { Subject } from './subject.ts'

/** How long the database may take, in ms. */
const INTEGRITY_TIME = 15_000

/** How long certificates of a new server are waited for, and how often it is looked for them, in ms. */
const CERTIFICATE_TIME = 45_000
const CERTIFICATE_PAUSE = 500

/** The server that this configuration is about, as it is. Rejects if none runs. */
export async function subjectOf(config: Config, ask: Subject['ask'], request: DnsRequest = {}): Promise<Subject> {
  const status = (await ask('status')) as Status
  return {
    ...{ config, status, ask, request, fresh: false, now: Date.now, ticks: () => performance.now(), wait },
    machine: isInstalled() ? new System() : undefined,
    memory: () => ({ free: freemem(), whole: totalmem() }),
    async space(path) {
      const { bavail, blocks, bsize } = await statfs(path)
      return { free: bavail * bsize, whole: blocks * bsize }
    },
    integrity: async () =>
      config.store.kind === 'sqlite'
        ? inspectSqlite(join(config.data, 'aenigma.db'), AbortSignal.timeout(INTEGRITY_TIME))
        : undefined,
    async postgres() {
      if (config.store.kind !== 'postgres') throw new Error('there is none')
      const { inspectPostgres } = await import('../../store/inspect-postgres.ts')
      return inspectPostgres(config.store.url)
    },
  }
}

/** The same on a machine where it was installed a moment ago, as soon as its certificates are there or cannot be had yet. */
export async function freshSubject(config: Config, ask: Subject['ask']): Promise<Subject> {
  const end = performance.now() + CERTIFICATE_TIME
  for (;;) {
    const subject = await subjectOf(config, ask)
    const awaited = subject.status.certificates.some(({ provisional, failure }) => provisional && !failure)
    if (!awaited || performance.now() > end) return { ...subject, fresh: true, machine: new System() }
    await wait(CERTIFICATE_PAUSE)
  }
}

/** All checks. */
export function wardsFor(subject: Subject): readonly Ward[] {
  const probes = new Probes(subject)
  return [
    portWard(subject, probes),
    tlsWard(subject, probes),
    networkWard(subject),
    clientWard(subject),
    machineWard(subject),
  ]
}

/** Looks at everything. */
export function doctor(subject: Subject, examination: Examination = {}): Promise<CheckReport> {
  return examine(wardsFor(subject), examination)
}
