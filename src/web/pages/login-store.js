// SPDX-License-Identifier: Apache-2.0
// What this browser remembers of a login: the address and a token that the server can take back (XEP-0484). Never a password.
const LOGIN = 'aenigma-login'
const AGENT = 'aenigma-agent'

/** The mechanism of our tokens: a web page cannot know which TLS connection it is on, so without channel binding. */
export const MECHANISM = 'HT-SHA-256-NONE'

/** The id of this browser profile, which the tokens are bound to (XEP-0388 §2.3). */
export function agentId() {
  let id = localStorage.getItem(AGENT)
  if (!id) {
    id = crypto.randomUUID()
    localStorage.setItem(AGENT, id)
  }
  return id
}

/** @returns {{ jid: string, token: string, expiry: string } | undefined} */
export function savedLogin() {
  const text = localStorage.getItem(LOGIN)
  if (!text) return undefined
  try {
    const { jid, token, expiry } = JSON.parse(text)
    if (typeof jid === 'string' && typeof token === 'string' && Date.parse(expiry) > Date.now())
      return { jid, token, expiry }
  } catch {
    // Not ours, or of a version to come: as if there were none.
  }
  forgetLogin()
  return undefined
}

/** Keeps a login for the next time. */
export function saveLogin({ jid, token, expiry }) {
  localStorage.setItem(LOGIN, JSON.stringify({ jid, token, expiry }))
}

/** Forgets it. */
export function forgetLogin() {
  localStorage.removeItem(LOGIN)
}

/** What the owner will see in the list of clients. */
export function deviceName() {
  const agent = navigator.userAgent
  const browser = ['Firefox', 'Edg', 'OPR', 'Chrome', 'Safari'].find((name) => agent.includes(name)) ?? 'Browser'
  const system = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac', 'Linux'].find((name) => agent.includes(name))
  const names = { Edg: 'Edge', OPR: 'Opera' }
  return system ? `${names[browser] ?? browser}, ${system}` : (names[browser] ?? browser)
}
