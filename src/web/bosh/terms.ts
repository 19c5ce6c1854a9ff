// SPDX-License-Identifier: Apache-2.0
// What is agreed at the start of a session (XEP-0124 §7): what the client asks for, within our bounds.
import type { Attributes } from '../../xml/element.ts'

/** How long a request is held back, in seconds. */
const WAIT_MAX = 60
/** How long a client may have no request waiting, in seconds; web pages in the background are woken once a minute. */
const INACTIVITY = 75
const POLLING_INACTIVITY = 120
/** How often a client that polls may ask in vain, in seconds. */
const POLLING = 2
const PAUSE_MAX = 300
/** The version of XEP-0124 that we know, after its "1.". */
const MINOR = 11

/** What holds for a session, times in seconds. */
export interface Terms {
  readonly wait: number
  /** Requests that are held back at a time. */
  readonly hold: number
  /** Requests at a time. */
  readonly requests: number
  /** Between two empty requests; 0 if the client does not poll. */
  readonly polling: number
  readonly inactivity: number
  readonly maxpause: number
  /** The same for the client. */
  readonly attrs: Attributes
}

/** What holds for a session. @param attrs of its first request */
export function sessionTerms({ wait, hold, ver }: Attributes): Terms {
  const terms = { wait: atMost(wait, WAIT_MAX), hold: atMost(hold, 1) }
  const polls = terms.wait === 0 || terms.hold === 0
  const held = polls ? 0 : terms.hold
  const all = {
    wait: terms.wait,
    hold: held,
    requests: held + 1,
    polling: polls ? POLLING : 0,
    inactivity: polls ? POLLING_INACTIVITY : INACTIVITY,
    maxpause: PAUSE_MAX,
  }
  const said = Object.entries({ ...all, polling: all.polling || undefined })
  const attrs = Object.fromEntries(
    said.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  )
  return { ...all, attrs: { ...attrs, ver: versionOf(ver) } }
}

function atMost(wanted: string | undefined, most: number): number {
  return wanted !== undefined && /^\d{1,6}$/.test(wanted) ? Math.min(Number(wanted), most) : most
}

/** The lower one of theirs and ours. */
function versionOf(theirs: string | undefined): string {
  const minor = /^1\.(\d{1,3})$/.exec(theirs ?? '')?.[1]
  return `1.${Math.min(minor === undefined ? MINOR : Number(minor), MINOR)}`
}
