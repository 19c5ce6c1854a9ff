// SPDX-License-Identifier: Apache-2.0
// The page behind an invitation as HTML. It does all that matters without JavaScript, too. `html` escapes whatever is put in.
import { readFileSync } from 'node:fs'
import { html, raw } from 'hono/html'
import type { InvitationView } from '../ops/invited.ts'
import type { NewcomerProblem } from '../ops/newcomer.ts'
import { appsFor, type ChatApp, isHandheld, type Platform } from './apps.ts'
import type { Language } from './form-guard.ts'

type Html = ReturnType<typeof html>
type Texts = Readonly<Record<string, string>>

/** What a page is made of. */
export interface InviteScene {
  readonly language: Language
  readonly platform: Platform | undefined
  /** The path of this page. */
  readonly path: string
}

/** A request that did not do, to be corrected. */
export interface Mistake {
  readonly problem: NewcomerProblem | 'often' | 'insecure'
  readonly name: string
}

const known = new Map<Language, Texts>()

/** What is said in a language. */
export function textsIn(language: Language): Texts {
  const texts =
    known.get(language) ?? JSON.parse(readFileSync(new URL(`pages/invite.${language}.json`, import.meta.url), 'utf8'))
  known.set(language, texts)
  return texts
}

/** The invitation. @param qr a picture of its address, for a phone */
export function inviteHtml(view: InvitationView, scene: InviteScene, qr?: string, mistake?: Mistake): Html {
  const texts = textsIn(scene.language)
  const { host, inviter, note, accounts } = view
  const inBrowser = accounts ? accountForm(view, scene, mistake) : ''
  const handheld = isHandheld(scene.platform)
  const ways = handheld
    ? mistake
      ? [inBrowser, appWay(view, scene)]
      : [appWay(view, scene), accounts ? folded(texts.instead ?? '', inBrowser) : '']
    : [inBrowser, aside(view, scene, qr)]
  const body = html`
    <div class="lead">
      <h1>${inviter ? fill(texts.invitedBy, { inviter: localOf(inviter) }) : texts.invited}</h1>
      ${inviter ? html`<p class="address">${inviter}</p>` : ''}
      ${note ? html`<blockquote>${note}</blockquote>` : ''}
      <p>${accounts ? fill(texts.intro, { host }) : texts.introContact} ${inviter ? texts.becomeContacts : ''}</p>
    </div>
    <div class="ways">
      ${ways}
    </div>
    <p class="hint until">${fill(texts.until, { date: dateIn(scene.language, view.expires) })}</p>`
  return frame(body, scene, fill(texts.title, { host }), !handheld)
}

/** For every invitation that cannot be used, and whatever is none. */
export function closedHtml(scene: InviteScene): Html {
  const texts = textsIn(scene.language)
  const body = html`<h1>${texts.closedTitle}</h1><p>${texts.closed}</p>
    <p class="hint">${texts.haveAccount}</p><a class="main" href="/chat/">${texts.toChat}</a>`
  return frame(body, scene, texts.closedTitle ?? '')
}

/** For who asks too often. */
export function oftenHtml(scene: InviteScene): Html {
  const texts = textsIn(scene.language)
  return frame(html`<h1>${texts.oftenTitle}</h1><p>${texts.errorOften}</p>`, scene, texts.oftenTitle ?? '')
}

/** The account is there. */
export function madeHtml(jid: string, scene: InviteScene): Html {
  const texts = textsIn(scene.language)
  const body = html`<h1>${fill(texts.madeTitle, { name: localOf(jid) })}</h1><p>${texts.made}</p>
    <p class="address">${jid}</p><a class="main" href="/chat/">${texts.toChat}</a>
    <section class="way"><h2>${texts.withApps}</h2>${appList(appsFor(scene.platform))}</section>`
  return frame(body, scene, fill(texts.madeTitle, { name: localOf(jid) }))
}

function frame(body: Html, { language, path }: InviteScene, title: string, wide = false): Html {
  const texts = textsIn(language)
  const other = language === 'it' ? 'en' : 'it'
  return html`<!doctype html>
<html lang="${language}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex, nofollow">
    <meta name="theme-color" content="#17495c">
    <meta name="aenigma-texts" content="${forScript(texts)}">
    <title>${title}</title>
    <link rel="icon" href="/chat/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/start/start.css">
    <link rel="stylesheet" href="/invite/invite.css">
    <script type="module" src="/invite/invite.js"></script>
  </head>
  <body>
    <main class="${wide ? 'wide' : 'narrow'}">
      <header>
        <img src="/chat/icon.svg" alt="" width="48" height="48">
        <p class="brand">aenigma</p>
        <a class="language" href="${path}?lang=${other}" lang="${other}" hreflang="${other}">${texts.otherLanguage}</a>
      </header>
      ${body}
    </main>
  </body>
</html>`
}

/** On a phone: get the app, then hand it the invitation. */
function appWay({ uri }: InvitationView, { language, platform }: InviteScene): Html {
  const texts = textsIn(language)
  const apps = appsFor(platform)
  const [only] = apps.length === 1 ? apps : []
  return html`<section class="way">
    <h2>${only ? fill(texts.withApp, { app: only.name }) : texts.withApps}</h2>
    <ol>
      <li><p>${only ? fill(texts.install, { app: only.name }) : texts.installOne}</p>
        ${only ? placeList(only) : appList(apps)}</li>
      <li><p>${texts.comeBack}</p><a class="main" href="${uri}">${texts.openApp}</a></li>
    </ol>
  </section>`
}

/** Beside the form, on a computer: the way to the phone, and the apps for here. */
function aside({ uri, accounts }: InvitationView, { language, platform }: InviteScene, qr: string | undefined): Html {
  const texts = textsIn(language)
  const apps = appsFor(platform)
  const takes = apps.every((app) => app.takes) || !accounts
  return html`<div class="beside">
    ${qr ? html`<section class="way"><h2>${texts.onPhone}</h2><p>${texts.scan}</p><div class="qr">${raw(qr)}</div></section>` : ''}
    <section class="way">
      <h2>${texts.withApps}</h2>
      ${takes ? '' : html`<p>${texts.afterwards}</p>`}
      ${appList(apps)}
      <p class="have">${texts.haveApp} <a href="${uri}">${texts.openHave}</a></p>
    </section>
  </div>`
}

function appList(apps: readonly ChatApp[]): Html {
  return html`<ul class="apps">${apps.map((app) => html`<li><span class="app">${app.name}</span>${placeList(app)}</li>`)}</ul>`
}

function placeList({ places }: ChatApp): Html {
  return html`<span class="places">${places.map(
    ({ label, url }) => html`<a class="place" href="${url}" rel="noopener noreferrer">${label}</a>`,
  )}</span>`
}

function folded(title: string, content: Html | string): Html {
  return html`<details class="way"><summary>${title}</summary>${content}</details>`
}

function accountForm(
  { host, name }: InvitationView,
  { language, path, platform }: InviteScene,
  mistake?: Mistake,
): Html {
  const texts = textsIn(language)
  const [nameError, passwordError, formError] = errorsOf(texts, mistake)
  return html`<form id="form" method="post" action="${path}?lang=${language}" novalidate>
    ${isHandheld(platform) && !mistake ? '' : html`<h2>${texts.here}</h2>`}
    <div class="field">
      <label for="name">${texts.name}</label>
      <div class="box">
        <input id="name" name="username" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="200"
          required aria-describedby="name-error name-hint" aria-invalid="${nameError ? 'true' : 'false'}"
          value="${name ?? mistake?.name ?? ''}" ${name === undefined ? '' : raw('readonly')}>
        <span class="suffix">@${host}</span>
      </div>
      <p class="error" id="name-error" role="alert">${nameError}</p>
      <p class="hint" id="name-hint">${name === undefined ? texts.nameHint : texts.nameKept}</p>
    </div>
    <div class="field">
      <label for="password">${texts.password}</label>
      <div class="box">
        <input id="password" name="password" type="password" autocomplete="new-password" maxlength="500" minlength="8"
          required aria-describedby="password-error password-hint" aria-invalid="${passwordError ? 'true' : 'false'}">
        <button type="button" id="reveal" aria-controls="password" aria-pressed="false" hidden>${texts.show}</button>
      </div>
      <div class="strength" id="meters" hidden><meter id="meter" min="0" max="3" low="1.5" high="2.5" optimum="3" value="0"
        aria-label="${texts.password}"></meter> <span id="strength" aria-live="polite"></span></div>
      <p class="error" id="password-error" role="alert">${passwordError}</p>
      <p class="hint" id="password-hint">${texts.passwordHint}</p>
    </div>
    <p class="error" id="form-error" role="alert">${formError}</p>
    <button class="main" id="submit">${texts.submit}</button>
  </form>`
}

/** What is said at the name, at the password, and at the end. */
function errorsOf(texts: Texts, mistake: Mistake | undefined): readonly [string, string, string] {
  const { errorName = '', errorExists = '', errorPassword = '', errorShort = '' } = texts
  switch (mistake?.problem) {
    case undefined:
      return ['', '', '']
    case 'name':
      return [mistake.name ? errorName : (texts.errorNameEmpty ?? ''), '', '']
    case 'exists':
      return [errorExists, '', '']
    case 'password':
      return ['', errorPassword, '']
    case 'short':
      return ['', errorShort, '']
    case 'often':
      return ['', '', texts.errorOften ?? '']
    case 'insecure':
      return ['', '', texts.errorInsecure ?? '']
    case 'link':
      return ['', '', texts.errorOther ?? '']
  }
}

/** What the script of the page says. */
function forScript(texts: Texts): string {
  const said = Object.entries(texts).filter(([key]) =>
    /^(?:error|show|hide|submit|working|done|weak|fair|strong)/.test(key),
  )
  return JSON.stringify(Object.fromEntries(said))
}

function fill(text = '', values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{(\w+)\}/g, (_, name) => values[name] ?? '')
}

function localOf(jid: string): string {
  return jid.slice(0, jid.lastIndexOf('@'))
}

function dateIn(language: Language, time: number): string {
  return new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, { dateStyle: 'long', timeZone: 'UTC' }).format(
    time,
  )
}
