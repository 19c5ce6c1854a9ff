// SPDX-License-Identifier: Apache-2.0
// As much of a browser's XMLHttpRequest as Strophe needs for BOSH.
import { DOMParser } from '@xmldom/xmldom'

/** One request. */
export class FetchingXmlHttpRequest {
  readyState = 0
  status = 0
  responseText = ''
  responseXML: unknown
  onreadystatechange: () => void = () => undefined
  readonly #abort = new AbortController()
  readonly #headers: Record<string, string> = {}
  #url = ''

  open(_: string, url: string): void {
    this.#url = url
    this.#is(1)
  }

  setRequestHeader(name: string, value: string): void {
    this.#headers[name] = value
  }

  getAllResponseHeaders(): string {
    return ''
  }

  abort(): void {
    this.#abort.abort()
  }

  send(body: string): void {
    this.#fetch(body).catch(() => undefined) // an aborted request changes no more; else the status stays 0
  }

  async #fetch(body: string): Promise<void> {
    const { signal } = this.#abort
    try {
      const response = await fetch(this.#url, { method: 'POST', headers: this.#headers, body, signal })
      this.responseText = await response.text()
      this.status = response.status
      this.responseXML = new DOMParser().parseFromString(this.responseText, 'text/xml')
    } finally {
      if (!signal.aborted) this.#is(4)
    }
  }

  #is(state: number): void {
    this.readyState = state
    this.onreadystatechange()
  }
}
