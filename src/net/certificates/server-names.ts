// SPDX-License-Identifier: Apache-2.0
// Whether a certificate is for a domain (RFC 6120 §13.7.1.2, RFC 9525 §6). The common name does not count.
import { domainToASCII } from 'node:url'
import { prepareDomain } from '../../xmpp/domain.ts'
import { ipOf } from '../servers/places.ts'
import type { Certificate, CertificateNames } from './certificate.ts'

/** How many names a sentence has. */
const NAMES_TOLD = 3

/** A domain as certificates write it: A-labels in lower case; an IP address without brackets. */
export function asciiDomain(domain: string): string {
  return ipOf(domain) ?? (domainToASCII(domain) || domain).toLowerCase()
}

/** Whether a certificate is for one of these domains, which are as in addresses. */
export function isForDomain({ names, x509 }: Certificate, domain: string): boolean {
  const ip = ipOf(domain)
  if (ip !== undefined) return x509.checkIP(ip) !== undefined
  const ascii = asciiDomain(domain)
  return (
    names.dns.some((name) => matches(name, ascii)) ||
    names.srv.includes(`_xmpp-server.${ascii}`) ||
    names.xmpp.some((name) => sameDomain(name, ascii))
  )
}

/** For whom a certificate is and for whom not, as a sentence. */
export function mismatch({ names }: Certificate, domain: string): string {
  const all = namesTold(names)
  if (all.length === 0) return `the certificate names no domain, and so not ${domain}`
  const more = all.length > NAMES_TOLD ? ` and ${all.length - NAMES_TOLD} more` : ''
  return `the certificate is for ${all.slice(0, NAMES_TOLD).join(', ')}${more}, not for ${domain}`
}

/** The domains that a certificate is for. What is printed is a domain or nothing: the peer chose these texts. */
export function namesTold({ dns, srv, xmpp }: CertificateNames): readonly string[] {
  const plain = [...dns, ...srv].filter((name) => /^[a-z0-9_*.-]{1,253}$/.test(name))
  return [...new Set([...plain, ...xmpp.flatMap((name) => prepareDomain(name) ?? [])])]
}

/** RFC 9525 §6.3: a `*` is the whole left-most label and stands for one; below a single label it would be too much. */
function matches(name: string, domain: string): boolean {
  if (!name.startsWith('*.')) return name === domain
  const rest = name.slice(1)
  return rest.indexOf('.', 1) > 0 && domain.indexOf('.') > 0 && domain.slice(domain.indexOf('.')) === rest
}

function sameDomain(name: string, ascii: string): boolean {
  const prepared = prepareDomain(name)
  return prepared !== undefined && domainToASCII(prepared) === ascii
}
