// SPDX-License-Identifier: Apache-2.0
// Values as people write them: `30s`, `256KiB`, `[::]:5222`. Each function gives undefined for what it does not understand.
import { domainToASCII } from 'node:url'
import type { Address } from './config.ts'

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

/** A time such as `30s`, `5m` or `1d` in ms; a plain number is in seconds. */
export function parseDuration(value: unknown): number | undefined {
  return measured(value, DURATIONS, 's')
}

/** A size such as `256KiB` or `4MB` in bytes; a plain number is in bytes. */
export function parseSize(value: unknown): number | undefined {
  return measured(value, SIZES, 'b')
}

/** A place to listen at, such as `[::]:5222`, `127.0.0.1:5280`, `:5222` or `5222` (the last two: everywhere). */
export function parseAddress(value: unknown): Address | undefined {
  const match = /^(?:(?:\[([0-9a-f:.%a-z]+)\]|([^:[\]\s]*)):)?(\d{1,5})$/i.exec(String(value))
  const port = Number(match?.[3])
  if (!match || port < 1 || port > 65_535) return undefined
  const host = match[1] ?? match[2]
  return { host: host === undefined || host === '' || host === '*' ? '::' : host, port }
}

/** An IP address such as `127.0.0.1`, `::1`, `192.0.2.1:5353` or `[::1]:5353`. @param port if none is written */
export function parseIp(value: unknown, port: number): Address | undefined {
  const text = String(value)
  const plain = /^[0-9a-f:]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) ? `[${text}]` : text
  const address = parseAddress(/:\d+$/.test(plain) || plain === '' ? plain : `${plain}:${port}`)
  if (!address || address.host === '::') return undefined
  const literal = address.host.includes(':') ? `[${address.host}]` : address.host
  const sound = literal.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(literal)
  return sound && domainToASCII(literal) !== '' ? address : undefined
}

/** Whether this is an IP address, without a port. */
export function isIpAddress(text: string): boolean {
  return parseIp(`${text.includes(':') ? `[${text}]` : text}:53`, 53) !== undefined
}

/** Whether this names a place to connect to, as `see-other-host` writes it (RFC 6120 §4.9.3.19): a host, perhaps with a port. */
export function isServerName(text: string): boolean {
  const [, six, name, port] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s/@]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return false
  if (six !== undefined) return domainToASCII(`[${six}]`) !== ''
  return name !== undefined && name.length <= 253 && domainToASCII(name) !== ''
}

function measured(value: unknown, units: Readonly<Record<string, number>>, plain: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(value).trim())
  const unit = units[match?.[2]?.toLowerCase() || plain]
  if (!match || unit === undefined) return undefined
  const amount = Number(match[1]) * unit
  return Number.isSafeInteger(amount) ? amount : undefined
}
