// SPDX-License-Identifier: Apache-2.0
// Pictures, sounds and videos of people at other servers lie there: they are fetched when one asks for them, and not before.

const SEALED = /\baesgcm:\/\/[^\s<>"']+/g

/** Adds the plugin. @param ours the hosts whose files are fetched at once */
export function addElsewhere(converse, ours) {
  const isOurs = (url) => ours.includes(URL.parse(url)?.hostname ?? '')
  const { html } = converse.env
  const italian = navigator.language.startsWith('it')
  const button = (url) => {
    const { hostname } = new URL(url)
    const text = italian ? `Mostra il file da ${hostname}` : `Show the file from ${hostname}`
    return html`<button type="button" class="btn btn-sm btn-outline-secondary" name="fetch" @click=${show}>${text}</button>`
  }
  converse.plugins.add('aenigma-elsewhere', {
    initialize() {
      const { api } = this._converse
      const onlyALink = (_, attrs) => withoutAttachment(attrs, isOurs)
      api.listen.on('parseMessage', onlyALink)
      api.listen.on('parseMUCMessage', onlyALink)
      // What is encrypted would stand there as its address, which nobody can open by a click.
      api.listen.on('beforeMessageBodyTransformed', (text) => {
        if (text.show_images) return
        for (const { 0: url, index } of text.toString().matchAll(SEALED))
          if (URL.canParse(url) && !isOurs(url)) text.addTemplateResult(index, index + url.length, button(url))
      })
    },
  })
}

/** Converse.js would fetch at once what a message has attached if the text is another: it becomes part of the text. */
function withoutAttachment(attrs, isOurs) {
  const url = attrs.oob_url
  if (!url || url === attrs.body || isOurs(url)) return attrs
  if (attrs.is_encrypted || attrs.body?.includes(url)) return { ...attrs, oob_url: undefined }
  const body = [attrs.body, url].filter(Boolean).join('\n')
  return { ...attrs, body, message: body, oob_url: undefined }
}

function show(event) {
  event.target.closest('converse-chat-message-body')?.model.save({ hide_url_previews: false })
}
