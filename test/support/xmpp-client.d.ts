// SPDX-License-Identifier: Apache-2.0
// The part of `@xmpp/client` that tests use; it comes without types.
declare module '@xmpp/client' {
  import type { EventEmitter } from 'node:events'

  /** An element of xmpp.js. */
  export interface XmlElement {
    readonly name: string
    readonly attrs: Readonly<Record<string, string | undefined>>
    is(name: string, ns?: string): boolean
    getChild(name: string, ns?: string): XmlElement | undefined
    getChildren(name: string, ns?: string): readonly XmlElement[]
    getChildText(name: string, ns?: string): string | null
    toString(): string
  }

  /** An address of xmpp.js. */
  export interface XmppAddress {
    bare(): XmppAddress
    toString(): string
  }

  /** A client. */
  export interface XmppClient {
    readonly status: string
    readonly reconnect: { stop(): void }
    readonly streamManagement: EventEmitter
    readonly iqCaller: {
      get(payload: XmlElement, to?: string): Promise<XmlElement | undefined>
      set(payload: XmlElement, to?: string): Promise<XmlElement | undefined>
    }
    start(): Promise<XmppAddress>
    stop(): Promise<unknown>
    send(element: XmlElement): Promise<void>
    on(event: 'stanza', listener: (stanza: XmlElement) => void): void
    on(event: 'error', listener: (error: Error & { readonly condition?: string }) => void): void
    on(event: 'online', listener: (jid: XmppAddress) => void): void
    on(event: 'disconnect', listener: () => void): void
  }

  /** Makes a client. */
  export function client(options: {
    readonly service: string
    readonly domain: string
    readonly resource?: string
    readonly username: string
    readonly password: string
    readonly userAgent?: XmlElement
  }): XmppClient

  /** Makes an element. */
  export function xml(
    name: string,
    attrs?: Readonly<Record<string, string>>,
    ...children: readonly (XmlElement | string)[]
  ): XmlElement
}
