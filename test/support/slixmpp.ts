// SPDX-License-Identifier: Apache-2.0
// Scenarios in Python (`test/interop/slixmpp/`) against a running server.
import assert from 'node:assert/strict'
import { type Aenigma, type Bench, startSlixmpp } from './process.ts'

/** One thing that a scenario saw. */
export type Fact = Readonly<Record<string, unknown>>

/** An account. */
export interface User {
  readonly name: string
  readonly password: string
}

/** What plays scenarios. */
export interface Slixmpp {
  /** A new account. */
  newUser(name: string): Promise<User>
  couple(): Promise<{ readonly romeo: User; readonly juliet: User }>
  /** Plays a scenario to its end. @returns what it saw, in order */
  play(script: string, scenario: string, settings: object): Promise<readonly Fact[]>
}

/** @param running the server, once it runs @param more what scripts must know of it */
export function slixmpp(of: Bench, running: () => Aenigma, more: object = {}): Slixmpp {
  let users = 0
  const newUser = async (name: string): Promise<User> => {
    const user = { name: `${name}${++users}`, password: `Parolă ${users} ñ,=` }
    await running().addUser(user.name, user.password)
    return user
  }
  return {
    newUser,
    couple: async () => ({ romeo: await newUser('romeo'), juliet: await newUser('juliet') }),
    async play(script, scenario, settings) {
      const { ports, ca } = running()
      const { starttls, tls } = ports
      const child = startSlixmpp(of, script, scenario, { server: { starttls, tls, ca, ...more }, ...settings })
      await child.succeeds(60_000)
      return child.lines.map((line) => JSON.parse(line))
    },
  }
}

/** The one thing of that kind, checked for what else it must have. */
export function only(facts: readonly Fact[], wanted: Fact): Fact {
  const found = facts.filter((fact) => Object.entries(wanted).every(([key, value]) => fact[key] === value))
  const [fact] = found
  assert.ok(fact && found.length === 1, `one ${JSON.stringify(wanted)} in ${JSON.stringify(facts)}`)
  return fact
}
