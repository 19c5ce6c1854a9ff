// SPDX-License-Identifier: Apache-2.0
// Converse.js sends a message in the clear when it does not know yet that the other side can do OMEMO: right after a chat was
// opened, or when the contact's keys came later. Here it looks first. Who switched the padlock off is obeyed.

/** How long a message may wait for the other side's keys, in ms. */
const PATIENCE = 5000

/** Adds the plugin. */
export function addEncryption(converse) {
  converse.plugins.add('aenigma-encryption', {
    initialize() {
      const { _converse } = this
      const { api } = _converse
      const { u } = converse.env
      const look = (chat) => {
        const attributes = chat.getOutgoingMessageAttributes.bind(chat)
        chat.getOutgoingMessageAttributes = async (wish) => {
          if (_converse.state.config.get('trusted')) await decided(chat, u)
          return attributes(wish)
        }
      }
      api.listen.on('chatBoxInitialized', look)
      api.listen.on('chatRoomInitialized', look)
    },
  })
}

async function decided(chat, u) {
  if (chat.get('omemo_supported') === undefined)
    await atMost(PATIENCE, new Promise((done) => chat.once('change:omemo_supported', done)))
  if (chat.get('omemo_supported') || chat.get('type') !== 'chatbox') return
  const jid = chat.get('jid')
  if (u.omemo.getOMEMOActiveState(jid) !== undefined) return
  const legacy = await atMost(PATIENCE, u.omemo.getDevicesForContact(jid, 'eu.siacs.conversations.axolotl'))
  const devices = legacy?.length
    ? legacy
    : await atMost(PATIENCE, u.omemo.getDevicesForContact(jid, 'urn:xmpp:omemo:2'))
  if (devices?.length) chat.save({ omemo_supported: true, omemo_active: true })
}

/** What a promise gives, or undefined when that takes too long or fails. */
function atMost(ms, promise) {
  return Promise.race([promise.catch(() => undefined), new Promise((done) => setTimeout(done, ms))])
}
