// SPDX-License-Identifier: Apache-2.0
// The start tag of another server, as RFC 6120 §4.7 and §4.8 want it.
import { StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { StreamHeader } from '../link.ts'
import { NS_STREAMS } from '../offer.ts'
import { NS_SERVER } from './parts.ts'

/** What is wrong with a start tag, whoever sent it; undefined if nothing is. */
export function headerProblem({ element, prefix, contentNamespace }: StreamHeader): StreamError | undefined {
  if (!element.is('stream', NS_STREAMS)) return new StreamError('invalid-namespace')
  if (contentNamespace !== NS_SERVER) return new StreamError('invalid-namespace')
  if (prefix !== 'stream') return new StreamError('bad-namespace-prefix')
  const major = /^(\d+)\.\d+$/.exec(element.attrs.version ?? '')?.[1]
  if (major === undefined || Number(major) < 1) return new StreamError('unsupported-version')
  return undefined
}

/** A domain that a start tag names; undefined if it names none, or more than a domain. */
export function domainIn(text: string | undefined): string | undefined {
  const jid = Jid.tryParse(text)
  return jid && jid.local === undefined && jid.resource === undefined ? jid.domain : undefined
}
