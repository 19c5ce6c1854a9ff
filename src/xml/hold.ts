// SPDX-License-Identifier: Apache-2.0
// What has come of something that is not complete yet. Whatever the sizes of the pieces, each character is looked at and
// copied a bounded number of times, and many small pieces take little more memory than one large one.

/** Text that grows at its end. */
export class Rope {
  #text = ''
  #loose = 0

  get length(): number {
    return this.#text.length
  }

  /** Puts a piece at the end. */
  add(piece: string): void {
    this.#text += piece
    // V8 keeps a concatenation as a tree until somebody looks inside. Looking now and then, more rarely the longer the
    // text is, bounds the size of the tree and keeps the copying linear.
    if (++this.#loose < 1024 + (this.#text.length >> 4)) return
    this.#text.charCodeAt(0)
    this.#loose = 0
  }

  /** All of it; nothing is left. */
  take(): string {
    const text = this.#text
    this.#text = ''
    this.#loose = 0
    return text
  }
}

const LONGEST_MARK = '<![CDATA['.length

/**
 * A token whose end has not come yet. It says as soon as a piece brings the end and looks at each piece only once, so
 * that the token is read once when it is whole instead of again with every piece.
 */
export class Hold {
  readonly #rope = new Rope()
  #end = ''
  #quote = 0
  #last = ''

  get length(): number {
    return this.#rope.length
  }

  /** Starts over with the beginning of a token. */
  begin(text: string): void {
    this.#rope.take()
    this.#rope.add(text)
    this.#quote = 0
    this.#end = tokenEnd(text)
    if (this.#end === '') this.#quote = quoteAfter(text, 0)
    this.#last = text.slice(-2)
  }

  /** Takes the next piece; true if the token may be complete with it. */
  add(piece: string): boolean {
    const short = this.#rope.length < LONGEST_MARK
    this.#rope.add(piece)
    return short || this.#endsIn(piece)
  }

  /** All that was held. */
  take(): string {
    return this.#rope.take()
  }

  #endsIn(piece: string): boolean {
    if (this.#end === '') {
      this.#quote = quoteAfter(piece, this.#quote)
      return this.#quote === TAG_END
    }
    if (this.#end.length === 1) return piece.includes(this.#end)
    const seam = this.#last + piece
    this.#last = seam.slice(-2)
    return seam.includes(this.#end)
  }
}

/** Whether the start tag at the beginning of the text is complete. */
export function tagIsWhole(text: string): boolean {
  return quoteAfter(text, 0) === TAG_END
}

/** What ends a token that starts like this; '' for a start tag, where quotes matter. */
function tokenEnd(text: string): string {
  if (!text.startsWith('<')) return '<'
  if (text.startsWith('</')) return '>'
  if (text.startsWith('<!')) return ']]>'
  return text.startsWith('<?') ? '?>' : ''
}

const TAG_END = -1

/** In which quote (0 for none) a start tag is after this text, or TAG_END. @param before in which it was */
function quoteAfter(text: string, before: number): number {
  let quote = before
  for (let pos = 0; pos < text.length; pos++) {
    if (quote !== 0) {
      pos = text.indexOf(quote === 0x22 ? '"' : "'", pos)
      if (pos < 0) return quote
      quote = 0
      continue
    }
    const code = text.charCodeAt(pos)
    if (code === 0x3e) return TAG_END
    if (code === 0x22 || code === 0x27) quote = code
  }
  return quote
}
