// SPDX-License-Identifier: Apache-2.0
// The addresses of this machine that the whole internet can use.
import { BlockList } from 'node:net'
import { networkInterfaces } from 'node:os'

/** What is not for the whole internet (the registries of special-purpose addresses: RFC 6890 and what followed). */
const SPECIAL = {
  ipv4: blockList('ipv4', [
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
  ]),
  ipv6: blockList('ipv6', [
    ['::', 8],
    ['fc00::', 7],
    ['fe80::', 10],
    ['ff00::', 8],
  ]),
}

/** One for each family: Node.js takes IPv4 addresses for those of `::ffff:0:0/96`, too, which `::/8` has in it. */
function blockList(family: 'ipv4' | 'ipv6', networks: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [network, bits] of networks) list.addSubnet(network, bits, family)
  return list
}

/** The addresses that others can reach this machine at, unless it is behind a translation of addresses. */
export function publicAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? [])
  return [...new Set(all.filter(({ internal }) => !internal).map(({ address }) => address))].filter(isPublic)
}

/** Whether an address is one that the whole internet can use. */
export function isPublic(address: string): boolean {
  const family = address.includes(':') ? 'ipv6' : 'ipv4'
  return !SPECIAL[family].check(address, family)
}
