// SPDX-License-Identifier: Apache-2.0
// Draws the web chat's icons from its one drawing: `node bin/node test/support/icons.ts`.
import { readFileSync, writeFileSync } from 'node:fs'
import { startChromium } from './chromium.ts'

const pages = new URL('../../src/web/pages/', import.meta.url)
const drawing = readFileSync(new URL('icon.svg', pages), 'utf8')
/** Android cuts a circle out of it: the same without round corners. */
const square = drawing.replace(' rx="112"', '')

const browser = await startChromium()
for (const [name, size, svg] of [
  ['icon-192', 192, drawing],
  ['icon-512', 512, drawing],
  ['icon-maskable-512', 512, square],
] as const) {
  const page = await browser.newPage({ viewport: { width: size, height: size } })
  await page.setContent(`<style>*{margin:0}svg{display:block;width:${size}px}</style>${svg}`)
  writeFileSync(new URL(`${name}.png`, pages), await page.screenshot({ omitBackground: true }))
}
await browser.close()
