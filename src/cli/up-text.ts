// SPDX-License-Identifier: Apache-2.0
// What the server says when it is ready.
import { basename, relative } from 'node:path'
import type { ListenInfo, ServerInfo } from '../ops/running-server.ts'
import { placeText } from './status.ts'

/** How somebody gets in who was never here. */
export interface FirstSteps {
  /** Of the trial's administrator, if that was made just now. */
  readonly password?: string
  /** Where the first account is made in a browser, if there is none. */
  readonly link?: string
}

/** The whole greeting. */
export function greeting(info: ServerInfo, first: FirstSteps): string {
  const moved = info.listening.filter(({ port, wanted }) => port !== wanted)
  const lines = info.trial ? trialLines(info, first) : realLines(info, first)
  return [...lines, ...new Set(moved.map(movedLine))].join('\n')
}

function realLines({ hosts, listening, data }: ServerInfo, { link }: FirstSteps): readonly string[] {
  const places = (kind: ListenInfo['kind']) =>
    listening.filter((one) => one.kind === kind).map(({ host, port }) => placeText(host, port))
  const servers = [...places('servers'), ...places('serversTls')]
  return [
    `aenigma serves ${hosts.join(', ')}.`,
    `  clients    ${[...places('starttls'), ...places('tls')].join(', ') || 'nowhere'}`,
    ...(servers.length > 0 ? [`  servers    ${servers.join(', ')}`] : []),
    ...(places('components').length > 0 ? [`  components ${places('components').join(', ')}`] : []),
    `  web        ${[...places('https'), ...places('http')].join(', ') || 'nowhere'}`,
    ...(places('shared').length > 0 ? [`  everything ${places('shared').join(', ')}`] : []),
    `  health     ${places('metrics').join(', ') || 'nowhere'}`,
    `  data       ${data}`,
    ...(link === undefined ? [] : ['', `Make the first account in a browser, within a day: ${link}`]),
  ]
}

/** The address of the page for the first account. @param secret of the link */
export function linkText(info: ServerInfo, secret: string | undefined): string | undefined {
  const origin = originOf(info)
  return origin && secret !== undefined ? `${origin}/start#${secret}` : undefined
}

/** Where a browser finds the pages: as the configuration says, or on the first port that serves them. */
function originOf({ hosts, listening, trial, url }: ServerInfo): string | undefined {
  if (url !== undefined) return url
  const port = (wanted: ListenInfo['kind']) => listening.find(({ kind }) => kind === wanted)?.port
  const [https, http] = [trial ? undefined : (port('shared') ?? port('https')), port('http')]
  if (https !== undefined) return `https://${hosts[0]}${https === 443 ? '' : `:${https}`}`
  return http === undefined ? undefined : `http://localhost:${http}`
}

function trialLines(info: ServerInfo, { password, link }: FirstSteps): readonly string[] {
  const { hosts, listening, data, authority } = info
  const host = hosts[0] ?? 'localhost'
  const port = (kind: ListenInfo['kind']) => listening.find((one) => one.kind === kind)?.port ?? 0
  const account =
    password === undefined ? [] : [`  account    admin@${host}`, `  password   ${password}   (shown only this once)`]
  const browser = link ? 'Make your account in a browser, within a day:' : 'Chat in a browser:'
  const near = relative(process.cwd(), data)
  const where = near === 'data' ? '' : ` --data ${near.startsWith('..') ? data : near || '.'}`
  return [
    'aenigma is ready: a trial server, for this machine only.',
    '',
    browser,
    `  ${link ?? `${originOf(info)}/chat/`}`,
    '',
    ...account,
    `  data       ${data}`,
    '',
    'Or connect with any XMPP client:',
    `  server     ${host}, port ${port('starttls')} (STARTTLS) or ${port('tls')} (TLS)`,
    `  trust      ${authority ?? '–'}`,
    `  health     http://127.0.0.1:${port('metrics')}/healthz`,
    '',
    `Invite:      ${ourselves()} invite${where}`,
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
