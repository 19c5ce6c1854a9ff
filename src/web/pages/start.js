// SPDX-License-Identifier: Apache-2.0
// The page for the first account: asks the server whether the link can be used, then makes the account and opens the chat.
import { accountForm, post } from './account-form.js'

const of = (id) => document.getElementById(id)
const link = location.hash.slice(1)

function closed() {
  of('form').hidden = true
  of('closed').hidden = false
}

const tell = accountForm({ path: '/start/account', more: { link }, closed })
const { status, body } = link ? await post('/start/check', { link }) : { status: 200, body: { usable: false } }
if (status === 200 && !body.usable) closed()
else {
  of('form').hidden = false
  if (status !== 200) tell(body.problem)
  else of('name').focus()
}
