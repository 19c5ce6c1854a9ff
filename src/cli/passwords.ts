// SPDX-License-Identifier: Apache-2.0
// Where a new password comes from: standard input, a prompt, or chance. On the command line only if somebody insists, since
// other users of the machine can read it there.
import { randomInt } from 'node:crypto'
import type { Command } from 'commander'
import { Failure } from './failure.ts'

/** What the options say about the password. */
export interface PasswordOptions {
  readonly password?: string
  readonly passwordStdin?: boolean
}

/** A password and whether it was made here, so that it has to be shown. */
export interface ChosenPassword {
  readonly password: string
  readonly generated: boolean
}

/** Letters and digits that cannot be mistaken for each other. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789'

/** Adds the options about the password. */
export function withPasswordOptions(command: Command): Command {
  return command
    .option('--password <password>', 'the password; others on this machine may see it while the command runs')
    .option('--password-stdin', 'read the password from standard input')
}

/** Asks for, reads or makes a password. */
export async function choosePassword(options: PasswordOptions, json: boolean): Promise<ChosenPassword> {
  const { password, passwordStdin } = options
  if (password !== undefined && passwordStdin) {
    throw new Failure('usage', 'Give either --password or --password-stdin.', undefined, 2)
  }
  if (password !== undefined) return { password, generated: false }
  if (passwordStdin) return { password: await lineOfStdin(), generated: false }
  if (!process.stdin.isTTY || json) return { password: randomPassword(), generated: true }
  const typed = await prompted()
  return typed === '' ? { password: randomPassword(), generated: true } : { password: typed, generated: false }
}

/** A password of 99 bits that can be read out on the telephone. */
export function randomPassword(): string {
  const group = () => Array.from({ length: 5 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  return Array.from({ length: 4 }, group).join('-')
}

async function lineOfStdin(): Promise<string> {
  const { text } = await import('node:stream/consumers')
  return (await text(process.stdin)).split(/\r?\n/)[0] ?? ''
}

async function prompted(): Promise<string> {
  const { isCancel, password } = await import('@clack/prompts')
  const first = await password({ message: 'Password (leave it empty to have one made)' })
  if (isCancel(first)) throw cancelled()
  if ((first ?? '') === '') return ''
  const second = await password({ message: 'The same again' })
  if (isCancel(second)) throw cancelled()
  if (first !== second) throw new Failure('mismatch', 'The two passwords differ; nothing was changed.')
  return first
}

/** Asks a question that can be answered with yes or no; no is the default. */
export async function confirmed(message: string): Promise<boolean> {
  const { confirm } = await import('@clack/prompts')
  return (await confirm({ message, initialValue: false })) === true
}

function cancelled(): Failure {
  return new Failure('cancelled', 'Cancelled; nothing was changed.')
}
