// SPDX-License-Identifier: Apache-2.0
// What clients do, done by two throw-away accounts: logging in by each mechanism, archive, upload, a room, a relay for calls.
import type { Check } from '../../appliance/check.ts'
import type { Ward } from '../../appliance/examine.ts'
import { authoritiesOf } from '../../net/probes/tls-probe.ts'
import { archive } from '../compliance/checks/chat.ts'
import { rooms } from '../compliance/checks/rooms.ts'
import { abuseContact, slotOf, upload, uploadFromPages } from '../compliance/checks/services.ts'
import { fast, registration, sasl2 } from '../compliance/checks/streams.ts'
import { bosh, websocket } from '../compliance/checks/web.ts'
import type { Client } from '../compliance/client.ts'
import type { Lab, Transport } from '../compliance/lab.ts'
import { authenticate, authenticateByToken, authenticateQuickly, MECHANISMS, type Way } from '../compliance/login.ts'
import { Missing, Unseen } from '../compliance/missing.ts'
import { placesOf, webOf } from '../own-places.ts'
import { relayChecks } from './relays.ts'
import { check, na, ok, type Subject } from './subject.ts'
import { loggedInOnce, seen, Visit } from './visit.ts'

const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const NS_BINDING = 'urn:xmpp:sasl-cb:0'
const BINDINGS = ['tls-exporter', 'tls-server-end-point'] as const
const BOUND_TOKEN = 'HT-SHA-256-EXPR'

/** Every way to log in with a password, by the name under which it is offered. */
const WAYS: readonly (readonly [string, Way])[] = [
  ...MECHANISMS.map((mechanism) => [`${mechanism}-PLUS`, { mechanism, binding: 'tls-server-end-point' }] as const),
  ...MECHANISMS.map((mechanism) => [mechanism, { mechanism }] as const),
  ['PLAIN', { mechanism: 'PLAIN' }],
]

/** The checks. */
export function clientWard(subject: Subject): Ward {
  const visit = new Visit(subject)
  const { authorities: file } = subject.config.federation
  const authorities = file === undefined ? undefined : authoritiesOf(file)
  const checks: Check[] = [
    ...(['starttls', 'tls'] as const).map((way) => transportCheck(visit, subject, way)),
    ...WAYS.map(([name, way]) => mechanismCheck(visit, name, way)),
    ...(['starttls', 'tls'] as const).map((way) => bindingCheck(visit, way)),
    visit.check('login.sasl2', 'logging in by SASL2', sasl2, 'See docs/deviations.md.'),
    visit.check('login.fast', 'logging in by a token', fast, 'See docs/deviations.md.'),
    boundTokenCheck(visit),
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
    ...webChecks(visit, subject),
    ...relayChecks((...look) => visit.looks(...look), authorities),
  ]
  return { title: 'Clients', checks, close: () => visit.end() }
}

/** What browsers use, at the port without TLS that a proxy would use: certificates are looked at by themselves. */
function webChecks(visit: Visit, { status, config }: Subject): readonly Check[] {
  const fix = 'Look into the log; `listen.https` and `http.url` in docs/OPTIONS.md.'
  const ways = [
    ['web.websocket', 'a login from a browser, by WebSocket', websocket],
    ['web.bosh', 'a login from a browser, by BOSH', bosh],
    ['web.upload', 'an upload from a web page of others', pageUpload],
  ] as const
  const served = webOf(status.listening) !== undefined
  return [
    ...ways.map(([id, about, look]) => {
      if (!served) return check(id, about, async () => na('`listen.http` is off, by which this would be looked at.'))
      if (id === 'web.upload' && config.uploads.maxBytes === 0)
        return check(id, about, async () => na('Uploads are turned off.'))
      return visit.check(id, about, look, fix)
    }),
    visit.looks('registration', 'who may make an account', async (lab) => {
      const open = await isDone(() => registration(lab))
      if (!open) return ok('Only who was invited.')
      const close = 'Set `registration: closed`: spammers look for such servers.'
      return { level: 'info', found: 'Everybody may make an account.', fix: close }
    }),
    visit.looks('contacts', 'whom others tell about abuse (XEP-0157)', async (lab) => {
      await loggedInOnce(lab)
      if (await isDone(() => abuseContact(lab))) return ok('Somebody is named.')
      return { level: 'info', found: 'Nobody is named.', fix: 'Name an address in `contacts.abuse`.' }
    }),
  ]
}

/** Why there is no place for a file is told by `upload`. */
async function pageUpload(lab: Lab): Promise<string> {
  await slotOf(lab).catch(() => {
    throw new Unseen('there is no place for a file')
  })
  return uploadFromPages(lab)
}

async function isDone(look: () => Promise<string>): Promise<boolean> {
  try {
    await look()
    return true
  } catch (error) {
    if (error instanceof Missing) return false
    throw error
  }
}

function transportCheck(visit: Visit, subject: Subject, way: Transport): Check {
  const about = way === 'tls' ? 'a login with TLS from the start' : 'a login with STARTTLS'
  return visit.looks(`login.${way}`, about, async (lab) => {
    if (!placesOf(subject.status.listening, { domain: '' })[way]) return na('Nothing listens for it.')
    return seen(async () => {
      const client = await lab.session(lab.target.first, way)
      await client.settles()
      client.leaves()
      return 'logged in'
    }, 'Look into the log.')
  })
}

function mechanismCheck(visit: Visit, name: string, way: Way): Check {
  return visit.looks(`login.${name.toLowerCase()}`, `logging in by ${name}`, async (lab) => {
    const client = await lab.door()
    if (!mechanismsOf(client).includes(name)) return na('It is not offered.')
    return seen(
      () => loggedIn(client, lab, way),
      'Set the password of an account anew: "aenigma user passwd"; look into the log.',
    )
  })
}

/** Each kind of channel binding that is announced at a port must fit what the client sees there (XEP-0440). */
function bindingCheck(visit: Visit, way: Transport): Check {
  const where = way === 'tls' ? 'TLS from the start' : 'STARTTLS'
  return visit.looks(`login.binding-${way}`, `logins bound to the connection, with ${where}`, async (lab) => {
    if (!lab.target.places[way]) return na('Nothing listens for it.')
    const { features } = await lab.door(way)
    const announced = features.child('sasl-channel-binding', NS_BINDING)?.elements.map(({ attrs }) => attrs.type) ?? []
    const types = BINDINGS.filter((type) => announced.includes(type))
    if (types.length === 0) return na('None is announced.')
    return seen(async () => {
      for (const binding of types) await loggedIn(await lab.door(way), lab, { mechanism: 'SCRAM-SHA-256', binding })
      return `logged in by ${types.join(' and ')}`
    }, 'Something between clients and the server ends TLS: let it pass the bytes on as they are.')
  })
}

/** A token that is good for this connection only. */
function boundTokenCheck(visit: Visit): Check {
  return visit.looks('login.fast-bound', 'logging in by a token that is bound to the connection', async (lab) => {
    return seen(async () => {
      const { token } = await authenticateQuickly(await lab.door(), lab.target.first, BOUND_TOKEN)
      if (!token) throw new Unseen('none is offered')
      await authenticateByToken(await lab.door(), lab.target.first.username, token)
      return `logged in by ${BOUND_TOKEN}`
    }, 'Look into the log.')
  })
}

async function loggedIn(client: Client, lab: Lab, way: Way): Promise<string> {
  await authenticate(client, lab.target.first, way)
  client.leaves()
  return 'logged in'
}

function mechanismsOf({ features }: Client): readonly string[] {
  return (
    features
      .child('mechanisms', NS_SASL)
      ?.childrenNamed('mechanism')
      .map(({ text }) => text) ?? []
  )
}
