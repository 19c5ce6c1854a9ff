// SPDX-License-Identifier: Apache-2.0
// The configuration of a node: as a value, as the form that owners see (XEP-0060 §8.2, §16.4.4), and as preconditions of a
// publisher (§7.1.5).
import type { Element } from '../../xml/element.ts'
import {
  type Answers,
  type Field,
  type Form,
  formElement,
  problemOf,
  resultElement,
} from '../../xmpp/0004-data-forms.ts'
import { refusal } from './errors.ts'

/** Most items of one node; what `max` means (XEP-0060 §5.1.1, `config-node-max`). */
export const ITEMS_MAX = 1000
/** Texts of a configuration, in characters. */
const TEXT_MAX = 1000
const GROUPS_MAX = 100

/** The form of XEP-0060 §8.2. */
const NODE_CONFIG = 'http://jabber.org/protocol/pubsub#node_config'
/** The form of XEP-0060 §7.1.5. */
const PUBLISH_OPTIONS = 'http://jabber.org/protocol/pubsub#publish-options'
/** The form of XEP-0060 §5.4. */
const META_DATA = 'http://jabber.org/protocol/pubsub#meta-data'

const ACCESS_MODELS = ['authorize', 'open', 'presence', 'roster', 'whitelist'] as const
const PUBLISH_MODELS = ['publishers', 'subscribers', 'open'] as const
const LAST_ITEM = ['never', 'on_sub', 'on_sub_and_presence'] as const

/** Who may see the items of a node (XEP-0060 §4.5). */
export type AccessModel = (typeof ACCESS_MODELS)[number]

/** How a node behaves. */
export interface NodeConfig {
  readonly access: AccessModel
  readonly publish: (typeof PUBLISH_MODELS)[number]
  readonly groups: readonly string[]
  /** `max`: as many as we allow, however many that are. */
  readonly maxItems: number | 'max'
  readonly persist: boolean
  readonly sendLast: (typeof LAST_ITEM)[number]
  readonly notify: boolean
  readonly payloads: boolean
  readonly notifyRetract: boolean
  readonly notifyDelete: boolean
  readonly notifyConfig: boolean
  readonly messageType: 'headline' | 'normal'
  readonly title: string
  readonly description: string
  readonly payloadType: string
  /** The bare JID of who made a node of a service; its bounds are theirs. */
  readonly creator?: string
}

/** XEP-0163 §5 and XEP-0060 §12: what a node is unless its owner wants something else. */
export const DEFAULT_CONFIG: NodeConfig = {
  access: 'presence',
  publish: 'publishers',
  groups: [],
  maxItems: 1,
  persist: true,
  sendLast: 'on_sub_and_presence',
  notify: true,
  payloads: true,
  notifyRetract: true,
  notifyDelete: true,
  notifyConfig: false,
  messageType: 'headline',
  title: '',
  description: '',
  payloadType: '',
}

/** What a node of a service is unless its owner wants something else: there is no roster to decide who sees it. */
export function serviceConfig(creator: string): NodeConfig {
  return { ...DEFAULT_CONFIG, access: 'open', maxItems: 20, sendLast: 'on_sub', creator }
}

/** What makes no sense at a service. */
const OF_ACCOUNTS = ['presence', 'roster', 'on_sub_and_presence']

/** One field of the form: how it reads and is written. */
interface Setting {
  readonly field: Omit<Field, 'values' | 'name'>
  read(config: NodeConfig): readonly string[]
  write(answers: Answers, name: string): Partial<NodeConfig>
}

const SETTINGS: Readonly<Record<string, Setting>> = {
  'pubsub#title': text('title', 'A title'),
  'pubsub#description': text('description', 'A description'),
  'pubsub#type': text('payloadType', 'The namespace of the payloads'),
  'pubsub#access_model': choice('access', ACCESS_MODELS, 'Who may see the items'),
  'pubsub#publish_model': choice('publish', PUBLISH_MODELS, 'Who may publish'),
  'pubsub#roster_groups_allowed': {
    field: { type: 'text-multi', label: 'Groups of the roster that may see the items' },
    read: ({ groups }) => groups,
    write: (answers, name) => ({ groups: answers.texts(name).filter((group) => group !== '') }),
  },
  'pubsub#max_items': {
    field: { type: 'text-single', label: `How many items are kept: a number, or max (${ITEMS_MAX})` },
    read: ({ maxItems }) => [String(maxItems)],
    write: (answers, name) => ({ maxItems: itemCount(answers.text(name) ?? '') }),
  },
  'pubsub#persist_items': flag('persist', 'Keep the items'),
  'pubsub#send_last_published_item': choice('sendLast', LAST_ITEM, 'When the last item is sent'),
  'pubsub#deliver_notifications': flag('notify', 'Send notifications'),
  'pubsub#deliver_payloads': flag('payloads', 'Send payloads with notifications'),
  'pubsub#notify_retract': flag('notifyRetract', 'Tell when an item is removed'),
  'pubsub#notify_delete': flag('notifyDelete', 'Tell when the node is removed'),
  'pubsub#notify_config': flag('notifyConfig', 'Tell when the configuration changes'),
  'pubsub#notification_type': choice('messageType', ['headline', 'normal'], 'The type of message of notifications'),
}

/** How many items a node keeps. */
export function itemsKept({ persist, maxItems }: NodeConfig): number {
  if (!persist) return 0
  return maxItems === 'max' ? ITEMS_MAX : maxItems
}

/** The form to be filled in (XEP-0060 §8.2.1). */
export function configForm(config: NodeConfig): Element {
  return formElement(formOf(config))
}

/** What everybody who sees the node may know of it (XEP-0060 §5.4). @param items how many it has */
export function metaData(config: NodeConfig, owners: readonly string[], items: number): Element {
  const shown = ['pubsub#title', 'pubsub#description', 'pubsub#type', 'pubsub#access_model', 'pubsub#publish_model']
  return resultElement({
    formType: META_DATA,
    fields: [
      ...[...shown, 'pubsub#max_items'].flatMap((name) => fieldOf(name, config)),
      ...(config.creator === undefined
        ? []
        : [{ name: 'pubsub#creator', type: 'jid-single', values: [config.creator] } as const]),
      { name: 'pubsub#owner', type: 'jid-multi', values: [...owners] },
      { name: 'pubsub#num_items', type: 'text-single', values: [String(items)] },
    ],
  })
}

/** The configuration with the answers in it; what is not answered stays. @throws StanzaError `not-acceptable` */
export function configured(config: NodeConfig, answers: Answers | undefined): NodeConfig {
  if (!answers) return config
  const problem = problemOf(answers, formOf(config))
  if (problem) throw refusal('modify', 'not-acceptable', undefined, problem)
  return written(config, answers)
}

/**
 * The publisher's preconditions (XEP-0060 §7.1.5) for a node that is made by this publication.
 * @throws StanzaError `conflict` for what we do not know
 */
export function preconfigured(config: NodeConfig, answers: Answers | undefined, names: readonly string[]): NodeConfig {
  if (!answers) return config
  checkOptions(config, answers, names)
  return written(config, answers)
}

/** Whether a node is as its publisher thinks. @throws StanzaError `conflict` if it is not (XEP-0060 §7.1.3, §7.1.5) */
export function checkPreconditions(config: NodeConfig, answers: Answers | undefined, names: readonly string[]): void {
  if (!answers) return
  checkOptions(config, answers, names)
  const wanted = written(config, answers)
  for (const name of names) {
    const [now, then] = [comparable(name, config), comparable(name, wanted)]
    if (now !== then) throw refusal('cancel', 'conflict', 'precondition-not-met', `The node has another ${name}.`)
  }
}

/** Reads what the store has; what a later version added is as by default. */
export function readConfig(json: string): NodeConfig {
  return { ...DEFAULT_CONFIG, ...JSON.parse(json) }
}

function checkOptions(config: NodeConfig, answers: Answers, names: readonly string[]): void {
  const unknown = names.find((name) => !(name in SETTINGS))
  if (unknown !== undefined)
    throw refusal('cancel', 'conflict', 'precondition-not-met', `The option ${unknown} is not known here.`)
  const problem = problemOf(answers, { ...formOf(config), formType: PUBLISH_OPTIONS })
  if (problem) throw refusal('modify', 'bad-request', undefined, problem)
}

function written(config: NodeConfig, answers: Answers): NodeConfig {
  let next = config
  for (const [name, setting] of Object.entries(SETTINGS))
    if (answers.has(name)) next = { ...next, ...setting.write(answers, name) }
  const { title, description, payloadType, groups } = next
  if (
    [title, description, payloadType, ...groups].some(({ length }) => length > TEXT_MAX) ||
    groups.length > GROUPS_MAX
  )
    throw refusal('modify', 'not-acceptable', undefined, 'The configuration is too long.')
  return next
}

function comparable(name: string, config: NodeConfig): string {
  if (name === 'pubsub#max_items') return String(config.maxItems === 'max' ? ITEMS_MAX : config.maxItems)
  return JSON.stringify(SETTINGS[name]?.read(config).toSorted())
}

function formOf(config: NodeConfig): Form {
  return { formType: NODE_CONFIG, fields: Object.keys(SETTINGS).flatMap((name) => fieldOf(name, config)) }
}

function fieldOf(name: string, config: NodeConfig): readonly Field[] {
  const setting = SETTINGS[name]
  if (!setting) return []
  const field = { ...setting.field, name, values: setting.read(config) }
  if (config.creator === undefined || !field.options) return [field]
  return [{ ...field, options: field.options.filter(({ value }) => !OF_ACCOUNTS.includes(value)) }]
}

/** More than we allow is refused: a client must not believe that more is kept. */
function itemCount(given: string): number | 'max' {
  if (given === 'max') return 'max'
  const count = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN
  if (count >= 1 && count <= ITEMS_MAX) return count
  throw refusal('modify', 'not-acceptable', undefined, `A node keeps from 1 to ${ITEMS_MAX} items.`)
}

type Keys<T> = {
  [K in keyof NodeConfig]-?: NodeConfig[K] extends T ? (T extends NodeConfig[K] ? K : never) : never
}[keyof NodeConfig]

function flag(key: Keys<boolean>, label: string): Setting {
  return {
    field: { type: 'boolean', label },
    read: (config) => [config[key] ? '1' : '0'],
    write: (answers, name) => ({ [key]: answers.flag(name) ?? DEFAULT_CONFIG[key] }),
  }
}

function text(key: Keys<string>, label: string): Setting {
  return {
    field: { type: 'text-single', label },
    read: (config) => [config[key]],
    write: (answers, name) => ({ [key]: answers.text(name) ?? '' }),
  }
}

function choice(
  key: 'access' | 'publish' | 'sendLast' | 'messageType',
  values: readonly string[],
  label: string,
): Setting {
  return {
    field: { type: 'list-single', label, options: values.map((value) => ({ value })) },
    read: (config) => [config[key]],
    write: (answers, name) => ({ [key]: answers.text(name) ?? DEFAULT_CONFIG[key] }),
  }
}
