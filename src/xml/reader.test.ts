// SPDX-License-Identifier: Apache-2.0
// The reader, rule by rule. Every document is also read cut in two at every place, and byte by byte.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Outcome, read, roundTrip, shapeOf } from '../../test/fuzz/judge.ts'
import { Element, el } from './element.ts'
import { ReadError } from './errors.ts'
import { detach, intern, internString } from './intern.ts'
import { parseElement, type ReadEvent, Reader, type ReaderLimits } from './reader.ts'

const STREAMS = 'http://etherx.jabber.org/streams'
const HEADER = `<stream:stream xmlns='jabber:client' xmlns:stream='${STREAMS}'>`

/** Reads the document in one piece, cut in two at every place, and byte by byte; all must come to the same. */
function readEveryWay(document: string | Uint8Array, limits?: Partial<ReaderLimits>): Outcome {
  const bytes = Buffer.from(document)
  const whole = read([bytes], limits)
  for (let at = 1; at < bytes.length; at++) {
    assert.deepEqual(read([bytes.subarray(0, at), bytes.subarray(at)], limits), whole, `cut at ${at}`)
  }
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte))
  assert.deepEqual(read(single, limits), whole, 'byte by byte')
  return whole
}

/** The only stanza of a stream. */
function stanza(xml: string, header = HEADER): Element {
  const outcome = readEveryWay(`${header}${xml}</stream:stream>`)
  assert.equal(outcome.error, '')
  assert.ok(outcome.closed)
  const element = outcome.elements[1]
  assert.ok(element && outcome.elements.length === 2)
  roundTrip(element)
  return element
}

function events(reader: Reader, ...chunks: readonly string[]): ReadEvent[] {
  const list: ReadEvent[] = []
  for (const chunk of chunks) {
    reader.push(Buffer.from(chunk))
    for (let event = reader.next(); event; event = reader.next()) list.push(event)
  }
  return list
}

const bytesOf = (...bytes: readonly number[]): string => Buffer.from(bytes).toString('latin1')

const REFUSED: readonly (readonly [what: string, condition: string, xml: string])[] = [
  ['a comment', 'restricted-xml', '<a><!-- x --></a>'],
  ['a comment between stanzas', 'restricted-xml', '<!-- x -->'],
  ['a processing instruction', 'restricted-xml', '<a><?php x?></a>'],
  ['a second XML declaration', 'restricted-xml', "<?xml version='1.0'?>"],
  ['a DTD', 'restricted-xml', '<!DOCTYPE a>'],
  ['an entity', 'restricted-xml', '<a>&foo;</a>'],
  ['an entity in a value', 'restricted-xml', "<a b='&nbsp;'/>"],
  ['a bare ampersand', 'not-well-formed', '<a>a & b</a>'],
  ['a reference without an end', 'not-well-formed', '<a>&amp</a>'],
  ['a reference with an upper-case X', 'not-well-formed', '<a>&#X41;</a>'],
  ['a reference to U+0000', 'not-well-formed', '<a>&#0;</a>'],
  ['a reference to U+FFFE', 'not-well-formed', '<a>&#xFFFE;</a>'],
  ['a reference to a surrogate', 'not-well-formed', '<a>&#xD83D;&#xDE00;</a>'],
  ['a reference beyond Unicode', 'not-well-formed', '<a>&#x110000;</a>'],
  ['a reference to a huge number', 'not-well-formed', `<a>&#${'9'.repeat(40)};</a>`],
  ['a control character', 'not-well-formed', '<a>\x01</a>'],
  ['U+FFFF', 'not-well-formed', '<a>\uffff</a>'],
  ['an undeclared prefix', 'not-well-formed', '<p:a/>'],
  ['an undeclared prefix of an attribute', 'not-well-formed', "<a p:b=''/>"],
  ['a prefix out of its scope', 'not-well-formed', "<a><b xmlns:p='u'/><p:c/></a>"],
  ['an attribute given twice', 'not-well-formed', "<a b='' b=''/>"],
  ['an attribute given twice by two prefixes', 'not-well-formed', "<a xmlns:p='u' xmlns:q='u' p:b='' q:b=''/>"],
  ['a namespace declared twice', 'not-well-formed', "<a xmlns='u' xmlns='v'/>"],
  ['a prefix declared twice', 'not-well-formed', "<a xmlns:p='u' xmlns:p='u'/>"],
  ['a prefix undeclared', 'not-well-formed', "<a xmlns:p=''/>"],
  ['the prefix xml bound elsewhere', 'not-well-formed', "<a xmlns:xml='u'/>"],
  ['another prefix for xml', 'not-well-formed', "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>"],
  ['xml as the default', 'not-well-formed', "<a xmlns='http://www.w3.org/XML/1998/namespace'/>"],
  ['the prefix xmlns declared', 'not-well-formed', "<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>"],
  ['a prefix for xmlns', 'not-well-formed', "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>"],
  ['an element with the prefix xmlns', 'not-well-formed', '<xmlns:a/>'],
  ['an element with the prefix xml', 'bad-namespace-prefix', '<a><xml:b/></a>'],
  ['two colons', 'not-well-formed', '<stream:a:b/>'],
  ['nothing before a colon', 'not-well-formed', '<:a/>'],
  ['nothing behind a colon', 'not-well-formed', '<stream:/>'],
  ['a digit behind a colon', 'not-well-formed', '<stream:1/>'],
  ['a name that starts with a digit', 'not-well-formed', '<1a/>'],
  ['a name that starts with a combining character', 'not-well-formed', '<\u0301a/>'],
  ['a name with a multiplication sign', 'not-well-formed', '<a×/>'],
  ['a tag without a name', 'not-well-formed', '< a/>'],
  ['tags that do not match', 'not-well-formed', '<a></b>'],
  ['an end tag that is too long', 'not-well-formed', '<a></ab>'],
  ['an end tag with another prefix', 'not-well-formed', "<p:a xmlns:p='u' xmlns:q='u'></q:a>"],
  ['an end tag with an attribute', 'not-well-formed', "<a></a b=''>"],
  ['an element left open', 'not-well-formed', '<a>'],
  ['"<" in a value', 'not-well-formed', "<a b='<'/>"],
  ['a value without quotes', 'not-well-formed', '<a b=c/>'],
  ['an attribute without a value', 'not-well-formed', '<a b/>'],
  ['attributes without space between', 'not-well-formed', "<a b=''c=''/>"],
  ['a stray slash', 'not-well-formed', '<a / >'],
  ['"]]>" in text', 'not-well-formed', '<a>]]></a>'],
  ['something like CDATA', 'not-well-formed', '<a><![cdata[x]]></a>'],
  ['text between stanzas', 'bad-format', 'x'],
  ['a reference between stanzas', 'bad-format', '&#32;'],
  ['CDATA between stanzas', 'bad-format', '<![CDATA[ ]]>'],
]

for (const [what, condition, xml] of REFUSED) {
  test(`refused: ${what}`, () => {
    const outcome = readEveryWay(`${HEADER}<ok/> ${xml}</stream:stream>`)
    assert.equal(outcome.error, condition)
    assert.equal(outcome.elements[1]?.name, 'ok', 'what came before is read')
    assert.equal(outcome.elements.length, 2)
  })
}

const BAD_UTF8: readonly (readonly [what: string, bytes: string])[] = [
  ['an overlong character', bytesOf(0xc0, 0xaf)],
  ['an overlong character of three bytes', bytesOf(0xe0, 0x80, 0xaf)],
  ['a surrogate', bytesOf(0xed, 0xa0, 0x80)],
  ['a character beyond U+10FFFF', bytesOf(0xf4, 0x90, 0x80, 0x80)],
  ['a character that is cut off', bytesOf(0xe2, 0x82)],
  ['a continuation byte alone', bytesOf(0x80)],
  ['a byte that UTF-8 never has', bytesOf(0xff)],
]

for (const [what, bytes] of BAD_UTF8) {
  test(`refused as no UTF-8 (RFC 6120 §4.9.3.22): ${what}`, () => {
    const document = Buffer.from(`${HEADER}<ok/><a>x${bytes}x</a>`, 'latin1')
    const outcome = readEveryWay(document)
    assert.equal(outcome.error, 'unsupported-encoding')
    assert.equal(outcome.elements.length, 2)
  })
}

const STARTS: readonly (readonly [start: string, error: string])[] = [
  ['', ''],
  [' \r\n\t', ''],
  ["<?xml version='1.0'?>", ''],
  ["<?xml version='1.0' encoding='UTF-8'?>\n", ''],
  ['<?xml\tversion = "1.0"\nencoding = "utf-8" standalone="yes" ?>', ''],
  ["<?xml version='1.1'?>", ''],
  ["<?xml version='2.0'?>", 'not-well-formed'],
  ["<?xml encoding='UTF-8'?>", 'not-well-formed'],
  ["<?xml version='1.0' standalone='x'?>", 'not-well-formed'],
  ["<?xml version='1.0' encoding='ISO-8859-1'?>", 'unsupported-encoding'],
  [" <?xml version='1.0'?>", 'restricted-xml'],
  ["<?xml version='1.0'?><?xml version='1.0'?>", 'restricted-xml'],
  ['<?xml-stylesheet?>', 'restricted-xml'],
  ['<!-- x -->', 'restricted-xml'],
  ['<!DOCTYPE stream>', 'restricted-xml'],
  ['<![CDATA[]]>', 'not-well-formed'],
  ['\ufeff', 'not-well-formed'], // RFC 6120 §11.6: not a mark but a character, and text cannot stand there
  ['GET / HTTP/1.1\r\n', 'not-well-formed'],
  ['</a>', 'not-well-formed'],
]

for (const [start, error] of STARTS) {
  test(`a stream that starts with ${JSON.stringify(start)} is ${error === '' ? 'read' : `refused: ${error}`}`, () => {
    const outcome = readEveryWay(`${start}${HEADER}</stream:stream>`)
    assert.equal(outcome.error, error)
    assert.equal(outcome.closed, error === '')
  })
}

test('nothing but white space follows the end of a stream', () => {
  assert.equal(readEveryWay(`${HEADER}</stream:stream> \n`).error, '')
  assert.equal(readEveryWay(`${HEADER}</stream:stream><a/>`).error, 'not-well-formed')
  assert.ok(readEveryWay(HEADER.replace('>', '/>')).closed)
})

test('the header tells its prefix, its namespaces and its attributes', () => {
  const [event] = events(
    new Reader(),
    `<stream:stream to='a' xml:lang='it' xmlns='jabber:server' xmlns:db='jabber:server:dialback' xmlns:stream='${STREAMS}'>`,
  )
  assert.ok(event?.kind === 'open')
  assert.equal(event.prefix, 'stream')
  assert.equal(event.contentNamespace, 'jabber:server')
  assert.deepEqual([...event.prefixes.keys()], ['db', 'stream'])
  assert.deepEqual(shapeOf(event.header), [
    'stream',
    STREAMS,
    [
      ['to', 'a'],
      ['xml:lang', 'it'],
    ],
    [],
  ])
  const [bare] = events(new Reader(), `<stream xmlns='${STREAMS}'>`)
  assert.ok(bare?.kind === 'open')
  assert.equal(bare.prefix, '')
  assert.equal(bare.contentNamespace, STREAMS)
})

test('references, line ends and white space mean what XML says', () => {
  const element = stanza(
    "<a b='x\t\r\ny&#10;&quot;&#x1F600;'>1\r\n2\r3&#13;&lt;&amp;&gt;&apos;&quot;&#0065;]]&gt;]] ></a>",
  )
  assert.equal(element.attrs.b, 'x  y\n"😀')
  assert.equal(element.text, '1\n2\n3\r<&>\'"A]]>]] >')
})

test('CDATA is text, and stays in the source', () => {
  const element = stanza('<a>x<![CDATA[<&\r\n]]]]>y<![CDATA[]]></a>')
  assert.deepEqual(element.children, ['x<&\n]]y'])
  assert.equal(element.source?.text, 'x<![CDATA[<&\r\n]]]]>y<![CDATA[]]>')
})

test('text in all the scripts', () => {
  const text = 'perché مرحبا 名 😀 \u{10fffd}'
  assert.equal(stanza(`<body>${text}</body>`).text, text)
  assert.equal(stanza('<é:ñ xmlns:é="urn:è" é:x="1"/>').ns, 'urn:è')
})

test('names of Object.prototype are attributes like any other', () => {
  const { attrs } = stanza("<a __proto__='x' constructor='y' toString='z'/>")
  assert.deepEqual(Object.entries(attrs).sort(), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['toString', 'z'],
  ])
  assert.equal(Object.getPrototypeOf(attrs), Object.prototype)
  assert.equal(readEveryWay(`${HEADER}<a __proto__='x' __proto__='y'/>`).error, 'not-well-formed')
  assert.deepEqual(stanza('<a/>').attrs, {})
})

test('attributes go by their namespace, those of "xml" by their prefix', () => {
  const { attrs } = stanza("<a xmlns:p='urn:p' p:b='1' b='2' xml:lang='it' xml:space='preserve'/>")
  assert.deepEqual(attrs, { '{urn:p}b': '1', b: '2', 'xml:lang': 'it', 'xml:space': 'preserve' })
})

test('a namespace cannot break out of its attribute', () => {
  const element = stanza(`<a xmlns:p="u} x='y'/&gt;&lt;b/&gt;" p:c="1"/>`)
  assert.deepEqual(Object.keys(element.attrs), ["{u} x='y'/><b/>}c"])
})

test('unprefixed elements inherit, and can leave, the default namespace', () => {
  const element = stanza("<a><b xmlns=''><c/></b><d xmlns='urn:d'><e/></d><f/></a>")
  const namespaces = [element, ...element.elements, ...element.elements.flatMap((child) => child.elements)]
  assert.deepEqual(
    namespaces.map((each) => each.ns),
    ['jabber:client', '', 'urn:d', 'jabber:client', '', 'urn:d'],
  )
  assert.equal(stanza("<a xmlns=''/>").ns, '')
})

const SOURCES: readonly (readonly [what: string, xml: string, text: string | undefined, declarations: string])[] = [
  ['no content', '<a/>', '', ''],
  ['no content, with an end tag', "<a xmlns:p='u'></a >", '', ''],
  ['plain content', "<a><b  x='1'/>&#65;</a>", "<b  x='1'/>&#65;", ''],
  ['a prefix of the stanza, even unused', "<a xmlns:p='u&apos;'>x</a>", 'x', " xmlns:p='u&#39;'"],
  ['a prefix of the stream', '<a><stream:b/></a>', '<stream:b/>', ` xmlns:stream='${STREAMS}'`],
  ['a prefix of the stream on an attribute', "<a><b o:x=''/></a>", "<b o:x=''/>", " xmlns:o='urn:o'"],
  ['a prefix of the stream on the stanza alone', "<a o:x=''>x</a>", 'x', ''],
  ['prefixes of both', "<a xmlns:p='u'><o:b/></a>", '<o:b/>', " xmlns:p='u' xmlns:o='urn:o'"],
  ['a prefix declared anew', "<a xmlns:o='u'><o:b/></a>", '<o:b/>', " xmlns:o='u'"],
  ['a prefix declared inside', "<a><o:b xmlns:o='u'/></a>", "<o:b xmlns:o='u'/>", ''],
  ['a stanza with a prefix', '<o:a><b/></o:a>', undefined, ''],
  ['a prefix that we make ourselves', "<a xmlns:ae0='u' ae0:x='1'><ae0:b/></a>", undefined, ''],
] // biome-ignore format: a table

for (const [what, xml, text, declarations] of SOURCES) {
  test(`the source of ${what}`, () => {
    const header = HEADER.replace('>', " xmlns:o='urn:o'>")
    const { source } = stanza(xml, header)
    assert.deepEqual(source, text === undefined ? undefined : { text, declarations })
  })
}

test('a stanza keeps nothing of the one before', () => {
  const outcome = readEveryWay(`${HEADER}<a><stream:x/></a><b>y</b>`)
  assert.deepEqual(outcome.elements[2]?.source, { text: 'y', declarations: '' })
  assert.deepEqual(outcome.elements[2]?.children, ['y'])
})

test('limits: what is as large as allowed passes, what is larger does not', () => {
  const cases: readonly (readonly [limits: Partial<ReaderLimits>, good: string, bad: string])[] = [
    [{ stanzaBytes: 10 }, '<a>abc</a>', '<a>abcd</a>'],
    [{ stanzaBytes: 10 }, '<a>éa</a> ', '<a>éé</a>'],
    [{ stanzaBytes: 11 }, '<a>😀</a>', '<a>😀x</a>'],
    [{ stanzaBytes: 10 }, "<a b='' />", "<a b=''  />"],
    [{ depth: 2 }, '<a><b/><b/></a>', '<a><b><c/></b></a>'],
    [{ elements: 3 }, '<a><b/><b/></a><a><b/></a>', '<a><b/><b/><b/></a>'],
    [{ attributes: 2 }, "<a b='' xmlns:p='u'/>", "<a b='' c='' d=''/>"],
  ]
  for (const [limits, good, bad] of cases) {
    const small = { attributes: 2, ...limits, headerBytes: HEADER.length }
    assert.equal(readEveryWay(HEADER + good, small).error, '', good)
    assert.equal(readEveryWay(HEADER + bad, small).error, 'policy-violation', bad)
    assert.equal(readEveryWay(HEADER + good, { ...small, headerBytes: HEADER.length - 1 }).error, 'policy-violation')
  }
})

test('what never ends is refused, and not held', () => {
  for (const start of ["<a b='", '<a>', '<a ', '<', '<a><![CDATA[', '<a></a ', '<a>&#0']) {
    const reader = new Reader({ stanzaBytes: 1000 })
    events(reader, HEADER, start)
    let pushed = 0
    assert.throws(() => {
      for (; pushed < 3000; pushed += 100) events(reader, (start === '<' ? 'aa' : '  ').repeat(50))
    }, ReadError)
    assert.ok(pushed <= 1100)
    assert.equal(reader.pendingBytes, 0)
    assert.throws(() => reader.next(), ReadError)
  }
})

test('white space between stanzas is not held, however much comes', () => {
  const reader = new Reader({ stanzaBytes: 100 })
  events(reader, HEADER)
  for (let i = 0; i < 100; i++) events(reader, ' \n'.repeat(100))
  assert.equal(reader.pendingBytes, 0)
  assert.equal(events(reader, '<a/>').length, 1)
})

test('setLimits applies to what comes next', () => {
  const reader = new Reader({ stanzaBytes: 10 })
  events(reader, HEADER, '<a/>')
  reader.setLimits({ stanzaBytes: 100 })
  assert.equal(events(reader, `<a>${'x'.repeat(80)}</a>`).length, 1)
  assert.throws(() => events(reader, `<a>${'x'.repeat(94)}</a>`), { condition: 'policy-violation' })
})

test('pendingBytes counts bytes that are held', () => {
  const reader = new Reader()
  events(reader, HEADER, '<a>é')
  assert.equal(reader.pendingBytes, 5)
  reader.push(Buffer.from('éé<').subarray(0, 3))
  assert.equal(reader.pendingBytes, 8)
  reader.next()
  assert.equal(reader.pendingBytes, 8)
})

test('a large stanza in single bytes is read in one go', () => {
  const content = `<b c='${'>'.repeat(60_000)}'/>${'x'.repeat(60_000)}&#${'0'.repeat(60_000)}65;<![CDATA[${']>'.repeat(30_000)}]]>`
  const outcome = read(Array.from(Buffer.from(`${HEADER}<a>${content}</a>`), (byte) => Uint8Array.of(byte)))
  assert.equal(outcome.error, '')
  assert.equal(outcome.elements[1]?.source?.text, content)
  assert.equal(outcome.elements[1]?.text.length, 120_001)
})

test('restart: the next thing is a new stream (RFC 6120 §4.3.3)', () => {
  const next = `\n<?xml version='1.0'?><stream:stream xmlns='jabber:server' xmlns:stream='${STREAMS}'><a/>`
  for (let at = 0; at <= next.length; at++) {
    const reader = new Reader()
    const [, element] = events(reader, HEADER.replace('>', " xmlns:p='u'>"))
    assert.equal(element, undefined)
    reader.push(Buffer.from(`<response/>${next.slice(0, at)}`))
    assert.equal(reader.next()?.kind, 'element')
    reader.restart()
    const list = [reader.next(), ...events(reader, next.slice(at))].filter((event) => event)
    const all = [...list, ...events(reader, '')]
    for (let event = reader.next(); event; event = reader.next()) all.push(event)
    assert.deepEqual(
      all.map((event) => event?.kind),
      ['open', 'element'],
      `cut at ${at}`,
    )
    const last = all[1]
    assert.ok(last?.kind === 'element')
    assert.equal(last.element.ns, 'jabber:server')
    assert.throws(() => events(reader, '<p:a/>'), { condition: 'not-well-formed' })
  }
})

test('parseElement reads one element and nothing else', () => {
  assert.equal(parseElement(' <a/>\n', 'urn:x').ns, 'urn:x')
  assert.equal(parseElement('<a/>').ns, '')
  assert.equal(parseElement("<a xmlns='é&amp;'>😀</a>", "u'<").ns, 'é&')
  for (const text of ['', 'x', '<a>', '<a/><b/>', '<a/>x', '<a/><', '</s>', '<p:a/>', '<a>\ud800</a>', '<a/></s>']) {
    assert.throws(() => parseElement(text), ReadError, text)
  }
})

test('what we make is read as it was made', () => {
  roundTrip(
    el(
      'a',
      'urn:a',
      { x: '\t\r\n<&>\'"', '{urn:b}y': '1', '{urn:c}y': '2' },
      '\r\n<&>]]>',
      el('b', '', null, el('c', 'urn:a')),
      ' ',
    ),
  )
  const [, received] = readEveryWay(`${HEADER}<message><stream:x/><y/></message>`).elements
  assert.ok(received)
  roundTrip(received.append(el('delay', 'urn:xmpp:delay', { stamp: 'x' }, 'é')).withAttrs({ from: "a'b" }))
  roundTrip(new Element('iq', 'jabber:server', received.attrs, received.children))
})

test('the examples of RFC 6120', () => {
  const client = `<?xml version='1.0'?><stream:stream from='juliet@im.example.com' to='im.example.com' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='${STREAMS}'>`
  const stanzas = [
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbj1qdWxpZXQscj1vTXNUQUF3QUFBQU1BQUFBTlAwVEFBQUFBQUJQVTBBQQ==</auth>",
    "<iq id='yhc13a95' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>balcony</resource></bind></iq>",
    "<message from='juliet@im.example.com/balcony' id='ju2ba41c' to='romeo@example.net' type='chat' xml:lang='en'>\n  <body>Art thou not Romeo, and a Montague?</body>\n</message>",
    "<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
  ]
  const outcome = readEveryWay(`${client}\n${stanzas.join('\n')}\n</stream:stream>`)
  assert.equal(outcome.error, '')
  assert.deepEqual(
    outcome.elements.map((element) => element.name),
    ['stream', 'starttls', 'auth', 'iq', 'message', 'error'],
  )
  for (const element of outcome.elements) roundTrip(element)
  // §11.1 and §4.9.3.13, §4.9.3.18.
  assert.equal(readEveryWay(`${client}<message><!--<subject/>--><body/></message>`).error, 'restricted-xml')
  assert.equal(readEveryWay(`${client}<message><body>No closing tag!</message>`).error, 'not-well-formed')
})

test('interned and detached strings are equal to what they were', () => {
  for (const text of ['', 'a', 'urn:xmpp:receipts', 'é'.repeat(20), '名😀'.repeat(10), 'x'.repeat(100)]) {
    assert.equal(detach(text), text)
    assert.equal(internString(text), text)
    assert.equal(intern(`<${text}>`, 1, 1 + text.length, 7), text)
  }
})

test('what came through a stream with the widest limits can be read again', () => {
  const attributes = Array.from({ length: 998 }, (_, place) => ` a:x${place}='1'`).join('')
  const nested = `${'<x>'.repeat(998)}${'</x>'.repeat(998)}`
  const reader = new Reader({ attributes: 1000, depth: 1000 })
  reader.push(Buffer.from(`<stream xmlns='jabber:client'><message xmlns:a='urn:a'${attributes}>${nested}</message>`))
  reader.next()
  const event = reader.next()
  assert.equal(event?.kind, 'element')
  const element = event?.kind === 'element' ? event.element : undefined
  const [again] = parseElement(`<all>${element?.xml('')}</all>`).elements
  assert.deepEqual(again?.attrs, element?.attrs)
  assert.deepEqual(
    again?.children.map((child) => (typeof child === 'string' ? child : child.name)),
    ['x'],
  )
})

test("the namespace of a stream that is no client's stands for theirs, where a stanza inherits or declares it (RFC 6120 §4.8.3)", () => {
  const reader = new Reader({}, { written: 'jabber:component:accept', meant: 'jabber:client' })
  const stanzas = [
    `<message><body>1</body><x xmlns='jabber:component:accept'/></message>`,
    `<message xmlns='jabber:component:accept'><body>2</body></message>`,
    `<message xmlns='jabber:client'><body>3</body></message>`,
    `<message xmlns='urn:other'><body>4</body></message>`,
  ]
  reader.push(Buffer.from(`<stream xmlns='jabber:component:accept'>${stanzas.join('')}`))
  const header = reader.next()
  assert.equal(header?.kind === 'open' && header.contentNamespace, 'jabber:component:accept')
  const seen = stanzas.map(() => {
    const event = reader.next()
    return event?.kind === 'element' ? event.element.xml('jabber:client') : event
  })
  assert.deepEqual(seen, [
    `<message><body>1</body><x xmlns='jabber:component:accept'/></message>`,
    '<message><body>2</body></message>',
    '<message><body>3</body></message>',
    `<message xmlns='urn:other'><body>4</body></message>`,
  ])
})
