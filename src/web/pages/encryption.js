// SPDX-License-Identifier: Apache-2.0
// Converse.js sends a message in the clear when it does not know yet that the other side can do OMEMO: right after a chat was
// opened, or when the contact's keys came later. Here it looks first. Who switched the padlock off is obeyed.

/** How long a message may wait for the other side's keys, in ms. */
const PATIENCE = 5000

const LEGACY = 'eu.siacs.conversations.axolotl'
const OMEMO2 = 'urn:xmpp:omemo:2'
const EVENT = 'http://jabber.org/protocol/pubsub#event'

/** Adds the plugin. */
export function addEncryption(converse) {
  converse.plugins.add('aenigma-encryption', {
    initialize() {
      const { _converse } = this
      const { api } = _converse
      const { u, Strophe } = converse.env
      const trusted = () => _converse.state.config.get('trusted')
      const look = (chat) => {
        const attributes = chat.getOutgoingMessageAttributes.bind(chat)
        chat.getOutgoingMessageAttributes = async (wish) => {
          if (trusted()) await decided(chat, u)
          if (chat.get('jid') === _converse.session.get('bare_jid')) await notesInClear(chat, u)
          return attributes(wish)
        }
        chat.on('change:omemo_supported', () => trusted() && decided(chat, u))
      }
      api.listen.on('chatBoxInitialized', look)
      api.listen.on('chatRoomInitialized', look)
      const keysCame = (message) => {
        const nodes = [...message.querySelectorAll('items')].map((items) => items.getAttribute('node') ?? '')
        const chat = _converse.state.chatboxes.get(Strophe.getBareJidFromJid(message.getAttribute('from') ?? ''))
        // Converse.js hears of it in the same moment, and needs one to write it down.
        if (chat && trusted() && nodes.some((node) => node.startsWith(LEGACY) || node.startsWith(OMEMO2)))
          setTimeout(() => decided(chat, u), 1000)
        return true
      }
      api.listen.on('connected', () => api.connection.get().addHandler(keysCame, EVENT, 'message'))
      api.listen.on('reconnected', () => api.connection.get().addHandler(keysCame, EVENT, 'message'))
    },
  })
}

/** Resolves when it is known whether the other side can do OMEMO, and switches it on then, unless its user chose. */
async function decided(chat, u) {
  if (chat.get('omemo_supported') === undefined)
    await atMost(PATIENCE, new Promise((done) => chat.once('change:omemo_supported', done)))
  const jid = chat.get('jid')
  if (chat.get('omemo_active') || u.omemo.getOMEMOActiveState(jid) !== undefined) return
  if (!chat.get('omemo_supported')) {
    if (chat.get('type') !== 'chatbox') return
    const legacy = await atMost(PATIENCE, u.omemo.getDevicesForContact(jid, LEGACY))
    const devices = legacy?.length ? legacy : await atMost(PATIENCE, u.omemo.getDevicesForContact(jid, OMEMO2))
    if (!devices?.length) return
    chat.save({ omemo_supported: true })
  }
  chat.save({ omemo_active: true })
}

/** Notes to oneself with one device alone: there is nobody to encrypt for, and Converse.js would refuse to send them. */
async function notesInClear(chat, u) {
  const lists = await Promise.all(
    [LEGACY, OMEMO2].map((ns) => atMost(PATIENCE, u.omemo.getDevicesForContact(chat.get('jid'), ns))),
  )
  const devices = new Set(lists.flatMap((list) => (list ? list.map((device) => String(device.get('id'))) : [])))
  if (devices.size < 2) chat.save({ omemo_active: false })
}

/** What a promise gives, or undefined when that takes too long or fails. */
function atMost(ms, promise) {
  return Promise.race([promise.catch(() => undefined), new Promise((done) => setTimeout(done, ms))])
}
