// SPDX-License-Identifier: Apache-2.0
// An onion name as one more domain of a configuration. Somebody wrote that file: what is in it, comments included, stays.
import { type Document, isMap, isScalar, isSeq, parseDocument, type YAMLSeq } from 'yaml'

/** The domains that a configuration names. */
export function hostsWritten(text: string): readonly string[] {
  return hostsIn(parseDocument(text))
}

/** A configuration with one domain more, and with the way to other onion services. */
export function withOnion(text: string, host: string, proxy: string): string {
  const document = parseDocument(text)
  const before = hostsIn(document)
  const hosts = document.get('hosts')
  if (isSeq(hosts) && !before.includes(host)) hosts.add(host)
  else if (!before.includes(host)) become(document, 'hosts', listOf(document, [...before, host]))
  if (!document.hasIn(['federation', 'onionProxy'])) document.setIn(['federation', 'onionProxy'], proxy)
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

/** A configuration without both. */
export function withoutOnion(text: string, host: string, proxy: string): string {
  const document = parseDocument(text)
  const left = hostsIn(document).filter((one) => one !== host)
  const hosts = document.get('hosts')
  if (isSeq(hosts) && left.length === 1) become(document, 'domain', document.createNode(left[0]))
  else if (isSeq(hosts)) hosts.items = hosts.items.filter((item) => !isScalar(item) || item.value !== host)
  if (document.getIn(['federation', 'onionProxy']) === proxy) {
    document.deleteIn(['federation', 'onionProxy'])
    const rest = document.get('federation')
    if (isMap(rest) && rest.items.length === 0) document.delete('federation')
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

function hostsIn(document: Document): readonly string[] {
  const { domain, hosts } = document.toJS() ?? {}
  const all: readonly unknown[] = Array.isArray(hosts) ? hosts : [domain]
  return all.filter((one) => typeof one === 'string')
}

function listOf(document: Document, hosts: readonly string[]): YAMLSeq {
  const list = document.createNode(hosts)
  list.flow = true
  return list
}

/** `domain` and `hosts` stand for each other: the line stays where it is, with what is written above it and beside it. */
function become(document: Document, key: 'domain' | 'hosts', value: ReturnType<Document['createNode']>): void {
  const items = isMap(document.contents) ? document.contents.items : []
  const pair = items.find(({ key: one }) => isScalar(one) && one.value === (key === 'hosts' ? 'domain' : 'hosts'))
  if (!pair || !isScalar(pair.key)) return
  pair.key.value = key
  if (isScalar(pair.value) || isSeq(pair.value)) value.comment = pair.value.comment ?? null
  pair.value = value
}
