// SPDX-License-Identifier: Apache-2.0
// The form in which a password is hashed. SCRAM names SASLprep (RFC 5802 §5.1; RFC 4013), RFC 8265 would have OpaqueString.
// Both sides must hash the same bytes, and XMPP clients run SASLprep or nothing, so SASLprep it is: for passwords that
// compatibility normalisation leaves alone, which is nearly all, the three agree. Two of its rules are left out because
// they only ever refuse, and a client that has them refuses by itself: those about direction and about characters that
// Unicode 3.2 did not know (an emoji is a fine part of a password).

/** In UTF-16 units: nobody types more, and PBKDF2 must not be fed more. */
const MAX_PASSWORD = 1024
/** Non-ASCII spaces (RFC 3454 table C.1.2), mapped to a space (RFC 4013 §2.1). */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g
/** Commonly mapped to nothing (RFC 3454 table B.1). */
const NOTHING = /\u034f|\u200d|[\u180b-\u180d]|[\ufe00-\ufe0f]|[\u00ad\u1806\u200c\u2060\ufeff]/g
/** Controls, private use, surrogates, non-characters, and what is unfit for plain text (RFC 4013 §2.3). */
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u06dd\u070f\u180e\u2028\u2029\u2061-\u2063\u206a-\u206f\u{1d173}-\u{1d17a}\ufff9-\ufffd\u2ff0-\u2ffb\u200e\u200f\u202a-\u202e\u{e0001}\u{e0020}-\u{e007f}]/u

/** A password as it is hashed, or undefined if it cannot be one: SASLprep (RFC 4013 §2) without its rules 2.4 and 2.5. */
export function preparePassword(password: string): string | undefined {
  if (password.length > MAX_PASSWORD) return undefined
  const prepared = password.replace(SPACES, ' ').replace(NOTHING, '').normalize('NFKC')
  return prepared === '' || PROHIBITED.test(prepared) ? undefined : prepared
}
