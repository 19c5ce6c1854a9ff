// SPDX-License-Identifier: Apache-2.0
// The form in which somebody makes an account: checks it, sends it, and opens the chat logged in.
import { agentId, deviceName, saveLogin } from '/chat/login-store.js'

const of = (id) => document.getElementById(id)

/** What the page is made of says the server, in the language of the page. */
export const texts = JSON.parse(document.querySelector('meta[name="aenigma-texts"]').content)

/** Asks the server something. */
export async function post(path, body) {
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

/** Rough, and honest about it: length counts most, then how many kinds of characters there are, not what they are. */
function strengthOf(text) {
  if (text.length < 8) return text ? 1 : 0
  const different = new Set(text.toLowerCase()).size
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\d/, /[^\p{L}\d]/u].filter((kind) => kind.test(text)).length
  if (different < 5 || /^(?:\d+|password.*|qwert.*|12345.*)$/i.test(text)) return 1
  return text.length + 2 * kinds >= 20 && different >= 8 ? 3 : text.length + 2 * kinds >= 13 ? 2 : 1
}

/**
 * Makes the form work.
 * @param path where it is sent to @param more what is sent beside @param closed called when the link cannot be used
 * @returns how to show a problem by its name
 */
export function accountForm({ path, more = {}, closed }) {
  const [form, name, password, submit] = [of('form'), of('name'), of('password'), of('submit')]
  /** Where each problem is shown, and what is said. */
  const problems = {
    name: [name, texts.errorName],
    exists: [name, texts.errorExists],
    password: [password, texts.errorPassword],
    short: [password, texts.errorShort],
    often: [undefined, texts.errorOften],
    network: [undefined, texts.errorNetwork],
    insecure: [undefined, texts.errorInsecure ?? texts.errorOther],
  }

  const show = (field, text) => {
    const place = of(field ? `${field.id}-error` : 'form-error')
    place.textContent = text
    if (!field) return
    field.setAttribute('aria-invalid', String(text !== ''))
    if (text) field.focus()
  }

  const tell = (problem) => show(...(problems[problem] ?? [undefined, texts.errorOther]))

  const create = async (event) => {
    event.preventDefault()
    for (const field of [undefined, name, password]) show(field, '')
    const wanted = name.value.trim().split('@')[0] ?? ''
    if (!wanted) return show(name, texts.errorNameEmpty)
    if ([...password.value].length < 8) return tell('short')
    submit.disabled = true
    submit.textContent = texts.working
    const request = { ...more, name: wanted, password: password.value, agent: agentId(), device: deviceName() }
    const { status, body } = await post(path, request)
    if (status === 201) {
      submit.textContent = texts.done
      if (body.token) saveLogin(body)
      location.replace('/chat/')
      return
    }
    submit.disabled = false
    submit.textContent = texts.submit
    if (body.problem === 'link') return closed()
    tell(body.problem)
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
  of('reveal').hidden = false
  of('meters').hidden = false
  return tell
}
