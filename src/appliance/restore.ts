// SPDX-License-Identifier: Apache-2.0
// Keeps what lies at a path before a step changes it, and puts it back when the step is undone.
import { dirname } from 'node:path'
import * as v from 'valibot'
import type { Machine, Rights } from './machine.ts'

const kept = v.union([
  v.object({ kind: v.literal('nothing') }),
  v.object({
    kind: v.literal('file'),
    text: v.string(),
    mode: v.pipe(v.number(), v.safeInteger()),
    uid: v.pipe(v.number(), v.safeInteger()),
    gid: v.pipe(v.number(), v.safeInteger()),
  }),
  v.object({ kind: v.literal('link'), target: v.string() }),
])

/** Writes a file; what was there before comes back with `restore`. Makes the directories above it. */
export async function replaceFile(machine: Machine, path: string, text: string, rights: Rights): Promise<void> {
  await keep(machine, path)
  await machine.write(path, text, rights)
}

/** Makes a link; what was there before comes back with `restore`. Makes the directories above it. */
export async function replaceLink(machine: Machine, path: string, target: string): Promise<void> {
  await keep(machine, path)
  await machine.link(path, target)
}

/** Puts back what was there before the first change; does nothing if nothing was changed. */
export async function restore(machine: Machine, path: string): Promise<void> {
  const { success, output: was } = v.safeParse(kept, machine.memory.get(`was ${path}`))
  if (!success) return
  if (was.kind === 'nothing') await machine.remove(path)
  else if (was.kind === 'link') await machine.link(path, was.target)
  else await machine.write(path, was.text, { mode: was.mode, owner: `${was.uid}:${was.gid}` })
  await removeMade(machine, dirname(path))
}

/** Makes a directory, and remembers which ones were not there. */
export async function makeDirectory(machine: Machine, path: string, rights: Rights): Promise<void> {
  const missing: string[] = []
  for (let one = path; !(await machine.look(one)); one = dirname(one)) missing.unshift(one)
  const made = new Set([...madeFor(machine, path), ...missing]) // some are there already if this was killed meanwhile
  if (missing.length > 0) await machine.memory.set(`made ${path}`, [...made])
  await machine.makeDirectory(path, rights)
}

/** From the top. */
function madeFor(machine: Machine, path: string): readonly string[] {
  return v.parse(v.fallback(v.array(v.string()), []), machine.memory.get(`made ${path}`))
}

/** Removes the directories that `makeDirectory` made for this path, as far as they are empty. */
export async function removeMade(machine: Machine, path: string): Promise<void> {
  for (const one of madeFor(machine, path).toReversed()) if (!(await machine.removeEmpty(one))) return
}

/** What somebody asks for now, or asked for when it was done. */
export function wanted(machine: Machine, key: string, asked: string | undefined): string | undefined {
  const before = machine.memory.get(key)
  return asked ?? (typeof before === 'string' ? before : undefined)
}

/** Remembers what is there, before something else than these functions changes it. */
export async function keep(machine: Machine, path: string): Promise<void> {
  if (!(await machine.look(dirname(path)))) await makeDirectory(machine, dirname(path), { mode: 0o755 })
  const key = `was ${path}`
  if (machine.memory.get(key) !== undefined) return
  const entry = await machine.look(path)
  if (!entry) return machine.memory.set(key, { kind: 'nothing' })
  if (entry.kind === 'link') return machine.memory.set(key, { kind: 'link', target: entry.target ?? '' })
  if (entry.kind !== 'file') throw new Error(`${path} is no file, so it is left alone.`)
  const { mode, uid, gid } = entry
  return machine.memory.set(key, { kind: 'file', text: (await machine.read(path)) ?? '', mode, uid, gid })
}
