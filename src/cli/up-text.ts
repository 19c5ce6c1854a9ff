// SPDX-License-Identifier: Apache-2.0
// What the server says when it is ready.
import { basename, relative } from 'node:path'
import type { ListenInfo, ServerInfo } from '../ops/running-server.ts'
import { placeText } from './status.ts'

/** The whole greeting. @param password of the first account, if it was made just now */
export function greeting(info: ServerInfo, password: string | undefined): string {
  const moved = info.listening.filter(({ port, wanted }) => port !== wanted)
  const lines = info.trial ? trialLines(info, password) : realLines(info)
  return [...lines, ...new Set(moved.map(movedLine))].join('\n')
}

function realLines({ hosts, listening, data }: ServerInfo): readonly string[] {
  const places = (kind: ListenInfo['kind']) =>
    listening.filter((one) => one.kind === kind).map(({ host, port }) => placeText(host, port))
  return [
    `aenigma serves ${hosts.join(', ')}.`,
    `  clients    ${[...places('starttls'), ...places('tls')].join(', ') || 'nowhere'}`,
    ...(places('components').length > 0 ? [`  components ${places('components').join(', ')}`] : []),
    `  web        ${[...places('https'), ...places('http')].join(', ') || 'nowhere'}`,
    `  health     ${places('metrics').join(', ') || 'nowhere'}`,
    `  data       ${data}`,
  ]
}

function trialLines(
  { hosts, listening, data, authority }: ServerInfo,
  password: string | undefined,
): readonly string[] {
  const host = hosts[0] ?? 'localhost'
  const port = (kind: ListenInfo['kind']) => listening.find((one) => one.kind === kind)?.port ?? 0
  const account =
    password === undefined ? [] : [`  account    admin@${host}`, `  password   ${password}   (shown only this once)`]
  const near = relative(process.cwd(), data)
  const where = near === 'data' ? '' : ` --data ${near.startsWith('..') ? data : near || '.'}`
  return [
    'aenigma is ready: a trial server, for this machine only.',
    '',
    ...account,
    `  data       ${data}`,
    '',
    'Connect with any XMPP client:',
    `  server     ${host}, port ${port('starttls')} (STARTTLS) or ${port('tls')} (TLS)`,
    `  trust      ${authority ?? '–'}`,
    `  health     http://127.0.0.1:${port('metrics')}/healthz`,
    '',
    `Add a user:  ${ourselves()} user add romeo@${host}${where}`,
    'Stop it:     Ctrl-C',
  ]
}

/** How this program was called, if that is a path that can be typed. */
function ourselves(): string {
  const path = relative(process.cwd(), process.argv[1] ?? '')
  return path.startsWith('..') || basename(path) === path ? 'aenigma' : path
}

function movedLine({ port, wanted }: ListenInfo): string {
  return `Note: port ${wanted} is taken by another program, so this server uses ${port}.`
}
