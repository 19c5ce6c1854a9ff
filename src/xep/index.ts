// SPDX-License-Identifier: Apache-2.0
// Every feature. The order is the order in which their hooks run; `test/order.test.ts` pins it.
import type { Feature } from '../core/feature.ts'
import { blocking } from './0191-blocking.ts'
import { ping } from './0199-ping.ts'

/** All features, in the order of their hooks, with the reason where the place matters. */
export const features: readonly Feature[] = [
  blocking, // first: what is blocked is neither archived, copied nor pushed
  ping, // answers questions only: its place does not matter
]
