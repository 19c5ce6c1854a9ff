// SPDX-License-Identifier: Apache-2.0
// XEP-0398: User Avatar to vCard-Based Avatars Conversion. There is one avatar, in PEP (XEP-0084). vCards show it to whom the
// nodes are open, a vCard with a photo publishes it, and presence carries its hash (XEP-0153).
import { createHash } from 'node:crypto'
import { LocalAccount } from '../core/directory.ts'
import { andThen, type Feature, type FeatureContext, type MaybeAsync, PASS, type Verdict } from '../core/feature.ts'
import type { Session } from '../core/session.ts'
import { type Element, el } from '../xml/element.ts'
import { parseElement } from '../xml/reader.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { DEFAULT_CONFIG, type NodeConfig } from './0060-pubsub/config.ts'
import { pubsubOf } from './0060-pubsub/engine.ts'
import { hidden } from './0060-pubsub/node.ts'
import type { Shelf } from './0060-pubsub/shelf.ts'

const NS_DATA = 'urn:xmpp:avatar:data'
const NS_METADATA = 'urn:xmpp:avatar:metadata'
const NS_UPDATE = 'vcard-temp:x:update'
const NS_VCARD = 'vcard-temp'

/** Nodes that a vCard makes: whoever may read the card may see the photo. */
const CONFIG: NodeConfig = { ...DEFAULT_CONFIG, access: 'open' }

/** What `<metadata/>` says of the image that is in PEP. */
interface Avatar {
  /** The image's SHA-1, in hexadecimal. */
  readonly id: string
  readonly type: string
}

/** XEP-0398: User Avatar to vCard-Based Avatars Conversion, with XEP-0153: vCard-Based Avatars. */
export const avatarConversion: Feature = {
  name: 'avatar-conversion',
  implements: [
    { xep: 398, version: '1.0.0', name: 'User Avatar to vCard-Based Avatars Conversion' },
    { xep: 153, version: '1.1.1', name: 'vCard-Based Avatars' },
  ],
  setup(ctx) {
    const hashes = new Hashes(ctx)
    return {
      start() {
        pubsubOf(ctx).onChange(({ shelf, node }) => (node.name === NS_METADATA ? hashes.changed(shelf) : undefined))
      },
      only: { onSend: ['presence'] },
      onSend(stanza, client) {
        return stanza.kind === 'presence' && stanza.type === '' ? hashes.inject(stanza, client) : PASS
      },
      disco: { account: { features: ['urn:xmpp:pep-vcard-conversion:0'] } },
    }
  },
}

/** The vCard with the avatar as its photo, if the asker may see it (XEP-0398 §7); as it was if there never was one. */
export async function withAvatar(
  card: Element | undefined,
  account: LocalAccount,
  from: Jid,
  ctx: FeatureContext,
): Promise<Element | undefined> {
  const shelf = await pubsubOf(ctx).shelf(account)
  const [metadata, data] = [shelf.node(NS_METADATA), shelf.node(NS_DATA)]
  if (!metadata || !data) return card
  const bare = card?.without((child) => child.is('PHOTO', NS_VCARD))
  const avatar = await current(shelf)
  if (!avatar || hidden(metadata, from, account) || hidden(data, from, account)) return bare
  const image = await shelf.item(data, avatar.id)
  const base64 = image && parseElement(image.xml).text.replaceAll(/\s/g, '')
  if (!base64 || sha1(Buffer.from(base64, 'base64')) !== avatar.id) return bare
  const photo = el(
    'PHOTO',
    NS_VCARD,
    null,
    el('TYPE', NS_VCARD, null, avatar.type),
    el('BINVAL', NS_VCARD, null, base64),
  )
  return (bare ?? el('vCard', NS_VCARD)).append(photo)
}

/** A photo in a vCard, as it can be published. */
interface Photo {
  readonly base64: string
  readonly type: string
}

/** The photo of a vCard, and what is to be kept of the card: all but a photo that goes into PEP. */
export function splitCard(card: Element): { readonly kept: Element; readonly photo: Photo | 'none' | 'elsewhere' } {
  const photo = card.child('PHOTO', NS_VCARD)
  if (!photo) return { kept: card, photo: 'none' }
  const base64 = photo.childText('BINVAL')?.replaceAll(/\s/g, '') ?? ''
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return { kept: card, photo: 'elsewhere' } // a link, or nothing that we understand
  const type = photo.childText('TYPE') || 'image/png'
  return { kept: card.without((child) => child.is('PHOTO', NS_VCARD)), photo: { base64, type } }
}

/** The owner wrote a vCard: its photo becomes the avatar (XEP-0398 §4), and without one there is none any more. */
export async function publishPhoto(
  photo: Photo | 'none' | 'elsewhere',
  account: LocalAccount,
  ctx: FeatureContext,
): Promise<void> {
  if (photo === 'elsewhere') return
  const shelf = await pubsubOf(ctx).shelf(account)
  const before = await current(shelf)
  if (photo === 'none') {
    if (before) await publish(shelf, NS_METADATA, before.id, el('metadata', NS_METADATA), ctx)
    return
  }
  const image = Buffer.from(photo.base64, 'base64')
  const id = sha1(image)
  if (before?.id === id) return
  await publish(shelf, NS_DATA, id, el('data', NS_DATA, null, photo.base64), ctx)
  const info = el('info', NS_METADATA, { bytes: String(image.length), id, type: photo.type })
  await publish(shelf, NS_METADATA, id, el('metadata', NS_METADATA, null, info), ctx)
}

async function publish(shelf: Shelf, node: string, id: string, payload: Element, ctx: FeatureContext): Promise<void> {
  const item = { id, xml: payload.xml(''), publisher: shelf.owner.jid.key }
  await pubsubOf(ctx).change(shelf, node, () => ({ put: [item], create: CONFIG }))
}

/** XEP-0398 §4: of several images, the one that is in PEP. */
async function current(shelf: Shelf): Promise<Avatar | undefined> {
  const node = shelf.node(NS_METADATA)
  const item = node && (await shelf.last(node))
  if (!item || item.xml === '') return undefined
  const infos = parseElement(item.xml).childrenNamed('info', NS_METADATA)
  const info = infos.find(({ attrs }) => attrs.url === undefined && attrs.id !== undefined)
  return info && { id: (info.attrs.id ?? '').toLowerCase(), type: info.attrs.type ?? 'image/png' }
}

/** What presence says of the avatar (XEP-0398 §5). */
class Hashes {
  readonly #ctx: FeatureContext
  /** '' for no avatar, null for an account that never had one. */
  readonly #known = new WeakMap<LocalAccount, string | null>()
  /** What clients broadcast, as it was before we put the hash into it. */
  readonly #sent = new WeakMap<Session, Stanza>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  inject(stanza: Stanza, client: Session): MaybeAsync<Verdict> {
    const known = this.#known.get(client.account)
    if (known === undefined) return this.#load(client.account).then(() => this.inject(stanza, client))
    if (stanza.to === undefined) this.#sent.delete(client)
    const update = stanza.element.child('x', NS_UPDATE)
    const photo = update?.child('photo')
    if (photo?.text === '' || photo?.text === known || (known === null && !(update && !photo))) return PASS
    if (stanza.to === undefined) this.#sent.set(client, stanza)
    const x = el('x', NS_UPDATE, null, el('photo', NS_UPDATE, null, known ?? ''))
    const element = stanza.element.without((child) => child.is('x', NS_UPDATE)).append(x)
    return { pass: stanza.withElement(element) }
  }

  /** The avatar is another one: everybody who sees the clients' presence learns its hash. */
  async changed(shelf: Shelf): Promise<void> {
    const account = shelf.owner
    if (!(account instanceof LocalAccount)) return
    const before = this.#known.get(account)
    await this.#load(account)
    if (before === this.#known.get(account)) return
    for (const client of account.available()) {
      const presence = this.#sent.get(client) ?? client.presence
      if (presence) await this.#ctx.router.fromClient(presence, client)
    }
  }

  async #load(account: LocalAccount): Promise<void> {
    const known = await andThen(pubsubOf(this.#ctx).shelf(account), async (shelf) =>
      shelf.node(NS_METADATA) ? ((await current(shelf))?.id ?? '') : null,
    )
    this.#known.set(account, known)
  }
}

function sha1(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex')
}
