// SPDX-License-Identifier: Apache-2.0
// XEP-0065: SOCKS5 Bytestreams, the proxy of it: tells our users where it is, and connects two who wait there when one of our
// users asks for it. `net/socks-proxy.ts` has the sockets.
import { createHash } from 'node:crypto'
import type { Feature, FeatureContext, IqRequest } from '../core/feature.ts'
import { el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'

const NS = 'http://jabber.org/protocol/bytestreams'

/** The sockets, as this feature sees them. */
export interface BytestreamProxy {
  /** Where users of a domain reach it; undefined if it does not listen. */
  placeOf(host: string): { readonly host: string; readonly port: number } | undefined
  /** Connects the two who wait at a hash; `alone` if there is only one, `nobody` if there is none. */
  activate(hash: string): 'active' | 'alone' | 'nobody'
}

/** XEP-0065: SOCKS5 Bytestreams. */
export const proxy: Feature = {
  name: 'proxy',
  implements: [{ xep: 65, version: '1.8.2', name: 'SOCKS5 Bytestreams', note: 'the proxy, over TCP' }],
  setup: (ctx) => ({
    iq: [
      { at: ['proxy'], type: 'get', ns: NS, name: 'query', answer: (request) => tellPlace(request, ctx) },
      { at: ['proxy'], type: 'set', ns: NS, name: 'query', answer: (request) => activate(request, ctx) },
    ],
    service: {
      label: 'proxy',
      about: {
        identities: [{ category: 'proxy', type: 'bytestreams', name: 'File transfers' }],
        features: [NS],
      },
    },
  }),
}

/** XEP-0065 §4. */
function tellPlace({ session, owner }: IqRequest, ctx: FeatureContext) {
  if (!session) throw notForStrangers()
  const place = proxyOf(ctx).placeOf(owner.domain.slice(owner.domain.indexOf('.') + 1))
  if (!place) throw new StanzaError('cancel', 'not-allowed', 'The proxy does not listen.')
  return el('query', NS, null, el('streamhost', NS, { jid: owner.key, host: place.host, port: String(place.port) }))
}

/** XEP-0065 §6.3.5. */
function activate({ session, payload, from }: IqRequest, ctx: FeatureContext): undefined {
  if (!session) throw notForStrangers()
  const { sid } = payload.attrs
  const target = payload.childText('activate')?.trim()
  if (!sid || !target) throw new StanzaError('modify', 'bad-request', 'It takes a sid and whom to connect with.')
  const hash = createHash('sha1')
    .update(`${sid}${from.key}${Jid.parse(target).key}`)
    .digest('hex')
  switch (proxyOf(ctx).activate(hash)) {
    case 'active':
      return undefined
    case 'alone':
      throw new StanzaError('cancel', 'not-allowed', 'One of you is not connected.')
    case 'nobody':
      throw new StanzaError('cancel', 'item-not-found', 'Nobody is connected for this bytestream.')
  }
}

function notForStrangers(): StanzaError {
  return new StanzaError('auth', 'forbidden', 'Only for users of this server.')
}

/** `main.ts` puts it among the options. */
function proxyOf({ options }: FeatureContext): BytestreamProxy {
  const found = options.bytestreamProxy as BytestreamProxy | undefined
  if (found) return found
  throw new StanzaError('cancel', 'not-allowed', 'There is no proxy.')
}
