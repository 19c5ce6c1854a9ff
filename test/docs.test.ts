// SPDX-License-Identifier: Apache-2.0
// The docs say what the code does.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { features } from '../src/xep/index.ts'
import { printedDocs } from './support/docs.ts'

for (const [file, text] of Object.entries(printedDocs())) {
  test(`${file} is what the code prints (npm run docs)`, () => {
    assert.equal(readFileSync(file, 'utf8'), text)
  })
}

test('every feature has a test beside it', () => {
  const missing = globSync('src/xep/[0-9]*.ts')
    .filter((file) => !file.endsWith('.test.ts'))
    .filter((file) => !existsSync(file.replace(/\.ts$/, '.test.ts')))
  assert.deepEqual(missing, [])
})

test('every file of a XEP is in the list of features', () => {
  const listed = readFileSync('src/xep/index.ts', 'utf8')
  const missing = globSync('src/xep/[0-9]*.ts').filter(
    (file) => !file.endsWith('.test.ts') && !listed.includes(`./${file.slice('src/xep/'.length)}'`),
  )
  assert.deepEqual(missing, [])
})

test('the names of the features are unique', () => {
  const names = features.map((feature) => feature.name)
  assert.deepEqual(names, [...new Set(names)])
})

test('links between the pages lead somewhere', () => {
  const broken = globSync(['*.md', 'docs/**/*.md']).flatMap((page) =>
    [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !existsSync(join(dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  )
  assert.deepEqual(broken, [])
})

test('files that ARCHITECTURE.md names exist', () => {
  const named = [...readFileSync('ARCHITECTURE.md', 'utf8').matchAll(/`((?:src|test|bench|bin|docs)\/[\w./-]+\.\w+)`/g)]
  assert.deepEqual(
    named.map((match) => match[1] ?? '').filter((file) => !file.includes('NNNN') && !existsSync(file)),
    [],
  )
})
