// SPDX-License-Identifier: Apache-2.0
// The page behind an invitation works by itself. With this it opens the chat logged in, without the password being typed again.
import { accountForm } from '/start/account-form.js'

if (document.getElementById('form')) {
  accountForm({ path: location.pathname, closed: () => location.reload() })
}
