// SPDX-License-Identifier: Apache-2.0
// The web chat in Debian's Chromium: the first account by the printed link, a second browser profile that chats back, encrypted,
// on a phone. Nothing is asked of anybody but our server, and no file that it wrote contains what was said.
import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { startChromium } from '../support/chromium.ts'
import { type Aenigma, bench, needs, startAenigma } from '../support/process.ts'

const of = bench({ after })
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, locale: 'it-IT' }
const DESKTOP = { viewport: { width: 1280, height: 800 }, locale: 'en-GB' }
/** Where pictures of the pages go, to be looked at, if the environment says so. */
const SHOTS = process.env.AENIGMA_SHOTS

let server: Aenigma
let browser: Browser
let origin = ''
/** What a page asked of others, or what its policy forbade. */
const wrong = new Set<string>()

before(async () => {
  needs('/usr/bin/chromium', 'chromium')
  server = await startAenigma(of)
  origin = `http://localhost:${server.ports.http}`
  browser = await startChromium()
  of.defer(() => browser.close())
})

/** A browser profile of its own. */
async function profile(options: BrowserContextOptions): Promise<Page> {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (/^(?:http|ws)s?:$/.test(url.protocol) && url.hostname !== 'localhost') wrong.add(request.url())
  })
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text()))
      wrong.add(`${message.text()} ${JSON.stringify(message.location())}`)
  })
  return page
}

async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`) })
}

async function logsIn(page: Page, name: string, password: string): Promise<void> {
  await page.goto(`${origin}/chat/`)
  await page.fill('#converse-login-jid', name)
  await page.fill('#converse-login-password', password)
  await page.click('#converse-login [type=submit]')
  await isIn(page)
}

/** Waits until the chat shows that it is logged in. */
async function isIn(page: Page): Promise<void> {
  await page.waitForSelector('converse-user-profile', { state: 'attached' })
  await page.waitForSelector('.aenigma-wait', { state: 'detached' })
}

/** Opens a chat from the list of contacts. */
async function opens(page: Page, jid: string): Promise<void> {
  await page.click(`converse-roster .open-chat[data-jid="${jid}"]`)
  await page.waitForSelector(`converse-chat[jid="${jid}"] .chat-textarea`)
}

/** Waits until the padlock is closed. */
async function encrypted(page: Page): Promise<void> {
  await page.waitForSelector('.toggle-omemo .fa-lock')
}

async function says(page: Page, text: string): Promise<void> {
  await page.fill('.chat-textarea', text)
  await page.press('.chat-textarea', 'Enter')
  await page.waitForSelector(`converse-chat-message-body:has-text("${text}")`)
}

async function reads(page: Page, text: string): Promise<void> {
  await page.waitForSelector(`converse-chat-message-body:has-text("${text}")`)
}

/** The files of a directory, at any depth, whose bytes contain a text. */
function filesWith(directory: string, text: string | Buffer): string[] {
  const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name))
  return paths.filter((path) => statSync(path).isFile() && readFileSync(path).includes(text))
}

const picture = readFileSync(new URL('../../src/web/pages/icon-192.png', import.meta.url))
let romeo: Page
let juliet: Page

test('whoever reads the link makes the first account, and is in the chat', async () => {
  const { link } = JSON.parse(server.child.lines[0] ?? '{}')
  romeo = await profile(DESKTOP)
  await romeo.goto(`${origin}/`)
  assert.match(romeo.url(), /\/start$/)
  await romeo.waitForSelector('#closed:not([hidden])')
  await romeo.goto(link)
  await romeo.reload() // the same page with another fragment
  await romeo.fill('#name', 'romeo')
  await romeo.fill('#password', 'short')
  await romeo.click('#submit')
  assert.match((await romeo.textContent('#password-error')) ?? '', /8 characters/)
  await romeo.fill('#password', 'wherefore art thou')
  await shot(romeo, 'start-desktop')
  await romeo.click('#submit')
  await isIn(romeo)
  assert.equal(new URL(romeo.url()).pathname, '/chat/')
  await shot(romeo, 'first-login')
  const kept = await romeo.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }))
  assert.doesNotMatch(kept, /wherefore/)
  assert.match(kept, /aenigma-login/)
  assert.match(await server.command(['user', 'list']), /romeo@localhost/)
  assert.match(await server.command(['user', 'clients', 'romeo@localhost']), /aenigma web chat/)
})

test('a second profile, a phone in Italian, logs in with its password', async () => {
  await server.addUser('juliet', 'what is in a name')
  juliet = await profile(PHONE)
  await juliet.goto(`${origin}/chat/`)
  await juliet.waitForSelector('text=Accedi')
  await shot(juliet, 'login-phone-it')
  await logsIn(juliet, 'juliet', 'what is in a name')
  await shot(juliet, 'contacts-phone-it')
})

test('they become contacts', async () => {
  await romeo.click('converse-roster .dropdown-toggle')
  await romeo.click('converse-roster .add-contact')
  await romeo.fill('converse-add-contact-modal input[name=jid]', 'juliet@localhost')
  await romeo.click('converse-add-contact-modal [type=submit]')
  await juliet.click('.requesting-xmpp-contact .open-chat')
  await shot(juliet, 'request-phone-it')
  await juliet.click('converse-chat .btn-success')
  await shot(juliet, 'accept-phone-it')
  await juliet.click('converse-accept-contact-request-modal [type=submit]')
  await shot(romeo, 'contacts-desktop')
})

test('they chat one to one, encrypted without being asked', async () => {
  await opens(romeo, 'juliet@localhost')
  await encrypted(romeo)
  await says(romeo, 'But soft, what light')
  await encrypted(juliet)
  await reads(juliet, 'But soft, what light')
  await says(juliet, 'O Romeo, Romeo')
  await reads(romeo, 'O Romeo, Romeo')
  await shot(romeo, 'chat-desktop')
  await shot(juliet, 'chat-phone')
})

test('a reload keeps them logged in, by the token', async () => {
  await romeo.reload()
  await isIn(romeo)
  await opens(romeo, 'juliet@localhost')
  await reads(romeo, 'O Romeo, Romeo')
  await says(romeo, 'I take thee at thy word')
  await reads(juliet, 'I take thee at thy word')
})

test('a picture goes to the other one encrypted, and is shown there', async () => {
  const files = { name: 'balcony.png', mimeType: 'image/png', buffer: picture }
  await romeo.setInputFiles('converse-chat-toolbar input[type=file]', files)
  for (const page of [romeo, juliet]) {
    const shown = page.locator('img.chat-image[data-filename="balcony.png"]').last()
    await shown.waitFor()
    assert.match((await shown.getAttribute('src')) ?? '', /^blob:/)
    const width = await shown.evaluate(async (element) => {
      const image = element as unknown as { decode(): Promise<void>; readonly naturalWidth: number }
      await image.decode()
      return image.naturalWidth
    })
    assert.equal(width, 192)
  }
  assert.match(await server.command(['uploads']), /romeo@localhost/)
  await shot(juliet, 'picture-phone-it')
})

test('a picture that lies at another server, encrypted or not, is fetched when one asks for it, and not before', async () => {
  const [key, iv] = [Buffer.alloc(32, 7), Buffer.alloc(12, 9)]
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  const sealed = Buffer.concat([cipher.update(picture), cipher.final(), cipher.getAuthTag()])
  const asked: string[] = []
  await juliet.route('https://files.capulet.example/**', (route) => {
    asked.push(route.request().url())
    const plain = asked.at(-1)?.endsWith('/plain.png')
    const headers = { 'access-control-allow-origin': '*' }
    return route.fulfill({ body: plain ? picture : sealed, contentType: 'image/png', headers })
  })
  const isShown = async (name: string) => {
    const shown = juliet.locator('converse-chat-message').last().locator('img.chat-image')
    await shown.evaluate((element) => (element as unknown as { decode(): Promise<void> }).decode())
    assert.deepEqual(asked.splice(0), [`https://files.capulet.example/${name}`])
    wrong.delete(`https://files.capulet.example/${name}`)
  }
  const sealedAt = `aesgcm://files.capulet.example/sealed.png#${iv.toString('hex')}${key.toString('hex')}`
  await romeo.fill('.chat-textarea', sealedAt)
  await romeo.press('.chat-textarea', 'Enter')
  const button = juliet.locator('button[name=fetch]:has-text("Mostra il file da files.capulet.example")')
  await button.waitFor()
  await shot(juliet, 'picture-elsewhere-phone-it')
  assert.deepEqual(asked, [])
  await button.click()
  await isShown('sealed.png')
  await says(romeo, 'https://files.capulet.example/plain.png')
  await reads(juliet, 'https://files.capulet.example/plain.png')
  assert.deepEqual(asked, [])
  await juliet.locator('.chat-msg__action-hide-previews').last().dispatchEvent('click')
  await isShown('plain.png')
  await shot(juliet, 'pictures-elsewhere-phone-it')
})

test('they chat in a room, encrypted too', async () => {
  await romeo.click('converse-rooms-list .dropdown-toggle')
  await romeo.click('.show-add-muc-modal')
  await romeo.fill('converse-add-muc-modal input[name=chatroom]', 'Verona')
  await romeo.click('converse-add-muc-modal [name=join]')
  await romeo.click('converse-muc-sidebar .dropdown-toggle')
  await romeo.click('converse-muc-sidebar .open-invite-modal')
  await romeo.fill('converse-muc-invite-modal input[name=invitee_jids]', 'juliet@localhost')
  await romeo.click('converse-muc-invite-modal [type=submit]')
  await juliet.waitForSelector('converse-confirm-modal.show')
  await shot(juliet, 'invitation-phone-it')
  await juliet.click('converse-confirm-modal [type=submit]')
  await juliet.waitForSelector('converse-muc .chat-textarea')
  await romeo.waitForSelector('converse-muc-occupant-list-item:has-text("juliet")')
  await encrypted(romeo)
  await says(romeo, 'in fair Verona')
  await reads(juliet, 'in fair Verona')
  await encrypted(juliet)
  await says(juliet, 'where we lay our scene')
  await reads(romeo, 'where we lay our scene')
  assert.match((await romeo.textContent('.occupants-heading')) ?? '', /^2 /)
  await shot(romeo, 'room-desktop')
  await shot(juliet, 'room-phone-it')
})

test('a token that was taken back lets nobody in, and the page says so', async () => {
  const clients = JSON.parse(await server.command(['user', 'clients', 'juliet@localhost', '--json']))
  await server.command(['user', 'revoke', 'juliet@localhost', clients[0].id])
  await juliet.reload()
  await juliet.waitForSelector('text=accedi di nuovo')
  await shot(juliet, 'revoked-phone-it')
  await juliet.fill('#converse-login-jid', 'juliet')
  await juliet.fill('#converse-login-password', 'what is in a name')
  await juliet.click('#converse-login [type=submit]')
  await isIn(juliet)
})

test('who logs out leaves no token behind, neither here nor there', async () => {
  await romeo.click('converse-user-profile .show-profile')
  await shot(romeo, 'profile-desktop')
  await romeo.click('converse-profile-modal .btn-danger:has-text("Log out")')
  await romeo.click('converse-confirm-modal [type=submit]')
  await romeo.waitForSelector('#converse-login')
  assert.equal(await romeo.evaluate("localStorage.getItem('aenigma-login')"), null)
  assert.deepEqual(JSON.parse(await server.command(['user', 'clients', 'romeo@localhost', '--json'])), [])
})

test('where no WebSocket gets through, BOSH does, and the token too', async () => {
  await server.addUser('mercutio', 'a plague on both')
  const mercutio = await profile(DESKTOP)
  await mercutio.addInitScript(`const Real = WebSocket
    window.WebSocket = function (url, name) { return new Real(url.replace('xmpp-websocket', 'nothing'), name) }`)
  await logsIn(mercutio, 'mercutio', 'a plague on both')
  await mercutio.reload()
  await isIn(mercutio)
})

test('the pages asked nobody else for anything, and did nothing that their policy forbids', () => {
  assert.deepEqual([...wrong], [])
})

test('no file of the server contains what they said', async () => {
  await server.stop()
  for (const text of ['But soft', 'O Romeo, Romeo', 'at thy word', 'fair Verona', 'our scene'])
    assert.deepEqual(filesWith(server.data, text), [])
  assert.deepEqual(filesWith(server.data, picture.subarray(0, 64)), [])
})
