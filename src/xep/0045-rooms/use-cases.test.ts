// SPDX-License-Identifier: Apache-2.0
// Every numbered use case of XEP-0045, and the tests that are its conversation: their names begin with its number. What
// stands here without a test is a place where the text leaves the choice, and what we chose.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

/** Number and name of each use case; the file its tests are in, or why there is none. */
const USE_CASES: readonly (readonly [section: string, name: string, where: string])[] = [
  ['6.1', 'Discovering a MUC Service', 'entity'],
  ['6.2', 'Discovering the Features Supported by a MUC Service', 'entity'],
  ['6.3', 'Discovering Rooms', 'entity'],
  ['6.4', 'Querying for Room Information', 'entity'],
  ['6.5', 'Querying for Room Items', 'entity'],
  ['6.6', 'Querying a Room Occupant', 'entity'],
  ['6.7', 'Discovering Client Support for MUC', 'entity'],
  ['7.1', 'Order of Events', 'enter'],
  ['7.2.1', 'Basic MUC Protocol', 'enter'],
  ['7.2.2', 'Presence Broadcast', 'enter'],
  ['7.2.3', 'Non-Anonymous Rooms', 'enter'],
  ['7.2.4', 'Semi-Anonymous Rooms', 'enter'],
  ['7.2.5', 'Password-Protected Rooms', 'enter'],
  ['7.2.6', 'Members-Only Rooms', 'enter'],
  ['7.2.7', 'Banned Users', 'enter'],
  ['7.2.8', 'Nickname Conflict', 'enter'],
  ['7.2.9', 'Max Users', 'enter'],
  ['7.2.10', 'Locked Room', 'enter'],
  ['7.2.11', 'Nonexistent Room', 'enter'],
  ['7.2.12', 'Room Logging', 'enter'],
  ['7.2.13', 'Discussion History', 'enter'],
  ['7.2.14', 'Managing Discussion History', 'enter'],
  ['7.2.15', 'Room Subject', 'enter'],
  ['7.2.16', 'Live Messages', 'enter'],
  ['7.2.17', 'Error Conditions', 'every condition of the table is in the tests of 7.2, 7.6 and 10.1.1'],
  ['7.2.18', 'Groupchat 1.0 Protocol', 'enter'],
  ['7.3', 'Occupant Modification of the Room Subject', 'occupant'],
  ['7.4', 'Sending a Message to All Occupants', 'occupant'],
  ['7.5', 'Sending a Private Message', 'occupant'],
  ['7.6', 'Changing Nickname', 'occupant'],
  ['7.7', 'Changing Availability Status', 'occupant'],
  ['7.8.1', 'Direct Invitation', 'occupant'],
  ['7.8.2', 'Mediated Invitation', 'occupant'],
  ['7.9', 'Converting a One-to-One Chat Into a Multi-User Conference', 'occupant'],
  ['7.10', 'Registering with a Room', 'occupant'],
  ['7.11', 'Getting the Member List', 'occupant'],
  ['7.12', 'Discovering Reserved Room Nickname', 'occupant'],
  ['7.13', 'Requesting Voice', 'occupant'],
  ['7.14', 'Exiting a Room', 'occupant'],
  ['8.1', 'Modifying the Room Subject', 'moderator'],
  ['8.2', 'Kicking an Occupant', 'moderator'],
  ['8.3', 'Granting Voice to a Visitor', 'moderator'],
  ['8.4', 'Revoking Voice from a Participant', 'moderator'],
  ['8.5', 'Modifying the Voice List', 'moderator'],
  ['8.6', 'Approving Voice Requests', 'moderator'],
  ['9.1', 'Banning a User', 'admin'],
  ['9.2', 'Modifying the Ban List', 'admin'],
  ['9.3', 'Granting Membership', 'admin'],
  ['9.4', 'Revoking Membership', 'admin'],
  ['9.5', 'Modifying the Member List', 'admin'],
  ['9.6', 'Granting Moderator Status', 'admin'],
  ['9.7', 'Revoking Moderator Status', 'admin'],
  ['9.8', 'Modifying the Moderator List', 'admin'],
  ['9.9', 'Approving Registration Requests', 'admin'],
  ['10.1.1', 'Creating a Room: General Considerations', 'owner'],
  ['10.1.2', 'Creating an Instant Room', 'owner'],
  ['10.1.3', 'Creating a Reserved Room', 'owner'],
  ['10.2', 'Subsequent Room Configuration', 'owner'],
  ['10.2.1', 'Notification of Configuration Changes', 'owner'],
  ['10.3', 'Granting Owner Status', 'owner'],
  ['10.4', 'Revoking Owner Status', 'owner'],
  ['10.5', 'Modifying the Owner List', 'owner'],
  ['10.6', 'Granting Admin Status', 'owner'],
  ['10.7', 'Revoking Admin Status', 'owner'],
  ['10.8', 'Modifying the Admin List', 'owner'],
  ['10.9', 'Destroying a Room', 'owner'],
  ['11.1', 'Service removes user because of error response', 'service'],
  ['11.2', 'Service removes user because of service shut down', 'service'],
  ['18.1.1', 'Allowable Traffic', 'entity'],
  ['18.1.2', 'Ghost Users', 'service'],
]

/** What codes of §16.6 no test sees, and why. */
const UNSENT: Readonly<Record<string, string>> = {
  101: 'nobody is written to because an affiliation changed: who is made a member is invited instead',
  102: 'those who are not in the room are never shown as being in it',
  103: 'the same',
  332: 'a restart is a pause: those in the room are in it afterwards',
}

const CODES = '100 101 102 103 104 110 170 171 172 173 201 210 301 303 307 321 322 332 333'

const files = new Map(
  globSync('src/xep/0045-rooms/*.test.ts').map((file) => [
    file.replace(/^.*\/|\.test\.ts$/g, ''),
    readFileSync(file, 'utf8'),
  ]),
)

test('every numbered use case has its conversation', () => {
  const missing = USE_CASES.filter(([section, , where]) => {
    const text = files.get(where)
    if (text === undefined) return !where.includes(' ')
    const pattern = new RegExp(`^test\\('(?:§[\\d.]+, )*§${section.replaceAll('.', '\\.')}[:,]`, 'm')
    return !pattern.test(text)
  })
  assert.deepEqual(missing, [])
})

test('every status code is in some conversation', () => {
  const all = [...files]
    .filter(([name]) => name !== 'use-cases')
    .map(([, text]) => text)
    .join('\n')
  const missing = CODES.split(' ').filter((code) => !new RegExp(`\\b${code}\\b`).test(all))
  assert.deepEqual(missing, Object.keys(UNSENT))
})
