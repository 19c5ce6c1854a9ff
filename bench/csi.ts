// SPDX-License-Identifier: Apache-2.0
// What client state indication (XEP-0352) saves a phone in a pocket: the same hour twice, on a server in memory.
import { measure, type Tally } from './csi/phone.ts'
import { align } from './table.ts'

const ROWS: readonly (readonly [string, (tally: Tally) => number])[] = [
  ['stanzas in the hour', (tally) => tally.stanzas],
  ['bytes in the hour (XML)', (tally) => tally.bytes],
  ['wake-ups: writes after 10 s of silence', (tally) => tally.radio],
  ['           after 1 s of silence', (tally) => tally.processor],
  ['stanzas when the user looks', (tally) => tally.stanzasAfter],
  ['bytes when the user looks', (tally) => tally.bytesAfter],
  ['bytes together', (tally) => tally.bytes + tally.bytesAfter],
]

const [active, inactive] = [await measure(false), await measure(true)]
const lines = ROWS.map(([label, of]) => {
  const ratio = of(active) === 0 ? '–' : `${((100 * of(inactive)) / of(active)).toFixed(0)} %`
  return [label, of(active).toLocaleString('en'), of(inactive).toLocaleString('en'), ratio]
})
console.log(
  'One hour, 50 contacts; a phone with stream management that asks for an acknowledgement every five minutes.\n',
)
console.log(align([['', 'active', 'inactive', 'ratio'], ...lines]))
