// SPDX-License-Identifier: Apache-2.0
// Two throw-away accounts, made when the first check wants them, and removed when all are done.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Check } from '../../appliance/check.ts'
import type { Dial } from '../../net/probes/client-socket.ts'
import type { AccountInfo } from '../admin.ts'
import { leaveRoom } from '../compliance/checks/rooms.ts'
import { Lab, type Target } from '../compliance/lab.ts'
import type { Credentials } from '../compliance/login.ts'
import { Unseen } from '../compliance/missing.ts'
import { ownSource, placesOf, webOf } from '../own-places.ts'
import { bad, check, na, ok, type Seen, type Subject, sentence } from './subject.ts'

/** How long all of it may take, in ms. */
const TIME = 60_000
/** How our accounts are called, and after what time nobody uses them any more, in ms. */
const PREFIX = 'aenigma-doctor-'
const OURS = new RegExp(`^${PREFIX}[0-9a-f]{16}@`)
const ABANDONED = 3_600_000

/** One look with two accounts, which are made when the first check wants them. */
export class Visit {
  readonly #subject: Subject
  readonly #made: string[] = []
  #lab: Promise<Lab> | undefined
  #told = false

  constructor(subject: Subject) {
    this.#subject = subject
  }

  /** Rejects with the reason if there are no accounts to look with, and from then on with an `Unseen`: one of all checks tells it. */
  async lab(): Promise<Lab> {
    this.#lab ??= this.#begin()
    try {
      return await this.#lab
    } catch (error) {
      if (error instanceof Unseen) throw error
      if (this.#told) throw new Unseen('there are no accounts to look with')
      this.#told = true
      throw error
    }
  }

  /** A check with these accounts. */
  looks(id: string, about: string, look: (lab: Lab) => Promise<Seen>): Check {
    return check(id, about, async () => look(await this.lab()))
  }

  /** A check of `aenigma compliance`, for who is logged in: why nobody could is told by the logins. */
  check(id: string, about: string, look: (lab: Lab) => Promise<string>, fix: string): Check {
    return this.looks(id, about, async (lab) => {
      await loggedInOnce(lab)
      return seen(() => look(lab), fix)
    })
  }

  /** Both accounts go, whatever happened. */
  async end(): Promise<void> {
    const lab = await this.#lab?.catch(() => undefined) // why there is none was told by each check
    if (lab) await leaveRoom(lab).catch(() => undefined) // it goes with its owner's account at the latest
    lab?.close()
    const gone = await Promise.allSettled(this.#made.map((jid) => this.#subject.ask('user.rm', { jid })))
    const left = gone.find((one) => one.status === 'rejected')
    if (left) throw left.reason
  }

  async #begin(): Promise<Lab> {
    const { config, status } = this.#subject
    if (Object.keys(placesOf(status.listening, { domain: '' })).length === 0) {
      throw new Unseen('nothing listens for clients')
    }
    const domain = status.hosts[0] ?? 'localhost'
    await this.#sweep(domain)
    const [first, second] = [await this.#account(domain), await this.#account(domain)]
    const file = join(config.data, 'tls', 'ca.crt')
    const authority = config.trial && existsSync(file) ? { authority: await readFile(file, 'utf8') } : {}
    const common = { domain, lenient: true, ...authority } // certificates are looked at by themselves
    const web = webOf(status.listening)
    const places = fromOneSource(placesOf(status.listening, common))
    return new Lab({ domain, places, announced: undefined, web, first, second }, AbortSignal.timeout(TIME))
  }

  /** A look that was killed left its accounts behind. */
  async #sweep(domain: string): Promise<void> {
    const found = (await this.#subject.ask('user.list', { domain, after: PREFIX })) as readonly AccountInfo[]
    const old = found.filter(({ jid, created }) => OURS.test(jid) && created < this.#subject.now() - ABANDONED)
    for (const { jid } of old) await this.#subject.ask('user.rm', { jid })
  }

  async #account(domain: string): Promise<Credentials> {
    const [username, password] = [`${PREFIX}${randomBytes(8).toString('hex')}`, randomBytes(18).toString('base64url')]
    await this.#subject.ask('user.add', { jid: `${username}@${domain}`, password })
    this.#made.push(`${username}@${domain}`)
    return { username, password }
  }
}

/** Throw-away clients must not use up what real ones from the same address may do in a minute. */
function fromOneSource(places: Target['places']): Target['places'] {
  const from = (place: Dial | undefined): Dial | undefined => place && { ...place, ...ownSource(place.host) }
  const [starttls, tls] = [from(places.starttls), from(places.tls)]
  return { ...(starttls ? { starttls } : {}), ...(tls ? { tls } : {}) }
}

/** Some session of the first account. Rejects with an `Unseen` if there can be none. */
export async function loggedInOnce(lab: Lab): Promise<void> {
  await lab.main().catch(() => {
    throw new Unseen('nobody can log in')
  })
}

/** What a check of `aenigma compliance` comes to. */
export async function seen(look: () => Promise<string>, fix: string): Promise<Seen> {
  try {
    return ok(sentence(await look()))
  } catch (error) {
    if (error instanceof Unseen) return na(sentence(error.message))
    if (!(error instanceof Error)) throw error
    const cause = error.cause instanceof Error && error.cause.message !== '' ? `: ${error.cause.message}` : ''
    return bad('error', sentence(`${error.message}${cause}`), fix)
  }
}
