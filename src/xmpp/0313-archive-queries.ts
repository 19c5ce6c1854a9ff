// SPDX-License-Identifier: Apache-2.0
// XEP-0313: what is asked of an archive and how it answers, as values. Who may ask and what is found is not decided here.
import { attributesXml, type Element, el, Element as XmlElement } from '../xml/element.ts'
import { detach } from '../xml/intern.ts'
import { formElement, NS_DATA, readAnswers } from './0004-data-forms.ts'
import { type PageRequest, type ResultSet, readPageRequest, resultSetElement } from './0059-result-sets.ts'
import { StanzaError } from './errors.ts'
import { Jid } from './jid.ts'
import { NS_CLIENT } from './stanza.ts'

/** The namespace. */
export const NS_MAM = 'urn:xmpp:mam:2'
const NS_FORWARD = 'urn:xmpp:forward:0'
const NS_DELAY = 'urn:xmpp:delay'
const NS_VALIDATE = 'http://jabber.org/protocol/xdata-validate'
/** Of so many messages together one may ask by their ids. */
const MOST_IDS = 250

/** A question to an archive (§4). Ids are numbers here; what can be no id of ours is NaN, and nothing is found under it. */
export interface ArchiveQuery {
  readonly queryId: string | undefined
  readonly with: Jid | undefined
  /** ms since 1970, inclusive. */
  readonly start: number | undefined
  readonly end: number | undefined
  /** Exclusive. */
  readonly beforeId: number | undefined
  readonly afterId: number | undefined
  readonly ids: readonly number[] | undefined
  readonly page: PageRequest
  /** Whether the page is wanted newest first (§4.3.4). */
  readonly flipped: boolean
}

/** Something that is in an archive. */
export interface Archived {
  readonly id: number
  /** ms since 1970. */
  readonly time: number
  /** The message as text, in which the default namespace is that of clients. */
  readonly xml: string
}

const FIELDS: ReadonlySet<string> = new Set([
  'FORM_TYPE',
  'with',
  'start',
  'end',
  'before-id',
  'after-id',
  'ids',
  'include-groupchat', // there are none, so that either answer is right
])

/** An archive id as it is on the wire. */
export function archiveId(id: number): string {
  return String(id)
}

/** The number of an archive id; NaN for what is none. */
export function readArchiveId(text: string): number {
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(id) ? id : Number.NaN
}

/** Reads a `<query/>`. Throws what §4 wants for each mistake. */
export function readQuery(query: Element): ArchiveQuery {
  const answers = readAnswers(query)
  if (answers && answers.formType !== NS_MAM) throw bad('The form must be one of urn:xmpp:mam:2.')
  for (const field of query.child('x', NS_DATA)?.childrenNamed('field') ?? []) {
    if (field.attrs.var !== undefined && !FIELDS.has(field.attrs.var))
      // §4.1.5
      throw new StanzaError(
        'cancel',
        'feature-not-implemented',
        `There is no field ${field.attrs.var.slice(0, 100)} here.`,
      )
  }
  const text = (field: string): string | undefined => answers?.text(field)?.trim() || undefined
  const id = (field: string): number | undefined => {
    const given = text(field)
    return given === undefined ? undefined : readArchiveId(given)
  }
  const ids = answers?.has('ids')
    ? [...new Set(answers.texts('ids').map((each) => readArchiveId(each.trim())))]
    : undefined
  if (ids && ids.length > MOST_IDS) throw bad(`At most ${MOST_IDS} ids together.`)
  const contact = text('with')
  return {
    queryId: query.attrs.queryid,
    with: contact === undefined ? undefined : Jid.parse(contact),
    start: timeOf(text('start')),
    end: timeOf(text('end')),
    beforeId: id('before-id'),
    afterId: id('after-id'),
    ids,
    page: readPageRequest(query),
    flipped: query.child('flip-page') !== undefined,
  }
}

/** The form of all that can be asked (§4.1.5). */
export function queryForm(): Element {
  const form = formElement({
    formType: NS_MAM,
    fields: [
      { name: 'with', type: 'jid-single' },
      { name: 'start', type: 'text-single' },
      { name: 'end', type: 'text-single' },
      { name: 'before-id', type: 'text-single' },
      { name: 'after-id', type: 'text-single' },
      { name: 'include-groupchat', type: 'boolean' },
    ],
  })
  const open = el('validate', NS_VALIDATE, { datatype: 'xs:string' }, el('open', NS_VALIDATE))
  return el('query', NS_MAM, null, form.append(el('field', NS_DATA, { var: 'ids', type: 'list-multi' }, open)))
}

/** Makes the messages that carry those that were found (§4.2). Their content is text: what only passes is not parsed again. */
export function resultMessages(queryId: string | undefined): (archived: Archived) => Element {
  const asked = queryId === undefined ? {} : { queryid: queryId }
  const start = detach(`<result xmlns='${NS_MAM}'${attributesXml(asked)} id='`)
  const stampOf = stamps()
  return ({ id, time, xml }) => {
    const delay = new XmlElement('delay', NS_DELAY, { stamp: stampOf(time) }, [])
    const inner = `${delay.xml(NS_FORWARD)}<message xmlns='${NS_CLIENT}'${xml.slice('<message'.length)}`
    const text = `${start}${id}'><forwarded xmlns='${NS_FORWARD}'>${inner}</forwarded></result>`
    const forwarded = new XmlElement('forwarded', NS_FORWARD, {}, [delay], { text: inner, declarations: '' })
    const result = new XmlElement('result', NS_MAM, { ...asked, id: archiveId(id) }, [forwarded])
    return new XmlElement('message', NS_CLIENT, {}, [result], { text, declarations: '', own: true })
  }
}

/** Writes whole ms since 1970 (XEP-0082 §3.2) that are near to each other: what they have in common, once. */
function stamps(): (time: number) => string {
  let minute = Number.NaN
  let start = ''
  return (time) => {
    const current = Math.floor(time / 60_000)
    if (current !== minute) start = new Date(current * 60_000).toISOString().slice(0, '2026-01-31T12:00:'.length)
    minute = current
    const rest = String(100_000 + time - current * 60_000)
    return `${start}${rest.slice(1, 3)}.${rest.slice(3)}Z`
  }
}

/** The end of an answer (§4.2, §4.3). */
export function finElement(set: ResultSet, complete: boolean): Element {
  return el('fin', NS_MAM, { complete: complete ? 'true' : undefined }, resultSetElement(set))
}

/** How far an archive goes (§5); nothing if it is empty. */
export function metadataElement(
  first: Omit<Archived, 'xml'> | undefined,
  last: Omit<Archived, 'xml'> | undefined,
): Element {
  return el('metadata', NS_MAM, null, first && endElement('start', first), last && endElement('end', last))
}

function endElement(name: 'start' | 'end', { id, time }: Omit<Archived, 'xml'>): Element {
  return el(name, NS_MAM, { id: archiveId(id), timestamp: new Date(time).toISOString() })
}

/** XEP-0082 §3.2. */
function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const shaped = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text)
  const time = shaped ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw bad('A time looks like 2026-01-31T12:00:00Z.')
  return time
}

function bad(text: string): StanzaError {
  return new StanzaError('modify', 'bad-request', text)
}
