// SPDX-License-Identifier: Apache-2.0
// The bounds on links, out of the configuration.
import type { FederationRules, Limits } from './config/config.ts'
import type { ReaderLimits } from './xml/reader.ts'

/** What holds for every link; read anew each time, since a reload changes it. */
export function linkLimits(limits: Limits) {
  return {
    get connectionsPerAddress() {
      return limits.connectionsPerAddress
    },
    get connectionsPerMinute() {
      return limits.connectionsPerMinutePerAddress
    },
    get stanzaBytes() {
      return limits.stanzaBytes
    },
    get sendQueueBytes() {
      return limits.sendQueueBytes
    },
    get bytesPerSecond() {
      return limits.bytesPerSecond
    },
    get reader(): Partial<ReaderLimits> {
      const { unauthenticatedStanzaBytes: stanzaBytes, depth, attributes } = limits
      return { stanzaBytes, depth, attributes }
    },
  }
}

/** What holds for every link to another server, whoever opened it; read anew each time. */
export function serverLinkLimits(limits: Limits, federation: FederationRules) {
  return {
    get connectionsPerAddress() {
      return federation.connectionsPerAddress
    },
    get connectionsPerMinute() {
      return federation.connectionsPerMinute
    },
    get sendQueueBytes() {
      return limits.sendQueueBytes
    },
    get bytesPerSecond() {
      return federation.bytesPerSecond
    },
    get reader(): Partial<ReaderLimits> {
      return linkLimits(limits).reader
    },
  }
}
