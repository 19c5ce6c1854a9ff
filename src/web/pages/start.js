// SPDX-License-Identifier: Apache-2.0
// The page for the first account: asks the server whether the link can be used, then makes the account and opens the chat.
import { agentId, deviceName, saveLogin } from '/chat/login-store.js'

const texts = JSON.parse(document.querySelector('meta[name="aenigma-texts"]').content)
const of = (id) => document.getElementById(id)
const link = location.hash.slice(1)
const [form, name, password, submit] = [of('form'), of('name'), of('password'), of('submit')]

/** Where each problem is shown, and what is said. */
const PROBLEMS = {
  name: [name, texts.errorName],
  exists: [name, texts.errorExists],
  password: [password, texts.errorPassword],
  short: [password, texts.errorShort],
  often: [undefined, texts.errorOften],
  network: [undefined, texts.errorNetwork],
}

async function post(path, body) {
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: answer.status, body: await answer.json().catch(() => ({})) }
  } catch {
    return { status: 0, body: { problem: 'network' } }
  }
}

function show(field, text) {
  const place = of(field ? `${field.id}-error` : 'form-error')
  place.textContent = text
  if (!field) return
  field.setAttribute('aria-invalid', String(text !== ''))
  if (text) field.focus()
}

function clear() {
  show(undefined, '')
  show(name, '')
  show(password, '')
}

function closed() {
  form.hidden = true
  of('closed').hidden = false
}

/** Rough, and honest about it: length counts most, then how many kinds of characters there are, not what they are. */
function strengthOf(text) {
  if (text.length < 8) return text ? 1 : 0
  const different = new Set(text.toLowerCase()).size
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\d/, /[^\p{L}\d]/u].filter((kind) => kind.test(text)).length
  if (different < 5 || /^(?:\d+|password.*|qwert.*|12345.*)$/i.test(text)) return 1
  return text.length + 2 * kinds >= 20 && different >= 8 ? 3 : text.length + 2 * kinds >= 13 ? 2 : 1
}

async function create(event) {
  event.preventDefault()
  clear()
  const wanted = name.value.trim().split('@')[0] ?? ''
  if (!wanted) return show(name, texts.errorNameEmpty)
  if ([...password.value].length < 8) return show(password, texts.errorShort)
  submit.disabled = true
  submit.textContent = texts.working
  const request = { link, name: wanted, password: password.value, agent: agentId(), device: deviceName() }
  const { status, body } = await post('/start/account', request)
  if (status === 201) {
    submit.textContent = texts.done
    if (body.token) saveLogin(body)
    location.replace('/chat/')
    return
  }
  submit.disabled = false
  submit.textContent = texts.submit
  if (body.problem === 'link') return closed()
  const [field, text] = PROBLEMS[body.problem] ?? [undefined, texts.errorOther]
  show(field, text)
}

form.addEventListener('submit', create)
form.addEventListener('input', ({ target }) => target.getAttribute('aria-invalid') === 'true' && show(target, ''))
password.addEventListener('input', () => {
  const strength = strengthOf(password.value)
  of('meter').value = strength
  of('strength').textContent = ['', texts.weak, texts.fair, texts.strong][strength]
})
of('reveal').addEventListener('click', ({ target }) => {
  const hidden = password.type === 'password'
  password.type = hidden ? 'text' : 'password'
  target.textContent = hidden ? texts.hide : texts.show
  target.setAttribute('aria-pressed', String(hidden))
  password.focus()
})

const { status, body } = link ? await post('/start/check', { link }) : { status: 200, body: { usable: false } }
if (status === 200 && !body.usable) closed()
else {
  form.hidden = false
  if (status !== 200) show(undefined, PROBLEMS[body.problem]?.[1] ?? texts.errorOther)
  else name.focus()
}
