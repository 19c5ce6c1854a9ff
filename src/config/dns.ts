// SPDX-License-Identifier: Apache-2.0
// The options about the records that this server needs in the DNS.
import * as v from 'valibot'
import { isDomain } from './domains.ts'
import { nameServers, place, section, texts, told } from './kinds.ts'
import { isIpAddress } from './units.ts'

const file = (help: string) => v.optional(v.pipe(v.string(), v.nonEmpty(), told(help, 'file')))
const domain = (help: string) =>
  v.optional(v.pipe(v.string(), v.check(isDomain, 'must be a domain such as example.org'), told(help, 'domain')))

/** Where the domain lives, and what is said there. */
export const dns = section(
  {
    provider: v.optional(
      v.pipe(
        v.picklist(['rfc2136', 'desec', 'cloudflare', 'hetzner']),
        told('Who keeps the zone, for `aenigma dns apply`.', 'rfc2136, desec, cloudflare or hetzner'),
      ),
    ),
    zone: domain('The zone, if it is not the one that the DNS says our domain is in.'),
    server: place({ help: 'The name server that takes changes by RFC 2136, such as `192.0.2.53:53`.' }),
    servers: nameServers({
      help: 'The servers to ask what the zone says, where those that the DNS names cannot be asked from here (as `--server`).',
    }),
    keyName: v.optional(
      v.pipe(v.string(), v.nonEmpty(), told('The name of the key for RFC 2136 (hmac-sha256).', 'name')),
    ),
    keyFile: file('The file with that key in base64.'),
    tokenFile: file('The file with the token for deSEC, Cloudflare or Hetzner.'),
    addresses: texts(
      {
        default: [],
        help: 'The addresses that others reach this machine at, where it does not have them itself (behind NAT).',
      },
      'IP address, or a list of them',
      (text) => (isIpAddress(text) ? undefined : 'must be an IP address such as 192.0.2.1 or 2001:db8::1'),
    ),
    target: domain(
      'The name of this machine, where our domain itself leads elsewhere (to a website, say); otherwise the domain.',
    ),
  },
  'The records that this server needs in the DNS; see docs/dns.md.',
)
