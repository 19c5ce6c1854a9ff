// SPDX-License-Identifier: Apache-2.0
// The form by which a room is set up (XEP-0045 §10.1.3, §16.5.3).
import type { Element } from '../../xml/element.ts'
import { type Answers, type Field, type Form, formElement, problemOf } from '../../xmpp/0004-data-forms.ts'
import type { RoomConfig } from './config.ts'
import { HISTORY_MOST } from './history.ts'
import { TEXT_MAX } from './limits.ts'
import { refusal } from './names.ts'
import type { Room } from './room.ts'

/** §16.5.3. */
export const NS_CONFIG = 'http://jabber.org/protocol/muc#roomconfig'
const PASSWORD_MAX = 256

const ROLES = ['visitor', 'participant', 'moderator'] as const
const WHO_WRITES = ['anyone', 'participants', 'moderators', 'none'] as const
const WHO_SEES = ['anyone', 'moderators'] as const
const LABELS: Readonly<Record<string, string>> = {
  visitor: 'Visitors',
  participant: 'Participants',
  moderator: 'Moderators',
  anyone: 'Anyone',
  participants: 'Anyone with voice',
  moderators: 'Moderators only',
  none: 'None',
}

/** The form with what the room is now. @param most clients that a room may have */
export function configForm(room: Room, most: number): Element {
  return formElement(formOf(room, most))
}

function formOf(room: Room, most: number): Form {
  const { config, jid } = room
  return {
    formType: NS_CONFIG,
    title: `Configuration of ${jid.key}`,
    instructions: config.locked
      ? 'The room is made, and waits for this form. As it stands it is a private group: for its members only, kept, with an archive.'
      : 'Fill in this form to change the room.',
    fields: [...texts(config), ...flags(config), ...choices(config, most), ...people(room)],
  }
}

function texts(config: RoomConfig): readonly Field[] {
  return [
    text('roomname', 'Name', config.name),
    text('roomdesc', 'Description', config.description),
    text('lang', 'Language', config.language),
    { ...text('roomsecret', 'Password', config.password), type: 'text-private' },
    {
      name: 'muc#maxhistoryfetch',
      type: 'text-single',
      label: 'How many of the last messages those who enter are sent',
      values: [String(config.history)],
    },
  ]
}

function flags(config: RoomConfig): readonly Field[] {
  return [
    flag('publicroom', 'Everybody may find the room', config.listed),
    flag('membersonly', 'Only members may enter', config.membersOnly),
    flag('persistentroom', 'The room stays when nobody is in it', config.persistent),
    flag('passwordprotectedroom', 'A password is needed to enter', config.password !== ''),
    flag('moderatedroom', 'Visitors need a voice to speak', config.moderated),
    flag('changesubject', 'All with a voice may change the subject', config.changeSubject),
    flag('allowinvites', 'Members may invite others', config.allowInvites),
    flag('enablearchiving', 'What is said is kept in an archive', config.archive),
    flag('locknicks', 'Members have the nick that is reserved for them, and no other', config.lockNicks),
  ]
}

function choices(config: RoomConfig, most: number): readonly Field[] {
  const sizes = [...new Set([10, 20, 50, 100, 200, 500, 1000, 2000, config.maxUsers])]
    .filter((size) => size > 0 && size <= most)
    .sort((one, other) => one - other)
  return [
    list('whois', 'list-single', 'Who sees real addresses', WHO_SEES, [config.whois]),
    list('allowpm', 'list-single', 'Who may send private messages', WHO_WRITES, [config.allowPm]),
    list(
      'maxusers',
      'list-single',
      'How many may be in the room',
      [...sizes.map(String), 'none'],
      [config.maxUsers === 0 ? 'none' : String(config.maxUsers)],
    ),
    list('presencebroadcast', 'list-multi', 'Whose coming and going all get to know', ROLES, config.presenceBroadcast),
    list('getmemberlist', 'list-multi', 'Who may see the list of members', ROLES, config.memberList),
  ]
}

function people(room: Room): readonly Field[] {
  return (['admin', 'owner'] as const).map((affiliation) => ({
    name: `muc#roomconfig_room${affiliation}s`,
    type: 'jid-multi',
    label: affiliation === 'admin' ? 'Administrators' : 'Owners',
    values: room.of(affiliation).map(([jid]) => jid),
  }))
}

/** What the room becomes. Throws `not-acceptable` for what it cannot be (§10.1.3). @param most as for `configForm` */
export function answeredConfig(answers: Answers, room: Room, most: number): RoomConfig {
  const { config, jid } = room
  const problem = problemOf(answers, formOf(room, most))
  if (problem) throw refusal(jid, 'modify', 'not-acceptable', problem)
  const read = reader(answers)
  const password = passwordOf(answers, config.password)
  const history = answers.has('muc#maxhistoryfetch') ? Number(answers.text('muc#maxhistoryfetch')) : config.history
  const changed: RoomConfig = {
    ...config,
    name: read.text('roomname', config.name),
    description: read.text('roomdesc', config.description),
    language: read.text('lang', config.language),
    password: password ?? '',
    history: Math.min(history, HISTORY_MOST),
    listed: read.flag('publicroom', config.listed),
    membersOnly: read.flag('membersonly', config.membersOnly),
    persistent: read.flag('persistentroom', config.persistent),
    moderated: read.flag('moderatedroom', config.moderated),
    changeSubject: read.flag('changesubject', config.changeSubject),
    allowInvites: read.flag('allowinvites', config.allowInvites),
    archive: read.flag('enablearchiving', config.archive),
    lockNicks: read.flag('locknicks', config.lockNicks),
    whois: read.one('whois', WHO_SEES, config.whois),
    allowPm: read.one('allowpm', WHO_WRITES, config.allowPm),
    maxUsers: read.size(config.maxUsers),
    presenceBroadcast: read.many('presencebroadcast', config.presenceBroadcast),
    memberList: read.many('getmemberlist', config.memberList),
    locked: false,
  }
  if (password === undefined) throw refusal(jid, 'modify', 'not-acceptable', 'A room with a password needs one.')
  const long = [changed.name, changed.description, changed.language].some((one) => Buffer.byteLength(one) > TEXT_MAX)
  if (long || Buffer.byteLength(password) > PASSWORD_MAX)
    throw refusal(jid, 'modify', 'not-acceptable', 'That is too long.')
  if (!Number.isSafeInteger(history) || history < 0) {
    throw refusal(jid, 'modify', 'not-acceptable', 'The number of messages is a number.')
  }
  return changed
}

/** '' for none; undefined if there has to be one and is not. */
function passwordOf(answers: Answers, before: string): string | undefined {
  const wanted = answers.flag('muc#roomconfig_passwordprotectedroom')
  const given = answers.text('muc#roomconfig_roomsecret')
  if (wanted === false) return ''
  if (wanted === undefined && given === undefined) return before
  if (wanted === undefined && before === '') return '' // §10.1.3: a password alone protects nothing
  return (given ?? before) || undefined
}

function reader(answers: Answers) {
  const value = (name: string): string | undefined => answers.text(`muc#roomconfig_${name}`)
  return {
    text: (name: string, before: string): string => value(name)?.trim() ?? before,
    flag: (name: string, before: boolean): boolean => answers.flag(`muc#roomconfig_${name}`) ?? before,
    one: <T extends string>(name: string, all: readonly T[], before: T): T =>
      all.find((one) => one === value(name)) ?? before,
    many: (name: string, before: RoomConfig['memberList']): RoomConfig['memberList'] =>
      answers.has(`muc#roomconfig_${name}`)
        ? ROLES.filter((role) => answers.texts(`muc#roomconfig_${name}`).includes(role))
        : before,
    size(before: number): number {
      const given = value('maxusers')
      if (given === undefined || given === '') return before
      return given === 'none' ? 0 : Number(given)
    },
  }
}

function flag(name: string, label: string, value: boolean): Field {
  return { name: `muc#roomconfig_${name}`, type: 'boolean', label, values: [value ? '1' : '0'] }
}

function text(name: string, label: string, value: string): Field {
  return { name: `muc#roomconfig_${name}`, type: 'text-single', label, values: [value] }
}

function list(
  name: string,
  type: 'list-single' | 'list-multi',
  label: string,
  all: readonly string[],
  values: readonly string[],
): Field {
  const options = all.map((value) => ({ value, label: LABELS[value] ?? value }))
  return { name: `muc#roomconfig_${name}`, type, label, values, options }
}
