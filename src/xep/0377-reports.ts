// SPDX-License-Identifier: Apache-2.0
// XEP-0377: Blocking Command Reports. Why somebody was blocked, told to the administrators of this server and to nobody else.
// `0191-blocking.ts` takes them in; the administrators see them by an ad-hoc command, and with `aenigma reports`.
import type { Command } from '../core/command.ts'
import type { Feature, FeatureContext } from '../core/feature.ts'
import type { NewReport, Report } from '../store/store.ts'
import type { Element } from '../xml/element.ts'
import { type Field, tableElement } from '../xmpp/0004-data-forms.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'

const NS = 'urn:xmpp:reporting:1'
const NS_STANZA_ID = 'urn:xmpp:sid:0'
/** XEP-0377 §4. */
const REASONS: ReadonlySet<string> = new Set(['urn:xmpp:reporting:spam', 'urn:xmpp:reporting:abuse'])

/** How many reports are kept, of one account and of all. */
const MOST = { each: 100, all: 10_000 }
/** What one report may carry. */
const TEXT_MAX = 4096
const STANZAS_MAX = 50
const ID_MAX = 3071
/** How many an administrator is shown. */
const SHOWN = 200

/** XEP-0377: Blocking Command Reports. */
export const reports: Feature = {
  name: 'reports',
  implements: [{ xep: 377, version: '0.4.1', name: 'Blocking Command Reports', note: 'never passed on to others' }],
  setup: (ctx) => ({ disco: { server: { features: [NS] }, commands: [listCommand(ctx)] } }),
}

/** The reports inside a request to block. Throws `bad-request` for one that nobody could understand. */
export function reportsIn(payload: Element, reporter: Jid): readonly NewReport[] {
  return payload.childrenNamed('item').flatMap((item) => {
    const report = item.child('report', NS)
    return report ? [readReport(report, reporter, Jid.parse(item.attrs.jid))] : []
  })
}

/** Keeps reports; resolves when they are on disk. */
export async function keepReports(
  reported: readonly NewReport[],
  { store, clock, log }: FeatureContext,
): Promise<void> {
  if (reported.length === 0) return
  await store.reports.add(reported.slice(0, MOST.each), clock.now(), MOST)
  log.info('abuse reported', { reports: reported.length })
}

function readReport(report: Element, reporter: Jid, subject: Jid): NewReport {
  const { reason } = report.attrs
  if (reason === undefined) throw new StanzaError('modify', 'bad-request', 'A report needs a reason.')
  if (!REASONS.has(reason)) throw new StanzaError('modify', 'bad-request', 'The reason is either spam or abuse.')
  const ids = report.childrenNamed('stanza-id', NS_STANZA_ID).slice(0, STANZAS_MAX)
  const text = report.childText('text')?.trim().slice(0, TEXT_MAX)
  return {
    reporter,
    subject,
    reason: reason.slice(reason.lastIndexOf(':') + 1),
    text: text === '' ? undefined : text?.toWellFormed(),
    stanzas: ids.flatMap(({ attrs: { by, id } }) => {
      if (by === undefined || id === undefined || by.length > ID_MAX || id.length > ID_MAX) return []
      return [{ by, id }]
    }),
  }
}

const COLUMNS: readonly Field[] = [
  { name: 'id', label: 'Number' },
  { name: 'time', label: 'When' },
  { name: 'subject', type: 'jid-single', label: 'Who was reported' },
  { name: 'reason', label: 'Why' },
  { name: 'reporter', type: 'jid-single', label: 'By whom' },
  { name: 'text', label: 'In their words' },
]

function listCommand({ isAdmin, store }: FeatureContext): Command {
  return {
    node: `${NS}#list`,
    name: 'Reports of spam and abuse',
    allowed: (from) => isAdmin(from),
    async start() {
      const newest = await store.reports.list(SHOWN)
      return { result: tableElement({ columns: COLUMNS, rows: newest.map(row) }) }
    },
  }
}

function row({ id, time, subject, reason, reporter, text }: Report): Readonly<Record<string, string>> {
  return {
    id: String(id),
    time: new Date(time).toISOString(),
    subject: subject.toString(),
    reason,
    reporter: reporter.toString(),
    text: text ?? '',
  }
}
