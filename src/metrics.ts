// SPDX-License-Identifier: Apache-2.0
// Counters of what the server does: plain numbers, so that counting costs nothing on the hot path. Prometheus' client, which
// costs memory, is loaded when somebody asks for its text.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Counter, Gauge, Registry } from 'prom-client'

/** Numbers that only grow. */
interface Totals {
  message: number
  presence: number
  iq: number
}

/** How things are between servers at the moment. */
interface FederationState {
  /** Streams by who opened them (`in`, `out`) and how far they are. */
  readonly streams: readonly { readonly direction: string; readonly state: string; readonly count: number }[]
  /** Stanzas that wait for other servers, and UTF-16 units of them. */
  readonly queued: number
  readonly queuedBytes: number
}

/** How often the event loop's delay is looked at, in ms. */
const RESOLUTION = 10
const COMMIT_SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
const COMMIT_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5]

/** How often values fell below each bound. */
class Distribution {
  readonly bounds: readonly number[]
  readonly counts: number[]
  count = 0
  sum = 0

  /** @param bounds in ascending order */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.count++
    this.sum += value
    const index = this.bounds.findIndex((bound) => value <= bound)
    if (index >= 0) this.counts[index] = (this.counts[index] ?? 0) + 1
  }

  /** The text of a Prometheus histogram, whose buckets include the smaller ones. */
  text(name: string, help: string): string {
    let below = 0
    const buckets = this.bounds.map((bound, index) => {
      below += this.counts[index] ?? 0
      return `${name}_bucket{le="${bound}"} ${below}`
    })
    const total = [`${name}_bucket{le="+Inf"} ${this.count}`, `${name}_sum ${this.sum}`, `${name}_count ${this.count}`]
    return [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`, ...buckets, ...total, ''].join('\n')
  }
}

/** Everything that is counted; its owner adds to the fields directly. */
export class Metrics {
  readonly received: Totals = { message: 0, presence: 0, iq: 0 }
  readonly sent: Totals = { message: 0, presence: 0, iq: 0 }
  /** The same, from and to other servers alone. */
  readonly fromServers: Totals = { message: 0, presence: 0, iq: 0 }
  readonly toServers: Totals = { message: 0, presence: 0, iq: 0 }
  /** Streams to other servers that did not come about or broke, by why: words of ours, never of theirs. */
  readonly serverFailures = new Map<string, number>()
  bytesIn = 0
  bytesOut = 0
  /** Messages that went back to their sender with an error. */
  bounced = 0
  /** Logins refused because of wrong credentials. */
  authFailures = 0
  logins = 0
  /** Links that were cut because the peer did not read. */
  overflows = 0
  /** How often a peer had to wait because it sent too much. */
  rests = 0
  /** Writes that the store could not keep. */
  storeErrors = 0
  /** Asked when the text is made. */
  sessions: () => number = () => 0
  /** Those of them that wait for their client to come back. */
  detached: () => number = () => 0
  connections: () => number = () => 0
  uncommitted: () => number = () => 0
  federation: () => FederationState = () => ({ streams: [], queued: 0, queuedBytes: 0 })
  readonly #commitSize = new Distribution(COMMIT_SIZES)
  readonly #commitTime = new Distribution(COMMIT_SECONDS)
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  #registry: Promise<Registry> | undefined

  constructor() {
    this.#delay.enable()
  }

  /** A commit of the store. */
  committed(deeds: number, ms: number): void {
    this.#commitSize.observe(deeds)
    this.#commitTime.observe(ms / 1000)
  }

  /** The 99th percentile of the event loop's delay since the last call of `text()`, in ms. */
  get eventLoopDelay(): number {
    return this.#lateness(99) * 1000
  }

  /** A stream to another server failed. */
  serverFailed(why: string): void {
    this.serverFailures.set(why, (this.serverFailures.get(why) ?? 0) + 1)
  }

  /** Everything in Prometheus' text format. */
  async text(): Promise<string> {
    this.#registry ??= this.#register()
    const registry = await this.#registry
    const text = await registry.metrics()
    this.#delay.reset()
    const commits =
      this.#commitSize.text('aenigma_commit_deeds', 'Writes in one commit') +
      this.#commitTime.text('aenigma_commit_seconds', 'Time that one commit took')
    return `${text}${commits}`
  }

  /** Stops measuring. */
  stop(): void {
    this.#delay.disable()
    void this.#registry?.then((registry) => registry.clear())
  }

  /** In seconds. */
  #lateness(percentile: number): number {
    return Math.max(0, this.#delay.percentile(percentile) / 1e9 - RESOLUTION / 1000)
  }

  async #register(): Promise<Registry> {
    const {
      collectDefaultMetrics,
      Counter: NewCounter,
      Gauge: NewGauge,
      Registry: NewRegistry,
    } = await import('prom-client')
    const registers = [new NewRegistry()] as const
    const counter = (name: string, help: string, value: () => number): void => {
      new NewCounter({
        name,
        help,
        registers: [...registers],
        collect() {
          this.reset()
          this.inc(value())
        },
      })
    }
    const gauge = (name: string, help: string, value: () => number): void => {
      new NewGauge({
        name,
        help,
        registers: [...registers],
        collect() {
          this.set(value())
        },
      })
    }
    const stanzas = (name: string, help: string, received: Totals, sent: Totals): void => {
      new NewCounter({
        name,
        help,
        labelNames: ['kind', 'direction'],
        registers: [...registers],
        collect() {
          this.reset()
          for (const kind of ['message', 'presence', 'iq'] as const) {
            this.inc({ kind, direction: 'in' }, received[kind])
            this.inc({ kind, direction: 'out' }, sent[kind])
          }
        },
      })
    }
    stanzas('aenigma_stanzas_total', 'Stanzas by kind and direction', this.received, this.sent)
    stanzas('aenigma_federation_stanzas_total', 'Those of other servers', this.fromServers, this.toServers)
    counter('aenigma_bytes_in_total', 'Bytes of XML that were received', () => this.bytesIn)
    counter('aenigma_bytes_out_total', 'Bytes of XML that were sent', () => this.bytesOut)
    counter('aenigma_messages_bounced_total', 'Messages returned with an error', () => this.bounced)
    counter('aenigma_auth_failures_total', 'Logins with wrong credentials', () => this.authFailures)
    counter('aenigma_logins_total', 'Logins that succeeded', () => this.logins)
    counter('aenigma_queue_overflows_total', 'Links cut because the peer did not read', () => this.overflows)
    counter('aenigma_peers_slowed_total', 'Pauses of peers that sent too much', () => this.rests)
    counter('aenigma_store_errors_total', 'Writes that could not be kept', () => this.storeErrors)
    gauge('aenigma_sessions', 'Clients that are logged in', () => this.sessions())
    gauge('aenigma_sessions_detached', 'Clients that may resume their session', () => this.detached())
    gauge('aenigma_connections', 'Open connections', () => this.connections())
    gauge('aenigma_store_queue', 'Writes that wait for their commit', () => this.uncommitted())
    const lateness = (percentile: number): number => this.#lateness(percentile)
    new NewGauge({
      name: 'aenigma_event_loop_delay_seconds',
      help: 'How late timers ran since these metrics were read last',
      labelNames: ['quantile'],
      registers: [...registers],
      collect() {
        for (const percentile of [50, 90, 99]) this.set({ quantile: String(percentile / 100) }, lateness(percentile))
      },
    })
    this.#registerFederation(registers[0], NewCounter, NewGauge)
    gauge('aenigma_federation_queue', 'Stanzas that wait for other servers', () => this.federation().queued)
    gauge('aenigma_federation_queue_chars', 'Their size', () => this.federation().queuedBytes)
    collectDefaultMetrics({ register: registers[0], prefix: 'aenigma_' })
    return registers[0]
  }

  /** What has labels; none of them is a domain. */
  #registerFederation(registry: Registry, NewCounter: typeof Counter, NewGauge: typeof Gauge): void {
    const { serverFailures } = this
    const federation = (): FederationState => this.federation()
    new NewGauge({
      name: 'aenigma_federation_streams',
      help: 'Streams to and from other servers, by who opened them and how far they are',
      labelNames: ['direction', 'state'],
      registers: [registry],
      collect() {
        this.reset()
        for (const { direction, state, count } of federation().streams) this.set({ direction, state }, count)
      },
    })
    new NewCounter({
      name: 'aenigma_federation_failures_total',
      help: 'Streams to other servers that did not come about or broke, by why',
      labelNames: ['why'],
      registers: [registry],
      collect() {
        this.reset()
        for (const [why, count] of serverFailures) this.inc({ why }, count)
      },
    })
  }
}
