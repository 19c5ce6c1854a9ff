// SPDX-License-Identifier: Apache-2.0
// What clients do, done by two throw-away accounts: logging in by each mechanism, archive, upload, a room, a relay for calls.
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Check } from '../../appliance/check.ts'
import { archive } from '../compliance/checks/chat.ts'
import { leaveRoom, rooms } from '../compliance/checks/rooms.ts'
import { relay, upload } from '../compliance/checks/services.ts'
import { fast, sasl2 } from '../compliance/checks/streams.ts'
import { Lab, type Transport } from '../compliance/lab.ts'
import { authenticate, type Credentials, MECHANISMS } from '../compliance/login.ts'
import { Missing, Unseen } from '../compliance/missing.ts'
import { placesOf, webOf } from '../own-places.ts'
import { bad, check, na, ok, type Seen, type Subject, type Ward } from './subject.ts'

/** How long all of it may take, in ms. */
const TIME = 60_000
const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'

/** The checks. */
export function clientWard(subject: Subject): Ward {
  const visit = new Visit(subject)
  const checks: Check[] = [
    ...(['starttls', 'tls'] as const).map((way) => transportCheck(visit, subject, way)),
    ...MECHANISMS.map((name) => mechanismCheck(visit, name)),
    visit.check('login.sasl2', 'logging in by SASL2', sasl2, 'See docs/deviations.md.'),
    visit.check('login.fast', 'logging in by a token', fast, 'See docs/deviations.md.'),
    visit.check('archive', 'a message in the archive', archive, 'Look into the log; "archive" in docs/OPTIONS.md.'),
    subject.config.uploads.maxBytes === 0
      ? check('upload', 'an upload', async () => na('Uploads are turned off.'))
      : visit.check(
          'upload',
          'an upload, and its download',
          upload,
          'Look whether `http.url` leads to this server, and at the disk.',
        ),
    visit.check('room', 'a room', rooms, 'Look into the log.'),
    relayCheck(visit),
  ]
  return { title: 'Clients', checks, close: () => visit.end() }
}

/** One look with two accounts, which are made when the first check wants them. */
class Visit {
  readonly #subject: Subject
  readonly #made: string[] = []
  #lab: Promise<Lab> | undefined

  constructor(subject: Subject) {
    this.#subject = subject
  }

  lab(): Promise<Lab> {
    this.#lab ??= this.#begin()
    return this.#lab
  }

  /** A check of `aenigma compliance`. */
  check(id: string, about: string, look: (lab: Lab) => Promise<string>, fix: string): Check {
    return check(id, about, async () => {
      const lab = await this.lab()
      return seen(() => look(lab), fix)
    })
  }

  /** Both accounts go, whatever happened. */
  async end(): Promise<void> {
    const lab = await this.#lab?.catch(() => undefined) // why there is none was told by each check
    if (lab) await leaveRoom(lab).catch(() => undefined) // it goes with its owner's account at the latest
    lab?.close()
    for (const jid of this.#made) await this.#subject.ask('user.rm', { jid })
  }

  async #begin(): Promise<Lab> {
    const { config, status } = this.#subject
    const domain = status.hosts[0] ?? 'localhost'
    const [first, second] = [await this.#account(domain), await this.#account(domain)]
    const file = join(config.data, 'tls', 'ca.crt')
    const authority = config.trial && existsSync(file) ? { authority: await readFile(file, 'utf8') } : {}
    const common = { domain, lenient: true, ...authority } // certificates are looked at by themselves
    const web = webOf(status.listening)
    const places = placesOf(status.listening, common)
    return new Lab({ domain, places, announced: undefined, web, first, second }, AbortSignal.timeout(TIME))
  }

  async #account(domain: string): Promise<Credentials> {
    const [username, password] = [`doctor-${randomBytes(8).toString('hex')}`, randomBytes(18).toString('base64url')]
    await this.#subject.ask('user.add', { jid: `${username}@${domain}`, password })
    this.#made.push(`${username}@${domain}`)
    return { username, password }
  }
}

async function seen(look: () => Promise<string>, fix: string): Promise<Seen> {
  try {
    return ok(sentence(await look()))
  } catch (error) {
    if (error instanceof Unseen) return na(sentence(error.message))
    if (!(error instanceof Error)) throw error
    const cause = error.cause instanceof Error && error.cause.message !== '' ? `: ${error.cause.message}` : ''
    return bad('error', sentence(`${error.message}${cause}`), fix)
  }
}

function transportCheck(visit: Visit, subject: Subject, way: Transport): Check {
  const about = way === 'tls' ? 'a login with TLS from the start' : 'a login with STARTTLS'
  return check(`login.${way}`, about, async () => {
    if (!placesOf(subject.status.listening, { domain: '' })[way]) return na('Nothing listens for it.')
    const lab = await visit.lab()
    return seen(async () => {
      const client = await lab.session(lab.target.first, way)
      await client.settles()
      client.leaves()
      return 'logged in'
    }, 'Look into the log.')
  })
}

function mechanismCheck(visit: Visit, name: (typeof MECHANISMS)[number]): Check {
  return check(`login.${name.toLowerCase()}`, `logging in by ${name}`, async () => {
    const lab = await visit.lab()
    const client = await lab.door()
    const offered = client.features.child('mechanisms', NS_SASL)?.childrenNamed('mechanism') ?? []
    if (!offered.some(({ text }) => text === name)) return na('It is not offered.')
    return seen(async () => {
      await authenticate(client, lab.target.first, name)
      client.leaves()
      return 'logged in'
    }, 'Set the password of an account anew: "aenigma user passwd"; look into the log.')
  })
}

/** A relay that is not there is nobody's mistake. */
function relayCheck(visit: Visit): Check {
  return check('turn', 'a relay for calls', async () => {
    const lab = await visit.lab()
    try {
      return ok(`Named: ${await relay('turn')(lab)}. Whether it relays was not tried.`)
    } catch (error) {
      if (error instanceof Missing && error.message.startsWith('no TURN')) return na('None is named.')
      if (error instanceof Missing)
        return bad('error', sentence(error.message), 'Look at `externalServices` in docs/OPTIONS.md.')
      throw error
    }
  })
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`
}
