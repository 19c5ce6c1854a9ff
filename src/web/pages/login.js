// SPDX-License-Identifier: Apache-2.0
// Converse.js logs in as of RFC 6120 only. This plugin lets it log in by SASL2 (XEP-0388), ask for a token with it (XEP-0484), and
// use the token when the page is opened again, so that no password is ever kept.
import { agentId, deviceName, forgetLogin, MECHANISM, savedLogin, saveLogin } from './login-store.js'

const SASL2 = 'urn:xmpp:sasl:2'
const FAST = 'urn:xmpp:fast:0'
/** The full address of this tab, so that it finds its session again after a reload. */
const TAB = 'aenigma-tab'

/** Adds the plugin. */
export function addLogin(converse) {
  converse.plugins.add('aenigma-login', {
    initialize() {
      const { _converse } = this
      const { api } = _converse
      const { Strophe } = converse.env
      const tools = { Strophe, build: converse.env.$build, trusted: () => _converse.state.config.get('trusted') }
      api.listen.on('connectionInitialized', () => equip(api.connection.get(), tools))
      api.listen.on('login', (_, wish) => loginAgain(api, Strophe, wish))
      api.listen.on('connected', () => sessionStorage.setItem(TAB, api.connection.get().jid))
      api.listen.on('beforeLogout', async () => {
        await giveTokenBack(api)
        forgetLogin()
        sessionStorage.removeItem(TAB)
      })
    },
  })
}

/** Takes the saved token where Converse.js has no password: at the start, and to connect again. */
async function loginAgain(api, Strophe, wish) {
  const saved = savedLogin()
  if (wish.success || wish.password || !saved) return wish
  if (wish.jid && Strophe.getBareJidFromJid(wish.jid) !== saved.jid) return wish
  const tab = sessionStorage.getItem(TAB)
  const known = tab && Strophe.getBareJidFromJid(tab) === saved.jid ? tab : saved.jid
  await api.user.login(wish.jid || known, { token: saved.token })
  return { ...wish, success: true }
}

/** Teaches a connection of Strophe's the other profile of SASL. */
function equip(connection, tools) {
  if (connection.aenigmaOffer !== undefined) return
  connection.aenigmaOffer = null
  const connected = connection._connect_cb
  const authenticate = connection.authenticate
  connection._connect_cb = function (request, callback, raw) {
    const body = '_reqToData' in this._proto ? this._proto._reqToData(request) : request
    this.aenigmaOffer = body?.getElementsByTagNameNS(SASL2, 'authentication')[0] ?? null
    return connected.call(this, request, callback, raw)
  }
  connection.authenticate = function (matched) {
    const login = this.aenigmaOffer && new Login(this, this.aenigmaOffer, tools)
    if (!login?.begin(matched)) authenticate.call(this, matched)
  }
}

/** One login by SASL2. */
class Login {
  constructor(connection, offer, tools) {
    this.connection = connection
    this.offer = offer
    this.tools = tools
    this.handlers = []
    this.expected = undefined
  }

  /** @returns whether there is a way to log in */
  begin(matched) {
    const { connection } = this
    const { token } = connection.pass ?? {}
    if (token !== undefined) {
      this.byToken(token).catch(() => this.fail())
      return true
    }
    const offered = childrenOf(this.offer, 'mechanism').map((element) => element.textContent)
    const usable = matched.filter((one) => offered.includes(one.mechname) && one.mechname.startsWith('SCRAM-'))
    const mechanism = connection.sortMechanismsByPriority(usable).find((one) => one.test(connection))
    if (!mechanism || typeof connection.pass !== 'string') return false
    this.mechanism = mechanism
    connection._sasl_mechanism = mechanism
    mechanism.onStart(connection)
    const extra = this.tools.trusted() ? [node('request-token', FAST, { mechanism: MECHANISM })] : []
    this.send(mechanism.mechname, mechanism.clientChallenge(connection), extra)
    return true
  }

  /** draft-schmaus-kitten-sasl-ht: a proof that we have the token, and what will prove that the server has it. */
  async byToken(token) {
    const key = await crypto.subtle.importKey('raw', utf8(token), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    const proof = await crypto.subtle.sign('HMAC', key, utf8('Initiator'))
    this.expected = base64(await crypto.subtle.sign('HMAC', key, utf8('Responder')))
    this.token = token
    const message = `${binary(utf8(this.connection.authcid))}\0${binary(proof)}`
    this.send(MECHANISM, message, [node('fast', FAST)])
  }

  send(mechanism, message, extra) {
    const { connection } = this
    const agent = node('user-agent', SASL2, { id: agentId() })
    agent.append(node('software', SASL2, {}, 'aenigma web chat'), node('device', SASL2, {}, deviceName()))
    const element = node('authenticate', SASL2, { mechanism })
    element.append(node('initial-response', SASL2, {}, btoa(message)), agent, ...extra)
    this.on('challenge', (challenge) => this.answer(challenge))
    this.on('success', (success) => this.succeed(success))
    this.on('failure', (failure) => this.fail(failure))
    this.on('continue', () => this.fail())
    connection.send(element)
  }

  on(name, listener) {
    const run = (element) => {
      listener(element)
      return true
    }
    this.handlers.push(this.connection._addSysHandler(run, SASL2, name))
  }

  async answer(challenge) {
    const { connection } = this
    const answer = await this.mechanism?.onChallenge(connection, atob(challenge.textContent))
    connection.send(node('response', SASL2, {}, answer ? btoa(answer) : ''))
  }

  succeed(success) {
    const { connection } = this
    const data = childrenOf(success, 'additional-data')[0]?.textContent ?? ''
    if (!this.isServer(data)) return this.fail()
    this.over()
    connection._sasl_data = {}
    this.keepToken(childrenOf(success, 'token', FAST)[0])
    // The features follow without a new stream (XEP-0388 §2.5); from there on it is all as Strophe knows it.
    const together = success.nextElementSibling // with BOSH, where a body has both
    if (together?.localName === 'features') return connection._onStreamFeaturesAfterSASL(together)
    const handlers = ['stream:features', 'features'].map((name) =>
      connection._addSysHandler(
        (element) => {
          for (const handler of handlers) connection.deleteHandler(handler)
          connection._onStreamFeaturesAfterSASL(element)
          return false
        },
        null,
        name,
      ),
    )
  }

  /** Whether the other side has proved that it knows us, too. */
  isServer(data) {
    if (this.expected !== undefined) return data === this.expected
    const signature = this.connection._sasl_data['server-signature']
    return Boolean(signature) && atob(data) === `v=${signature}`
  }

  keepToken(element) {
    const { connection } = this
    const jid = this.tools.Strophe.getBareJidFromJid(connection.jid)
    const token = element?.getAttribute('token')
    if (token) saveLogin({ jid, token, expiry: element.getAttribute('expiry') })
    if (token) connection.pass = { token } // the password is not needed any more, so it is gone
  }

  fail(failure) {
    const { connection, tools } = this
    this.over()
    const temporary = failure && childrenOf(failure, 'temporary-auth-failure', null).length > 0
    if (this.expected !== undefined && !temporary) forgetLogin()
    const { Strophe } = tools
    connection._changeConnectStatus(Strophe.Status.AUTHFAIL, this.expected === undefined ? null : expired())
    connection.disconnect()
  }

  over() {
    for (const handler of this.handlers.splice(0)) this.connection.deleteHandler(handler)
  }
}

function expired() {
  return navigator.language.startsWith('it')
    ? 'Per favore accedi di nuovo con la tua password.'
    : 'Please log in with your password again.'
}

/** Asks the server to make the token worthless: one more connection, which does nothing else (XEP-0484 §3.5). */
async function giveTokenBack(api) {
  const saved = savedLogin()
  const url = api.settings.get('websocket_url')
  if (!saved || !url) return
  const [name, domain] = saved.jid.split('@')
  const key = await crypto.subtle.importKey('raw', utf8(saved.token), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
  ])
  const proof = await crypto.subtle.sign('HMAC', key, utf8('Initiator'))
  const element = node('authenticate', SASL2, { mechanism: MECHANISM })
  const message = btoa(`${binary(utf8(name))}\0${binary(proof)}`)
  element.append(
    node('initial-response', SASL2, {}, message),
    node('user-agent', SASL2, { id: agentId() }),
    node('fast', FAST, { invalidate: 'true' }),
  )
  await sayOnce(url, domain, new XMLSerializer().serializeToString(element))
}

/** Opens a stream, says one thing, waits for the answer, at most 3 s. */
function sayOnce(url, domain, text) {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, 'xmpp')
    const done = () => {
      clearTimeout(timer)
      socket.close()
      resolve()
    }
    const timer = setTimeout(done, 3000)
    socket.onerror = done
    socket.onclose = done
    socket.onopen = () => {
      const open = node('open', 'urn:ietf:params:xml:ns:xmpp-framing', { to: domain, version: '1.0' })
      socket.send(new XMLSerializer().serializeToString(open))
    }
    socket.onmessage = ({ data }) => {
      if (/<(?:\w+:)?features\b/.test(data) && data.includes(SASL2)) socket.send(text)
      else if (/^<(?:success|failure)\b/.test(data)) done()
    }
  })
}

function node(name, ns, attributes = {}, text = '') {
  const element = document.implementation.createDocument(ns, name).documentElement
  element.setAttribute('xmlns', ns) // Strophe writes what it finds as attributes, and nothing else
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  if (text) element.textContent = text
  return element
}

function childrenOf(element, name, ns = SASL2) {
  return [...element.children].filter((child) => child.localName === name && (ns === null || child.namespaceURI === ns))
}

function utf8(text) {
  return new TextEncoder().encode(text)
}

/** Bytes as `btoa` wants them. */
function binary(bytes) {
  return String.fromCharCode(...new Uint8Array(bytes))
}

function base64(bytes) {
  return btoa(binary(bytes))
}
