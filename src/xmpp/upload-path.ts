// SPDX-License-Identifier: Apache-2.0
// The path of an uploaded file's address (XEP-0363): `/upload/SLOT/NAME`. Who knows the slot may read the file, so it cannot be
// guessed, and only its hash is kept. The name is for people: nothing is looked up by it.
import { createHash, randomBytes } from 'node:crypto'

/** What every such path begins with. */
export const UPLOAD_PREFIX = '/upload/'
/** 192 bits. */
const SLOT_BYTES = 24
const SLOT = /^[A-Za-z0-9_-]{32}$/

/** A slot that nobody can guess. */
export function newSlot(): string {
  return randomBytes(SLOT_BYTES).toString('base64url')
}

/** What is kept of a slot, and looked up: how long that takes tells nothing about the slot. */
export function slotKey(slot: string): string {
  return createHash('sha256').update(slot).digest('base64url')
}

/** The path, with nothing in it that RFC 3986 does not allow there. */
export function uploadPath(slot: string, name: string): string {
  return `${UPLOAD_PREFIX}${slot}/${encodeSegment(name)}`
}

/** The slot in a path, or in a whole address; undefined if it is of another kind. */
export function slotIn(address: string): string | undefined {
  const path = address.startsWith('/') ? address : (URL.parse(address)?.pathname ?? '')
  const start = path.indexOf(UPLOAD_PREFIX)
  if (start < 0) return undefined
  const [slot = '', ...rest] = path.slice(start + UPLOAD_PREFIX.length).split('/')
  return SLOT.test(slot) && rest.length === 1 ? slot : undefined
}

/** Percent-encodes what is not unreserved (RFC 3986 §2.3). */
export function encodeSegment(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
