// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseImport } from './import-file.ts'

const entry = (line: number, jid: string, password: string, admin = false) => ({ line, jid, password, admin })

test('CSV with a headline, quotes, empty lines, Windows line ends and a byte order mark', () => {
  const text =
    '\ufeffjid,password,admin\r\nromeo@a,"a,""b""",yes\r\n\r\n juliet@a ,pass word\r\n"x@a","two\nlines"\r\ny@a,"",\r\n'
  assert.deepEqual(parseImport(text), {
    good: [
      entry(2, 'romeo@a', 'a,"b"', true),
      entry(4, 'juliet@a', 'pass word'),
      entry(5, 'x@a', 'two\nlines'),
      entry(7, 'y@a', ''),
    ],
    bad: [],
  })
})

test('CSV without a headline and without a last line end', () => {
  assert.deepEqual(parseImport('a@b,c\nd@e,f,admin'), {
    good: [entry(1, 'a@b', 'c'), entry(2, 'd@e', 'f', true)],
    bad: [],
  })
})

test('bad lines are all told, the others are kept', () => {
  const { good, bad } = parseImport('a@b\nc@d,x,maybe\ne@f,a,b,c\n"g@h"x,y\nok@b,fine\nOK@b,twice\ni@j,"open')
  assert.deepEqual(good, [entry(5, 'ok@b', 'fine')])
  assert.deepEqual(
    bad.map(({ line, problem }) => `${line} ${problem}`),
    [
      '1 the password is missing: write jid,password',
      '2 admin must be true or false, not "maybe"',
      '3 there are more than three fields; a password with a comma needs quotes',
      '4 a quote stands where none may',
      '6 OK@b stands in line 5 already',
      '7 a quote stands where none may',
    ],
  )
})

test('NDJSON', () => {
  const { good, bad } = parseImport(
    '{"jid":"a@b","password":"c","admin":true}\n\n{"jid":"d@e","password":"f"}\n[1]\n{"jid":1}\n{oops\n{"jid":"x@y","password":"z","role":"q"}',
  )
  assert.deepEqual(good, [entry(1, 'a@b', 'c', true), entry(3, 'd@e', 'f')])
  assert.deepEqual(
    bad.map(({ line, problem }) => `${line} ${problem}`),
    [
      '4 must be an object',
      '5 jid and password must be text, admin true or false',
      '6 this is not JSON',
      '7 there is no field "role"; known are jid, password, admin',
    ],
  )
})
