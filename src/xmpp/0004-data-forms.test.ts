// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertLike } from '../../test/support/match.ts'
import { parseElement } from '../xml/reader.ts'
import {
  type Answers,
  type Field,
  type Form,
  formElement,
  problemOf,
  readAnswers,
  resultElement,
  tableElement,
} from './0004-data-forms.ts'

const BOT: Form = {
  formType: 'jabber:bot',
  title: 'Bot Configuration',
  instructions: 'Fill out this form to configure your new bot!',
  fields: [
    { name: 'botname', type: 'text-single', label: 'The name of your bot' },
    { name: 'description', type: 'text-multi' },
    { name: 'public', type: 'boolean', label: 'Public bot?', required: true },
    { name: 'maxsubs', type: 'list-single', values: ['20'], options: [{ label: 'Ten', value: '10' }, { value: '20' }] },
    { name: 'invitelist', type: 'jid-multi' },
  ],
}

function answers(fields: string): Answers {
  const read = readAnswers(parseElement(`<command xmlns='urn:c'>${submitted(fields)}</command>`))
  assert.ok(read)
  return read
}

function submitted(fields: string): string {
  return `<x xmlns='jabber:x:data' type='submit'>${fields}</x>`
}

function field(name: string, ...values: readonly string[]): string {
  return `<field var='${name}'>${values.map((value) => `<value>${value}</value>`).join('')}</field>`
}

test('a form to be filled in, as in XEP-0004 §5.1', () => {
  assertLike(
    formElement(BOT),
    `<x xmlns='jabber:x:data' type='form'>
      <title>Bot Configuration</title>
      <instructions>Fill out this form to configure your new bot!</instructions>
      <field type='hidden' var='FORM_TYPE'><value>jabber:bot</value></field>
      <field type='text-single' label='The name of your bot' var='botname'/>
      <field type='boolean' label='Public bot?' var='public'><required/></field>
      <field type='list-single' var='maxsubs'>
        <value>20</value>
        <option label='Ten'><value>10</value></option>
        <option><value>20</value></option>
      </field>
    </x>`,
  )
})

test('what was filled in, as in XEP-0004 §5.1', () => {
  const read = answers(
    `<field type='hidden' var='FORM_TYPE'><value>jabber:bot</value></field>
     <field type='fixed'><value>Section 1: Bot Info</value></field>
     ${field('botname', 'The Jabber Google Bot')}
     ${field('description', 'This bot', 'is cool')}
     ${field('public', '0')}
     ${field('maxsubs', '10')}
     ${field('invitelist', 'Juliet@capulet.com', 'benvolio@montague.net', 'juliet@capulet.com')}
     ${field('constructor', 'a name like any other')}`,
  )
  assert.equal(problemOf(read, BOT), undefined)
  assert.equal(read.formType, 'jabber:bot')
  assert.equal(read.text('botname'), 'The Jabber Google Bot')
  assert.deepEqual(read.texts('description'), ['This bot', 'is cool'])
  assert.equal(read.flag('public'), false)
  assert.deepEqual(read.jids('invitelist').map(String), ['juliet@capulet.com', 'benvolio@montague.net'])
  assert.equal(read.has('password'), false)
  assert.deepEqual([read.text('password'), read.texts('toString'), read.flag('botname')], [undefined, [], undefined])
})

test('what does not fit its question is named', () => {
  const about = (fields: string): string | undefined => problemOf(answers(fields), BOT)
  const given = field('public', 'true')
  assert.equal(about(given), undefined)
  assert.match(about('') ?? '', /public is required/)
  assert.match(about(field('public', '')) ?? '', /public is required/)
  assert.match(about(field('public', 'maybe')) ?? '', /true or false/)
  assert.match(about(field('botname', 'a', 'b') + given) ?? '', /botname takes one value/)
  assert.match(about(field('maxsubs', '99') + given) ?? '', /maxsubs takes only what it offers/)
  assert.match(about(field('invitelist', 'a@@b') + given) ?? '', /invitelist has an invalid address/)
  assert.match(about(field('FORM_TYPE', 'jabber:other') + given) ?? '', /another form/)
})

test('what no form can be is refused', () => {
  const many = Array.from({ length: 300 }, (_, index) => field(`f${index}`)).join('')
  const long = field('f', ...Array.from({ length: 1001 }, () => 'v'))
  for (const fields of ['<field/>', field('a', '1') + field('a', '2'), many, long]) {
    assert.throws(() => answers(fields), { condition: 'bad-request' })
  }
  const twice = parseElement(`<command xmlns='urn:c'>${submitted('')}${submitted('')}</command>`)
  assert.throws(() => readAnswers(twice), { condition: 'bad-request' })
  assert.equal(readAnswers(parseElement(`<command xmlns='urn:c'/>`)), undefined)
})

test('results: fields, and a table', () => {
  const number: Field = { name: 'registeredusersnum', label: 'How many', values: ['123'] }
  assertLike(
    resultElement({ formType: 'http://jabber.org/protocol/admin', fields: [number] }),
    `<x xmlns='jabber:x:data' type='result'>
      <field type='hidden' var='FORM_TYPE'><value>http://jabber.org/protocol/admin</value></field>
      <field label='How many' var='registeredusersnum'><value>123</value></field>
    </x>`,
  )
  const table = tableElement({
    columns: [
      { name: 'name', label: 'Title', type: 'text-single' },
      { name: 'url', label: 'URL' },
    ],
    rows: [{ name: 'Comune di Verona', url: 'http://www.comune.verona.it/' }, { name: 'Verona' }],
  })
  assertLike(
    table,
    `<x xmlns='jabber:x:data' type='result'>
      <reported><field var='name' label='Title' type='text-single'/><field var='url' label='URL'/></reported>
      <item>
        <field var='name'><value>Comune di Verona</value></field>
        <field var='url'><value>http://www.comune.verona.it/</value></field>
      </item>
      <item><field var='name'><value>Verona</value></field><field var='url'><value/></field></item>
    </x>`,
  )
  assert.equal(table.elements[0]?.name, 'reported')
})
