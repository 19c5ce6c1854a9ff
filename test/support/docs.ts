// SPDX-License-Identifier: Apache-2.0
// The pages that are printed from the code. Run as a program (`npm run docs`) it writes them; the test compares.
import { readdirSync, writeFileSync } from 'node:fs'
import { renderOptions } from '../../src/config/options.ts'
import { features } from '../../src/xep/index.ts'
import { renderDoap, renderXepTable } from '../../src/xep/table.ts'

/** The pages by their path. */
export function printedDocs(): Readonly<Record<string, string>> {
  return {
    'docs/XEPS.md': renderXepTable(features, fileOf),
    'docs/aenigma.doap': renderDoap(features, fileOf),
    'docs/OPTIONS.md': renderOptions(features),
  }
}

/** Where a XEP is: the file or folder that begins with its number. Throws if there is none. */
function fileOf(xep: number): string {
  const number = String(xep).padStart(4, '0')
  const name = readdirSync('src/xep').find((file) => file.startsWith(`${number}-`) && !file.endsWith('.test.ts'))
  if (!name) throw new Error(`no file for XEP-${number}`)
  return `src/xep/${name}`
}

if (process.argv[1] === import.meta.filename) {
  for (const [file, text] of Object.entries(printedDocs())) writeFileSync(file, text)
}
