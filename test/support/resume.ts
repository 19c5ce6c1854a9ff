// SPDX-License-Identifier: Apache-2.0
// Clients that resume their session (XEP-0198 §5).
import type { Theatre } from './cast.ts'
import { Actor } from './cast.ts'

/** XEP-0198. */
export const SM = 'urn:xmpp:sm:3'

/** A chat message. */
export const chat = (to: string, text: string): string =>
  `<message type='chat' to='${to}'><body>${text}</body></message>`

/** A refusal of stream management. */
export const failedWith = (condition: string): string =>
  `<failed xmlns='${SM}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`

/** Enables stream management. @param max for how many seconds it may be resumed @returns the id to resume with */
export async function enableResume(actor: Actor, max = 600): Promise<string> {
  actor.sends(`<enable xmlns='${SM}' resume='true' max='${max}'/>`)
  return (await actor.receives(`<enabled xmlns='${SM}' resume='true'/>`)).attrs.id ?? ''
}

/**
 * The same client on a new connection.
 * @param has how many stanzas the client has got
 * @param handled how many of its own the server says it has, if that matters
 */
export async function resume(
  stage: Pick<Theatre, 'stranger'>,
  actor: Actor,
  id: string,
  has: number,
  handled?: number,
): Promise<Actor> {
  const stranger = stage.stranger()
  await stranger.proves(actor.jid.bare)
  stranger.sends(`<resume xmlns='${SM}' previd='${id}' h='${has}'/>`)
  const h = handled === undefined ? '' : ` h='${handled}'`
  await stranger.receives(`<resumed xmlns='${SM}' previd='${id}'${h}/>`)
  return new Actor(stranger.link, actor.jid)
}
