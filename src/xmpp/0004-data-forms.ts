// SPDX-License-Identifier: Apache-2.0
// XEP-0004: Data Forms. Questions as values, what somebody answered as another, and tables of results. Whether an answer
// fits its question is said in words, since each protocol that carries forms has its own error for it.
import { type Element, el } from '../xml/element.ts'
import { StanzaError } from './errors.ts'
import { Jid } from './jid.ts'

/** The namespace of forms (XEP-0004 §3). */
export const NS_DATA = 'jabber:x:data'

/** More than any form of ours needs: a form is small, or it is an attack. */
const FIELDS_MAX = 256
const VALUES_MAX = 1000

/** The kinds of field (XEP-0004 §3.3). */
type FieldType =
  | 'boolean'
  | 'fixed'
  | 'hidden'
  | 'jid-multi'
  | 'jid-single'
  | 'list-multi'
  | 'list-single'
  | 'text-multi'
  | 'text-private'
  | 'text-single'

/** One field of a form that is asked or of a result (XEP-0004 §3.2). */
export interface Field {
  readonly name: string
  readonly type?: FieldType
  readonly label?: string
  readonly required?: boolean
  readonly values?: readonly string[]
  /** For lists: what may be chosen. */
  readonly options?: readonly { readonly label?: string; readonly value: string }[]
}

/** A form that is asked, or a result (XEP-0004 §3.1). */
export interface Form {
  /** What the names of the fields mean (XEP-0068). */
  readonly formType: string
  readonly title?: string
  readonly instructions?: string
  readonly fields: readonly Field[]
}

/** A table of results: its columns, and the values of each row by the column's name (XEP-0004 §3.4). */
export interface ResultTable {
  readonly columns: readonly Field[]
  readonly rows: readonly Readonly<Record<string, string>>[]
}

/** What somebody filled in: values by the names of their fields (XEP-0004 §3.2). */
export class Answers {
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values
  }

  /** What the names mean (XEP-0068), if it was said. */
  get formType(): string | undefined {
    return this.text('FORM_TYPE')
  }

  /** Whether the field is there at all: one that is not keeps what it was (XEP-0004 §3.5). */
  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** All values of a field; none if it is not there. */
  texts(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** The only value of a field, or the first. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.[0]
  }

  /** A `boolean` (XEP-0004 §3.3); undefined if it is not there or is none. */
  flag(name: string): boolean | undefined {
    const text = this.text(name)
    if (text === '1' || text === 'true') return true
    return text === '0' || text === 'false' ? false : undefined
  }

  /** The addresses of a field, each once (XEP-0004 §3.3). Throws `jid-malformed` if one is none. */
  jids(name: string): readonly Jid[] {
    const jids = new Map<string, Jid>()
    for (const text of this.texts(name)) {
      if (text.trim() === '') continue
      const jid = Jid.parse(text.trim())
      jids.set(jid.key, jid)
    }
    return [...jids.values()]
  }
}

/** A form to be filled in. */
export function formElement(form: Form): Element {
  return dataElement('form', form)
}

/** A result of fixed fields. */
export function resultElement(form: Form): Element {
  return dataElement('result', form)
}

/** A result of many rows (XEP-0004 §3.4). */
export function tableElement({ columns, rows }: ResultTable): Element {
  return el(
    'x',
    NS_DATA,
    { type: 'result' },
    el('reported', NS_DATA, null, ...columns.map((column) => fieldElement(column))),
    ...rows.map((row) =>
      el('item', NS_DATA, null, ...columns.map(({ name }) => fieldElement({ name, values: [row[name] ?? ''] }))),
    ),
  )
}

/**
 * Reads the submitted form inside an element; undefined if there is none. A cancelled one is for the protocol around it
 * to know. Throws `bad-request` for what no form can be: two of them, a field without a name or twice, far too much.
 */
export function readAnswers(parent: Element): Answers | undefined {
  const forms = parent.childrenNamed('x', NS_DATA)
  const [form] = forms
  if (!form) return undefined
  const fields = form.childrenNamed('field')
  if (forms.length > 1 || fields.length > FIELDS_MAX) throw bad('One form of a sensible size, please.')
  const values = new Map<string, readonly string[]>()
  for (const field of fields) {
    const name = field.attrs.var
    if (field.attrs.type === 'fixed' && name === undefined) continue
    if (name === undefined || values.has(name)) throw bad('Each field of a form needs a name of its own.')
    const texts = field.childrenNamed('value').map((value) => value.text)
    if (texts.length > VALUES_MAX) throw bad('A field has too many values.')
    values.set(name, texts)
  }
  return new Answers(values)
}

/** What is wrong with the answers to a form (XEP-0004 §4), in words for whoever gave them; undefined if they fit. */
export function problemOf(answers: Answers, { fields, formType }: Form): string | undefined {
  if (answers.formType !== undefined && answers.formType !== formType) return 'This is the answer to another form.'
  for (const field of fields) {
    const problem = fieldProblem(field, answers.texts(field.name))
    if (problem) return problem
  }
  return undefined
}

function fieldProblem({ name, type, required, options }: Field, texts: readonly string[]): string | undefined {
  if (type === 'hidden' || type === 'fixed') return undefined
  const given = texts.filter((text) => text !== '')
  if (required && given.length === 0) return `The field ${name} is required.`
  if (!type?.endsWith('-multi') && texts.length > 1) return `The field ${name} takes one value.`
  if (type?.startsWith('jid-') && !given.every((text) => Jid.tryParse(text.trim())))
    return `The field ${name} has an invalid address.`
  if (type === 'boolean' && !given.every((text) => /^(?:[01]|true|false)$/.test(text)))
    return `The field ${name} is either true or false.`
  if (type?.startsWith('list-') && !given.every((text) => options?.some(({ value }) => value === text)))
    return `The field ${name} takes only what it offers.`
  return undefined
}

function dataElement(type: 'form' | 'result', { formType, title, instructions, fields }: Form): Element {
  return el(
    'x',
    NS_DATA,
    { type },
    title !== undefined && el('title', NS_DATA, null, title),
    instructions !== undefined && el('instructions', NS_DATA, null, instructions),
    fieldElement({ name: 'FORM_TYPE', type: 'hidden', values: [formType] }),
    ...fields.map((field) => fieldElement(field)),
  )
}

function fieldElement({ name, type, label, required, values = [], options = [] }: Field): Element {
  return el(
    'field',
    NS_DATA,
    { var: name, type, label },
    required && el('required', NS_DATA),
    ...values.map((value) => el('value', NS_DATA, null, value)),
    ...options.map((option) =>
      el('option', NS_DATA, { label: option.label }, el('value', NS_DATA, null, option.value)),
    ),
  )
}

function bad(text: string): StanzaError {
  return new StanzaError('modify', 'bad-request', text)
}
