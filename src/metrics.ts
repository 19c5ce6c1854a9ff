// SPDX-License-Identifier: Apache-2.0
// Counters of what the server does. On the hot path they are plain numbers; Prometheus' text is made when it is asked for.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Numbers that only grow. */
interface Totals {
  message: number
  presence: number
  iq: number
}

const HELP = {
  stanzas: 'Stanzas by kind and direction',
  bytes: 'Bytes of XML by direction',
  delay: 'How late timers run',
}

/** Everything that is counted; its owner adds to the fields directly. */
export class Metrics {
  readonly received: Totals = { message: 0, presence: 0, iq: 0 }
  readonly sent: Totals = { message: 0, presence: 0, iq: 0 }
  bytesIn = 0
  bytesOut = 0
  /** Messages that went back to their sender with an error. */
  bounced = 0
  /** Logins refused because of wrong credentials. */
  authFailures = 0
  logins = 0
  /** Links that were cut because the peer did not read. */
  overflows = 0
  /** Asked when the text is made. */
  sessions: () => number = () => 0
  connections: () => number = () => 0
  uncommitted: () => number = () => 0
  readonly #registry = new Registry()
  readonly #delay = monitorEventLoopDelay({ resolution: 10 })
  readonly #commitSize: Histogram
  readonly #commitTime: Histogram
  readonly #storeErrors: Counter

  constructor() {
    const registers = [this.#registry]
    this.#commitSize = new Histogram({
      name: 'aenigma_commit_deeds',
      help: 'Writes in one commit',
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
      registers,
    })
    this.#commitTime = new Histogram({
      name: 'aenigma_commit_seconds',
      help: 'Time that one commit took',
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers,
    })
    this.#storeErrors = new Counter({
      name: 'aenigma_store_errors_total',
      help: 'Writes that could not be kept',
      registers,
    })
    this.#counters(registers)
    this.#gauges(registers)
    collectDefaultMetrics({ register: this.#registry, prefix: 'aenigma_' })
    this.#delay.enable()
  }

  /** A commit of the store. */
  committed(deeds: number, ms: number): void {
    this.#commitSize.observe(deeds)
    this.#commitTime.observe(ms / 1000)
  }

  /** Something that the store could not keep. */
  storeFailed(): void {
    this.#storeErrors.inc()
  }

  /** The 99th percentile of the event loop's delay since the last call of `text()`, in ms. */
  get eventLoopDelay(): number {
    return Math.max(0, this.#delay.percentile(99) / 1e6 - 10)
  }

  /** Everything in Prometheus' text format. */
  async text(): Promise<string> {
    const text = await this.#registry.metrics()
    this.#delay.reset()
    return text
  }

  /** Stops measuring. */
  stop(): void {
    this.#delay.disable()
    this.#registry.clear()
  }

  #counters(registers: Registry[]): void {
    const { received, sent } = this
    new Counter({
      name: 'aenigma_stanzas_total',
      help: HELP.stanzas,
      labelNames: ['kind', 'direction'],
      registers,
      collect() {
        this.reset()
        for (const kind of ['message', 'presence', 'iq'] as const) {
          this.inc({ kind, direction: 'in' }, received[kind])
          this.inc({ kind, direction: 'out' }, sent[kind])
        }
      },
    })
    const counter = (name: string, help: string, value: () => number): void => {
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset()
          this.inc(value())
        },
      })
    }
    counter('aenigma_bytes_in_total', `${HELP.bytes}: received`, () => this.bytesIn)
    counter('aenigma_bytes_out_total', `${HELP.bytes}: sent`, () => this.bytesOut)
    counter('aenigma_messages_bounced_total', 'Messages returned with an error', () => this.bounced)
    counter('aenigma_auth_failures_total', 'Logins with wrong credentials', () => this.authFailures)
    counter('aenigma_logins_total', 'Logins that succeeded', () => this.logins)
    counter('aenigma_queue_overflows_total', 'Links cut because the peer did not read', () => this.overflows)
  }

  #gauges(registers: Registry[]): void {
    const delay = this.#delay
    const gauge = (name: string, help: string, value: () => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value())
        },
      })
    }
    gauge('aenigma_sessions', 'Clients that are logged in', () => this.sessions())
    gauge('aenigma_connections', 'Open connections', () => this.connections())
    gauge('aenigma_store_queue', 'Writes that wait for their commit', () => this.uncommitted())
    new Gauge({
      name: 'aenigma_event_loop_delay_seconds',
      help: HELP.delay,
      labelNames: ['quantile'],
      registers,
      collect() {
        for (const quantile of [50, 90, 99]) {
          const seconds = Math.max(0, delay.percentile(quantile) / 1e9 - 0.01)
          this.set({ quantile: String(quantile / 100) }, seconds)
        }
      },
    })
  }
}
