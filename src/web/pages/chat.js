// SPDX-License-Identifier: Apache-2.0
// Starts Converse.js for this server: everything from here, nothing asked of anybody else.
import { addElsewhere } from './elsewhere.js'
import { addEncryption } from './encryption.js'
import { addLogin } from './login.js'

const meta = (name) => document.querySelector(`meta[name="aenigma-${name}"]`)?.content ?? ''
const host = meta('host')
const webSocket = `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/xmpp-websocket`
const bosh = `${location.origin}/http-bind`
const files = meta('files').split(' ')
const { converse } = window

addLogin(converse)
addEncryption(converse)
addElsewhere(converse, files)
converse.plugins.add('aenigma-look', {
  initialize() {
    const { api } = this._converse
    api.elements.define('converse-brand-logo', Brand)
    api.elements.define('converse-footer', Footer) // the original shows pictures of sponsors, from elsewhere
    api.elements.define('converse-controlbox-navbar', Nothing) // links to the site of Converse.js
    api.listen.on('chatRoomInitialized', oneOfEach)
  },
})

/** Converse.js shows members twice that it knew by their address before they came in: it looks for their occupant id alone. */
function oneOfEach({ occupants }) {
  if (!occupants) return
  const find = occupants.findOccupant.bind(occupants)
  occupants.findOccupant = (who) => find(who) ?? (who.jid && find({ jid: who.jid })) ?? undefined
}

class Brand extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return
    const icon = Object.assign(new Image(64, 64), { src: '/chat/icon.svg', alt: '' })
    const name = Object.assign(document.createElement('span'), { className: 'aenigma-name', textContent: 'aenigma' })
    const brand = Object.assign(document.createElement('div'), { className: 'aenigma-brand' })
    brand.append(icon, name)
    this.append(brand)
  }
}

class Nothing extends HTMLElement {}

class Footer extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return
    const link = Object.assign(document.createElement('a'), {
      href: 'https://conversejs.org',
      target: '_blank',
      rel: 'noopener noreferrer',
      textContent: 'Converse.js',
    })
    this.append('Web chat: ', link, ' (MPL-2.0)')
  }
}

/** Whether something on the way lets HTTP through but no WebSocket. Without any network a WebSocket may do later. */
async function onlyBosh() {
  const opened = await new Promise((resolve) => {
    const probe = new WebSocket(webSocket, 'xmpp')
    const timer = setTimeout(() => resolve(false), 4000)
    probe.onerror = () => resolve(false)
    probe.onopen = () => {
      clearTimeout(timer)
      probe.close()
      resolve(true)
    }
  })
  return (
    !opened &&
    (await fetch(bosh, { method: 'HEAD' }).then(
      () => true,
      () => false,
    ))
  )
}

await converse.initialize({
  // This server, and no other.
  assets_path: meta('converse'),
  websocket_url: (await onlyBosh()) ? undefined : webSocket,
  bosh_service_url: bosh,
  discover_connection_methods: false,
  authentication: 'login',
  locked_domain: host,
  default_domain: host,
  muc_domain: `rooms.${host}`,
  allow_registration: false,
  // Nothing is fetched from others unless one asks for it: who sends a link does not learn who saw it.
  autocomplete_providers_url: '',
  xmpp_providers_url: '',
  providers_link: '',
  muc_search_service: `rooms.${host}`, // without one Converse.js draws no field for a room's name
  render_media: files,
  embed_3rd_party_media_players: false,
  // Login by token (login.js), never with what amounts to a password.
  reuse_scram_keys: false,
  // Encryption, history and devices as one expects them today.
  omemo_default: true,
  message_archiving: 'always',
  muc_nickname_from_jid: true,
  muc_respect_autojoin: true,
  muc_clear_messages_on_leave: false,
  muc_show_logs_before_join: true,
  allow_message_corrections: 'all',
  // Looks.
  whitelisted_plugins: ['aenigma-login', 'aenigma-encryption', 'aenigma-elsewhere', 'aenigma-look'],
  view_mode: 'fullscreen',
  theme: 'classic',
  dark_theme: 'dracula',
  show_client_info: true,
  show_background: false,
  notification_icon: '/chat/icon-192.png',
  play_sounds: true,
  visible_toolbar_buttons: { call: false, clear: false, emoji: true, location: false, spoiler: false },
  loglevel: 'warn',
})

const italian = navigator.language.startsWith('it')
const hint = document.querySelector('.aenigma-empty p')
if (hint) hint.textContent = italian ? 'Scegli un contatto o una stanza.' : 'Choose a contact or a room.'
document.querySelector('.aenigma-wait')?.remove()
if ('serviceWorker' in navigator) {
  // Without one the chat works all the same, so whatever is wrong is only noted.
  navigator.serviceWorker.register('/chat/sw.js', { scope: '/chat/' }).catch((error) => console.warn(error))
}
