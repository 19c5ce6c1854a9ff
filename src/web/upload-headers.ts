// SPDX-License-Identifier: Apache-2.0
// What is said about an uploaded file: anybody may embed it, nobody may run it as a page of this server, and it never changes.
import type { Upload } from '../store/upload-store.ts'
import { encodeSegment } from '../xmpp/upload-path.ts'

/** Web pages from elsewhere may put and get (XEP-0363 §8): no cookie or password decides here. */
export const FOR_PAGES: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'OPTIONS, HEAD, GET, PUT',
  'access-control-allow-headers': 'Authorization, Content-Type, Range, If-None-Match, If-Range',
  'access-control-expose-headers': 'Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag',
  'access-control-max-age': '7200',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; img-src 'self'; media-src 'self'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
}

/** What a browser may show in its place: it has no code in it. */
const SHOWN: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/bmp',
  'audio/mpeg',
  'audio/mp4',
  'audio/aac',
  'audio/ogg',
  'audio/opus',
  'audio/webm',
  'audio/flac',
  'audio/wav',
  'audio/x-wav',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
])

/** What keeps its type although it is only saved. Anything else is bytes: a browser must not even think of opening it. */
const NAMED =
  /^(?!.*xml)(?:text\/(?:plain|csv|markdown|calendar|vcard)|(?:image|audio|video|font)\/[a-z\d.+-]+|application\/(?:pdf|zip|gzip|json|octet-stream|vnd\.[a-z\d.+-]+|x-[\da-z.-]*(?:tar|zip|7z|rar)[\da-z.-]*))$/

/** The headers of a file. @param key the hash of its slot */
export function describe(upload: Upload, key: string, now: number): Readonly<Record<string, string>> {
  const { type = '', name, size, created, expires } = upload
  const shown = SHOWN.has(type)
  return {
    ...FOR_PAGES,
    'content-type': shown || NAMED.test(type) ? type : 'application/octet-stream',
    'content-length': String(size),
    'content-disposition': disposition(shown ? 'inline' : 'attachment', name),
    'accept-ranges': 'bytes',
    etag: `"${key.slice(0, 22)}"`,
    'last-modified': new Date(created).toUTCString(),
    'cache-control': `private, max-age=${Math.max(0, Math.floor((expires - now) / 1000))}, immutable`,
  }
}

/** RFC 6266: the name for programs of today, and something like it for older ones. */
function disposition(kind: 'inline' | 'attachment', name: string): string {
  const plain = name.replace(/[^\w .()+-]/g, '_')
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encodeSegment(name)}`
}
