// SPDX-License-Identifier: Apache-2.0
// XEP-0363: HTTP File Upload, the part of it that is XMPP: gives out places for files. `web/uploads.ts` takes the files.
import { randomBytes } from 'node:crypto'
import * as v from 'valibot'
import type { Feature, FeatureContext, IqRequest } from '../core/feature.ts'
import { type Element, el } from '../xml/element.ts'
import { resultElement } from '../xmpp/0004-data-forms.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { newSlot, slotKey, uploadPath } from '../xmpp/upload-path.ts'

const NS = 'urn:xmpp:http:upload:0'
const NS_PURPOSE = 'urn:xmpp:http:upload:purpose:0'
/** How long a place waits for its upload to begin, in ms (XEP-0363 §8 recommends about 5 minutes). */
const SLOT_TIME = 10 * 60_000
/** Bytes of a file's name: what file systems take. */
const NAME_MAX = 255
/** A media type (RFC 6838 §4.2), perhaps with parameters. */
const TYPE = /^([a-z\d][a-z\d!#$&^_.+-]{0,126}\/[a-z\d][a-z\d!#$&^_.+-]{0,126})\s*(?:;|$)/i

/** Characters that cannot be seen and change what can: controls, ends of lines, other directions of writing. */
const MISLEADING = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu

/** The options `uploads`, which are the server's own (`config/schema.ts`); without them there are no uploads. */
const RULES = v.fallback(
  v.object({
    maxBytes: v.number(),
    bytesPerAccount: v.number(),
    bytesPerDay: v.number(),
    filesPerAccount: v.number(),
    retention: v.number(),
  }),
  { maxBytes: 0, bytesPerAccount: 0, bytesPerDay: 0, filesPerAccount: 0, retention: 0 },
)
type Rules = v.InferOutput<typeof RULES>

/** Says where the web server of a domain is (`web/public-url.ts`); undefined if nobody knows. */
type PublicUrl = (host: string) => string | undefined

/** XEP-0363: HTTP File Upload. */
export const upload: Feature = {
  name: 'upload',
  implements: [
    { xep: 363, version: '1.2.0', name: 'HTTP File Upload', note: 'for the purposes message and ephemeral' },
  ],
  setup: (ctx) => ({
    iq: [{ at: ['upload'], type: 'get', ns: NS, name: 'request', answer: (request) => give(request, ctx) }],
    service: {
      label: 'upload',
      about: {
        identities: [{ category: 'store', type: 'file', name: 'Files' }],
        features: [NS, `${NS_PURPOSE}#message`, `${NS_PURPOSE}#ephemeral`],
        forms: () => [
          resultElement({
            formType: NS,
            fields: [{ name: 'max-file-size', values: [String(largest(rulesOf(ctx)))] }],
          }),
        ],
      },
    },
  }),
}

function rulesOf({ options }: FeatureContext): Rules {
  return v.parse(RULES, options.uploads)
}

/** What would never fit is too large. */
function largest({ maxBytes, bytesPerAccount, bytesPerDay }: Rules): number {
  return Math.min(maxBytes, bytesPerAccount, bytesPerDay)
}

/** XEP-0363 §4. */
async function give({ payload, from, session, owner }: IqRequest, ctx: FeatureContext): Promise<Element> {
  if (!session) throw new StanzaError('auth', 'forbidden', 'Only for users of this server.')
  const rules = rulesOf(ctx)
  if (rules.maxBytes === 0) throw new StanzaError('cancel', 'not-allowed', 'Uploads are turned off here.')
  const base = urlOf(owner, ctx)
  const { name, size, type, until } = read(payload, largest(rules))
  const slot = newSlot()
  const created = ctx.clock.now()
  const keepUntil = Math.min(created + rules.retention, until)
  if (keepUntil <= created) throw new StanzaError('modify', 'bad-request', 'That would have expired already.')
  const noRoom = await ctx.store.uploads.reserve(
    {
      slot: slotKey(slot),
      file: randomBytes(16).toString('hex'),
      owner: from.bare,
      name,
      type,
      size,
      created,
      expires: Math.min(created + SLOT_TIME, keepUntil),
      keepUntil,
    },
    rules,
  )
  if (noRoom) throw quotaReached(noRoom.what, noRoom.until)
  const url = `${base}${uploadPath(slot, name)}`
  return el('slot', NS, null, el('put', NS, { url }), el('get', NS, { url }))
}

function urlOf(service: Jid, { options }: FeatureContext): string {
  const host = service.domain.slice(service.domain.indexOf('.') + 1)
  const base = typeof options.publicUrl === 'function' ? (options.publicUrl as PublicUrl)(host) : undefined
  if (base !== undefined) return base
  throw new StanzaError('cancel', 'not-allowed', 'This server has no web address: listen.https or http.url is missing.')
}

interface Wanted {
  readonly name: string
  readonly size: number
  readonly type: string | undefined
  /** ms since 1970; Infinity if it may be kept as long as any other. */
  readonly until: number
}

function read(payload: Element, most: number): Wanted {
  const { filename, size: length, 'content-type': given } = payload.attrs
  const name = tidy(filename ?? '')
  if (Buffer.byteLength(name) > NAME_MAX) throw new StanzaError('modify', 'bad-request', 'The file name is too long.')
  if (length === undefined || !/^\d{1,15}$/.test(length) || Number(length) === 0 || filename === undefined) {
    throw new StanzaError('modify', 'bad-request', 'A file has a name and a size.')
  }
  const size = Number(length)
  if (size > most) throw tooLarge(most)
  const type = given === undefined ? undefined : TYPE.exec(given)?.[1]?.toLowerCase()
  if (given !== undefined && type === undefined)
    throw new StanzaError('modify', 'bad-request', 'The content-type is none.')
  return { name, size, type, until: expiryOf(payload) }
}

/** The name without folders, and without what would make it look like another one; never empty. */
function tidy(filename: string): string {
  const base = filename.toWellFormed().slice(Math.max(filename.lastIndexOf('/'), filename.lastIndexOf('\\')) + 1)
  const name = base.replace(MISLEADING, '').trim()
  return /^\.{0,2}$/.test(name) ? 'file' : name
}

/** XEP-0363 §5.3. Other purposes than those that we announce count as none. */
function expiryOf(payload: Element): number {
  const ephemeral = payload.child('ephemeral', NS_PURPOSE)
  if (!ephemeral) return Number.POSITIVE_INFINITY
  const time = Date.parse(ephemeral.attrs['expire-before'] ?? '')
  if (Number.isNaN(time)) throw new StanzaError('modify', 'bad-request', 'When does it expire?')
  return time
}

/** XEP-0363 §6. */
function tooLarge(most: number): StanzaError {
  const limit = el('file-too-large', NS, null, el('max-file-size', NS, null, String(most)))
  return new StanzaError('modify', 'not-acceptable', `The largest file that may be uploaded has ${most} bytes.`, limit)
}

function quotaReached(what: 'account' | 'day' | 'gone', until: number | undefined): StanzaError {
  if (until === undefined) return new StanzaError('auth', 'forbidden', 'There is no such account any more.')
  const text = what === 'day' ? 'You have uploaded enough for one day.' : 'Your files take all the room that you have.'
  const stamp = new Date(Math.ceil(until / 1000) * 1000).toISOString().replace('.000', '')
  return new StanzaError('wait', 'resource-constraint', text, el('retry', NS, { stamp }))
}
