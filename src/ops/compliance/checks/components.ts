// SPDX-License-Identifier: Apache-2.0
// XEP-0114, as far as somebody sees who knows no secret. One that is right would push out the component that has it.
import { createHash } from 'node:crypto'
import { ClientSocket } from '../../../net/probes/client-socket.ts'
import { type ReadEvent, Reader } from '../../../xml/reader.ts'
import type { Lab } from '../lab.ts'
import { needs, Unseen } from '../missing.ts'

const NS_STREAMS = 'http://etherx.jabber.org/streams'

/** How long the server may take, in ms. */
const PATIENCE = 4_000

/** Comes under a name that nobody has, and with a wrong secret where names are not looked at. */
export async function components(lab: Lab): Promise<string> {
  const { components: place, announced } = lab.target
  if (announced !== undefined) throw new Unseen('a client cannot see it')
  if (!place) throw new Unseen('nothing listens for components: none is configured')
  const socket = await ClientSocket.plain(place)
  try {
    const [header, refusal] = await turnedAway(socket)
    needs(header === 'jabber:component:accept', `the stream is one of ${header || 'nothing'}`)
    needs(refusal, 'a component that nobody knows is not refused')
    return `a component that nobody knows is refused with ${refusal}`
  } finally {
    socket.end()
  }
}

/** The namespace of the server's stream and the condition of its error; '' for what did not come. */
function turnedAway(socket: ClientSocket): Promise<readonly [string, string]> {
  const reader = new Reader()
  return new Promise((resolve) => {
    const seen: [string, string] = ['', '']
    const late = setTimeout(() => resolve(seen), PATIENCE)
    const done = (): void => {
      clearTimeout(late)
      resolve(seen)
    }
    const take = (event: ReadEvent): void => {
      if (event.kind === 'open') {
        seen[0] = event.contentNamespace
        socket.write(`<handshake>${createHash('sha1').update('no secret').digest('hex')}</handshake>`)
      } else if (event.kind === 'element' && event.element.is('error', NS_STREAMS)) {
        seen[1] = event.element.elements[0]?.name ?? ''
        done()
      }
    }
    socket.listen((bytes) => {
      try {
        reader.push(bytes)
        for (let event = reader.next(); event; event = reader.next()) take(event)
      } catch {
        done() // what is no XML is not what was looked for
      }
    }, done)
    socket.write(`<stream:stream to='compliance.invalid' xmlns='jabber:component:accept' xmlns:stream='${NS_STREAMS}'>`)
  })
}
