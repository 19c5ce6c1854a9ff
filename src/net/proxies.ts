// SPDX-License-Identifier: Apache-2.0
// Which addresses belong to reverse proxies that we believe.
import { BlockList, isIP } from 'node:net'

/** Whether an address is one of these. @param list addresses and networks such as `::1` or `10.0.0.0/8`; others are ignored */
export function addressesIn(list: readonly string[]): (address: string) => boolean {
  const known = new BlockList()
  for (const one of list) {
    const [address = '', bits] = one.split('/')
    const family = isIP(address)
    if (family === 0) continue
    known.addSubnet(address, bits === undefined ? (family === 6 ? 128 : 32) : Number(bits), nameOf(family))
  }
  return (address) => {
    const family = isIP(address)
    return family !== 0 && known.check(address, nameOf(family)) // an IPv4 address inside IPv6 counts as IPv4
  }
}

function nameOf(family: number): 'ipv4' | 'ipv6' {
  return family === 6 ? 'ipv6' : 'ipv4'
}
