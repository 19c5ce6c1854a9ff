// SPDX-License-Identifier: Apache-2.0
// The addresses of this machine that the whole internet can use.
import { BlockList } from 'node:net'
import { networkInterfaces } from 'node:os'

/** What is not for the whole internet (the registries of special-purpose addresses: RFC 6890 and what followed). */
const SPECIAL = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const)
  SPECIAL.addSubnet(network, bits, 'ipv4')
for (const [network, bits] of [
  ['::', 8],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  SPECIAL.addSubnet(network, bits, 'ipv6')

/** The addresses that others can reach this machine at, unless it is behind a translation of addresses. */
export function publicAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? [])
  return [...new Set(all.filter(({ internal }) => !internal).map(({ address }) => address))].filter(isPublic)
}

/** Whether an address is one that the whole internet can use. */
export function isPublic(address: string): boolean {
  return !SPECIAL.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
}
