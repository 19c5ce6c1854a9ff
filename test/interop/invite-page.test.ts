// SPDX-License-Identifier: Apache-2.0
// Somebody is invited: Debian's Chromium opens the link, on a phone and on a computer, with and without JavaScript, makes an
// account and is in the chat, a contact of the host.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Browser, type BrowserContextOptions, devices, type Page } from 'playwright-core'
import { startChromium } from '../support/chromium.ts'
import { type Aenigma, bench, needs, startAenigma } from '../support/process.ts'

const of = bench({ after })
const PHONE = { ...devices['Pixel 5'], viewport: { width: 360, height: 740 }, locale: 'it-IT' }
const IPHONE = { ...devices['iPhone 13'], defaultBrowserType: undefined, locale: 'en-GB' }
const DESKTOP = { viewport: { width: 1280, height: 800 }, locale: 'en-GB' }
/** Where pictures of the pages go, to be looked at, if the environment says so. */
const SHOTS = process.env.AENIGMA_SHOTS

let server: Aenigma
let browser: Browser
let romeo: Page
/** What a page asked of others, or what its policy forbade. */
const wrong = new Set<string>()

before(async () => {
  needs('/usr/bin/chromium', 'chromium')
  server = await startAenigma(of)
  browser = await startChromium()
  of.defer(() => browser.close())
  await server.addUser('romeo', 'wherefore art thou')
  romeo = await profile(DESKTOP)
  await romeo.goto(`http://localhost:${server.ports.http}/chat/`)
  await romeo.fill('#converse-login-jid', 'romeo')
  await romeo.fill('#converse-login-password', 'wherefore art thou')
  await romeo.click('#converse-login [type=submit]')
  await isIn(romeo)
})

/** A browser profile of its own. */
async function profile({
  defaultBrowserType: _,
  ...options
}: BrowserContextOptions & { defaultBrowserType?: unknown }) {
  const context = await browser.newContext(options)
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (/^(?:http|ws)s?:$/.test(url.protocol) && url.hostname !== 'localhost') wrong.add(request.url())
    if (request.headers().referer?.includes('/invite/')) wrong.add(`${request.url()} learns of the link`)
  })
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) wrong.add(message.text())
  })
  return page
}

async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true })
}

/** Waits until the chat shows that it is logged in. */
async function isIn(page: Page): Promise<void> {
  await page.waitForSelector('converse-user-profile', { state: 'attached' })
  await page.waitForSelector('.aenigma-wait', { state: 'detached' })
}

async function invitation(...options: readonly string[]): Promise<string> {
  return JSON.parse(await server.command(['invite', '--json', ...options])).link
}

/** Nothing is wider than the screen. */
async function fits(page: Page): Promise<void> {
  const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
  assert.equal(wide, 0)
}

test('on a phone, in Italian: the link, an account, the chat, the host', async () => {
  const link = await invitation('--contact', 'romeo@localhost', '--note', 'Ci vediamo sul balcone, alle nove')
  const juliet = await profile(PHONE)
  await juliet.goto(link)
  assert.equal(await juliet.textContent('h1'), 'romeo ti invita a chattare')
  await juliet.waitForSelector('text=Conversations')
  assert.match((await juliet.getAttribute('a[href^="xmpp:"]', 'href')) ?? '', /^xmpp:romeo@localhost\?roster;preauth=/)
  await fits(juliet)
  await shot(juliet, 'invite-phone-it')
  await juliet.click('summary')
  await juliet.fill('#name', 'juliet')
  await juliet.fill('#password', 'corta')
  await juliet.click('#submit')
  assert.match((await juliet.textContent('#password-error')) ?? '', /8 caratteri/)
  await fits(juliet)
  await shot(juliet, 'invite-form-phone-it')
  await juliet.fill('#password', "che c'è in un nome")
  await juliet.click('#submit')
  await isIn(juliet)
  assert.equal(new URL(juliet.url()).pathname, '/chat/')
  await juliet.waitForSelector('converse-roster .open-chat[data-jid="romeo@localhost"]')
  await romeo.waitForSelector('converse-roster .open-chat[data-jid="juliet@localhost"]')
  await shot(juliet, 'invited-chat-phone-it')
  const kept = await juliet.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })')
  assert.doesNotMatch(String(kept), /un nome/)
  const again = await profile(PHONE)
  const answer = await again.goto(link)
  assert.equal(answer?.status(), 404)
  await fits(again)
  await shot(again, 'invite-closed-phone-it')
})

test('on a computer, in English: the form is there at once, and looking uses nothing up', async () => {
  const link = await invitation('--uses', '2', '--contact', 'romeo@localhost')
  const nurse = await profile(DESKTOP)
  for (let looks = 0; looks < 3; looks++) await nurse.goto(link)
  assert.equal(await nurse.textContent('h1'), 'romeo invites you to chat')
  await shot(nurse, 'invite-desktop')
  const dark = await profile({ ...DESKTOP, colorScheme: 'dark' })
  await dark.goto(link)
  await dark.click('.language')
  assert.equal(await dark.textContent('h1'), 'romeo ti invita a chattare')
  await shot(dark, 'invite-desktop-dark-it')
  const night = await profile({ ...PHONE, locale: 'en-GB', colorScheme: 'dark' })
  await night.goto(link)
  await fits(night)
  await shot(night, 'invite-phone-dark')
  const apple = await profile(IPHONE)
  await apple.goto(link)
  await apple.waitForSelector('text=Siskin')
  await fits(apple)
  await shot(apple, 'invite-iphone')
  await nurse.fill('#name', 'romeo')
  await nurse.fill('#password', 'ancient damnation')
  await nurse.click('#submit')
  await nurse.waitForSelector('text=This name is taken')
  await nurse.fill('#name', 'nurse')
  await nurse.click('#submit')
  await isIn(nurse)
})

test('without JavaScript an account is made, too', async () => {
  const link = await invitation('--name', 'mercutio')
  const mercutio = await profile({ ...PHONE, locale: 'en-GB', javaScriptEnabled: false })
  await mercutio.goto(link)
  await mercutio.click('summary')
  assert.equal(await mercutio.inputValue('#name'), 'mercutio')
  await mercutio.fill('#password', 'short')
  await mercutio.click('#submit')
  await mercutio.waitForSelector('text=Please use at least 8 characters')
  await shot(mercutio, 'invite-mistake-phone')
  await mercutio.fill('#password', 'a plague on both')
  await mercutio.click('#submit')
  await mercutio.waitForSelector('text=mercutio@localhost')
  await fits(mercutio)
  await shot(mercutio, 'invite-made-phone')
  assert.match(await server.command(['user', 'list']), /mercutio@localhost/)
})

test('the pages asked nobody else for anything, and did nothing that their policy forbids', () => {
  assert.deepEqual([...wrong], [])
})
