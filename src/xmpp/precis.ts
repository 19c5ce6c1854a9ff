// SPDX-License-Identifier: Apache-2.0
// PRECIS (RFC 8264): which characters names and free text may have, and the one form in which they are compared. The
// classes are derived from the Unicode properties of the running engine, as RFC 8264 §8 and §9 describe, not from a
// frozen list: a new Unicode version comes with a new Node.js.
import { JOINS_NEXT, JOINS_PREVIOUS, VIRAMA } from './unicode-tables.ts'

// RFC 8264 §8, from top to bottom. Unassigned characters, controls, private use and surrogates are in none of the general
// categories named here. HasCompat (§9.17) is a comparison of the whole string, see `hasCompat`.
// In the order of the sets that are taken away: PrecisIgnorableProperties (§9.13), OldHangulJamo (§9.9), and the
// DISALLOWED of Exceptions (§9.6). In the order of those put in: ASCII7 (§9.11), Exceptions PVALID, Exceptions CONTEXTO,
// JoinControl (§9.8).
const IDENTIFIER =
  /^[[[\p{Ll}\p{Lu}\p{Lo}\p{Nd}\p{Lm}\p{Mn}\p{Mc}]--[\p{Default_Ignorable_Code_Point}\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]][\x21-\x7e\u06fd\u06fe\u0f0b\u3007\u00b7\u0375\u05f3\u05f4\u30fb\u200c\u200d]]+$/v
const FREEFORM =
  /^[[[\p{L}\p{N}\p{M}\p{Zs}\p{S}\p{P}]--[\p{Default_Ignorable_Code_Point}\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]][\u200c\u200d]]+$/v

/** Characters that need a look at their surroundings (RFC 5892 appendix A). */
const CONTEXTUAL = /\u200d|[\u00b7\u0375\u05f3\u05f4\u200c\u30fb\u0660-\u0669\u06f0-\u06f9]/

/** RFC 5892 appendix A.1 to A.5: each of these finds a character in the wrong place. */
const MISPLACED: readonly RegExp[] = [
  new RegExp(
    `(?<![${VIRAMA}])\\u200c(?:(?<![${JOINS_NEXT}][\\p{Mn}\\p{Me}]*\\u200c)|(?![\\p{Mn}\\p{Me}]*[${JOINS_PREVIOUS}]))`,
    'u',
  ),
  new RegExp(`(?<![${VIRAMA}])\\u200d`, 'u'),
  /(?<!l)\u00b7|\u00b7(?!l)/u,
  /\u0375(?!\p{Script=Greek})/u,
  /(?<!\p{Script=Hebrew})[\u05f3\u05f4]/u,
]

// Directions (RFC 5893 §2). JavaScript has no \p{Bidi_Class}. For the characters that IdentifierClass allows, the
// classes follow from the blocks set aside for right-to-left scripts (Unicode Standard Annex #9, table 4) and the general
// category; compared with the tables of Unicode 14, all but six agree. Those six are marks of left-to-right scripts that
// count as L and are taken for NSM here, which nobody notices: NSM may stand wherever such a script may. R and AL are one
// class, as the rule never tells them apart, and so are ES, CS, ET, ON and BN.
const NSM = /[\p{Mn}\p{Me}]/u
const ARABIC_NUMBER = /[\u0660-\u0669\u066b\u066c\u06dd\u08e2\u{10d30}-\u{10d39}]/u
const EUROPEAN_NUMBER = /[0-9\u06f0-\u06f9]/
const RIGHT_TO_LEFT =
  /[[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]&&[\p{L}\p{Nd}\p{Mc}\p{So}\p{Po}]]/v
const NEUTRAL =
  /[\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e\u00b7\u02b9\u02ba\u02c6-\u02cf\u02ec\u0374\u0375\u2e2f\ua67f\ua717-\ua71f\ua788\u30fb\u200c\u200d]/

/** Fullwidth and halfwidth characters (RFC 8264 §5.2.1), except Hangul ones: those stay, and are refused (§9.17). */
const WIDE = /[\u3000\uff01-\uff9f\uffe0-\uffee]/g

/**
 * A user name in its one form, or undefined if it is none: UsernameCaseMapped (RFC 8265 §3.3). Case mapping is Unicode's
 * toLowerCase without regard to language, as in §3.3.3 there.
 */
export function usernameCaseMapped(text: string): string | undefined {
  return settled(text, (name) => {
    const mapped = mapWidth(name).toLowerCase().normalize('NFC')
    return identifierClass(mapped) && bidiRule(mapped) ? mapped : undefined
  })
}

/** Free text such as a resourcepart in its one form, or undefined if it is refused: OpaqueString (RFC 8265 §4.2). */
export function opaqueString(text: string): string | undefined {
  return settled(text, (free) => {
    const mapped = free.replace(/\p{Zs}/gu, ' ').normalize('NFC')
    return FREEFORM.test(mapped) && wellPlaced(mapped) ? mapped : undefined
  })
}

/**
 * A nickname in its one form, or undefined if it is none: Nickname (RFC 8266 §2.3), as it is shown. Two are the same if
 * their `nicknameKey`s are.
 */
export function nickname(text: string): string | undefined {
  return settled(text, (nick) => {
    const mapped = nick
      .replace(/\p{Zs}+/gu, ' ')
      .replace(/^ | $/g, '')
      .normalize('NFKC')
    return FREEFORM.test(mapped) && wellPlaced(mapped) ? mapped : undefined
  })
}

/** What tells nicknames apart (RFC 8266 §2.4). @param nick as `nickname` gave it */
export function nicknameKey(nick: string): string {
  return nickname(nick.toLowerCase()) ?? nick
}

/** Whether all of it is allowed in names, context included (RFC 8264 §4.2); for text in NFC. */
export function identifierClass(text: string): boolean {
  return IDENTIFIER.test(text) && !hasCompat(text) && wellPlaced(text)
}

/** The Bidi Rule, for text that has right-to-left characters in it; all other text passes (RFC 5893 §2). */
export function bidiRule(text: string): boolean {
  if (!ARABIC_NUMBER.test(text) && !RIGHT_TO_LEFT.test(text)) return true
  const classes = Array.from(text, direction).join('')
  // It has such a character, so it must begin with one (rules 1 and 5) and keep to the rules 2 and 3.
  if (!/^r(?:[raenm]*[rae])?m*$/.test(classes)) return false
  return !(classes.includes('a') && classes.includes('e'))
}

/** Maps fullwidth and halfwidth characters to the ordinary ones (RFC 8264 §5.2.1). */
export function mapWidth(text: string): string {
  return text.replace(WIDE, (char) => char.normalize('NFKC'))
}

/**
 * Applies the rules until they change nothing more, at most three times again (RFC 8264 §7), so that a prepared string is
 * always its own preparation.
 */
function settled(text: string, apply: (text: string) => string | undefined): string | undefined {
  let before = text
  for (let round = 0; round < 4; round++) {
    const after = apply(before)
    if (after === before || after === undefined) return after
    before = after
  }
  return undefined
}

/** HasCompat (RFC 8264 §9.17). In a string in NFC, one such character makes the whole string differ from its NFKC. */
function hasCompat(text: string): boolean {
  return text.normalize('NFKC') !== text
}

/** The contextual rules (RFC 5892 appendix A). */
function wellPlaced(text: string): boolean {
  if (!CONTEXTUAL.test(text)) return true
  if (MISPLACED.some((pattern) => pattern.test(text))) return false
  if (text.includes('\u30fb') && !/[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u.test(text)) return false
  return !(/[\u0660-\u0669]/.test(text) && /[\u06f0-\u06f9]/.test(text))
}

/** The direction of one character: r (R, AL), a (AN), e (EN), m (NSM), n (neutral), l (L). */
function direction(char: string): string {
  if (NSM.test(char)) return 'm'
  if (ARABIC_NUMBER.test(char)) return 'a'
  if (EUROPEAN_NUMBER.test(char)) return 'e'
  if (RIGHT_TO_LEFT.test(char)) return 'r'
  return NEUTRAL.test(char) ? 'n' : 'l'
}
