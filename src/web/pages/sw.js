// SPDX-License-Identifier: Apache-2.0
// Makes the chat an app that opens at once: what never changes under its address is kept, all else is asked for first.
const CACHE = 'aenigma-1'
const FOREVER = /^\/chat\/converse-[\w.-]+\//
/** Kept for the time without a network. */
const SHELL = /^\/chat\/(?:[\w-]+\.(?:js|css|svg|png|webmanifest))?$/

self.addEventListener('install', (event) => {
  self.skipWaiting()
  event.waitUntil(keepShell())
})
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))

self.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== self.location.origin) return
  if (FOREVER.test(pathname)) event.respondWith(kept(request, pathname))
  else if (SHELL.test(pathname)) event.respondWith(fresh(request))
})

/** What the page names, so that it opens without a network from the first visit on. */
async function keepShell() {
  const cache = await caches.open(CACHE)
  const page = await fetch('/chat/')
  const text = await page.clone().text()
  await cache.put('/chat/', page)
  const named = [...text.matchAll(/(?:href|src)="(\/chat\/[^"]+)"/g)].map((match) => match[1])
  await cache.addAll([...new Set([...named, '/chat/login.js', '/chat/login-store.js', '/chat/encryption.js'])])
}

async function kept(request, pathname) {
  const cache = await caches.open(CACHE)
  const known = await cache.match(request)
  if (known) return known
  const answer = await fetch(request)
  if (answer.status === 200) {
    await cache.put(request, answer.clone())
    await forgetOthers(cache, FOREVER.exec(pathname)[0])
  }
  return answer
}

/** After an upgrade the files of the version before are of no use. */
async function forgetOthers(cache, current) {
  for (const { url } of await cache.keys()) {
    const folder = FOREVER.exec(new URL(url).pathname)?.[0]
    if (folder && folder !== current) await cache.delete(url)
  }
}

async function fresh(request) {
  const cache = await caches.open(CACHE)
  try {
    const answer = await fetch(request)
    if (answer.status === 200) await cache.put(request, answer.clone())
    return answer
  } catch (error) {
    const known = await cache.match(request)
    if (known) return known
    throw error
  }
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  event.waitUntil(
    self.clients
      .matchAll({ type: 'window' })
      .then((windows) => windows[0]?.focus() ?? self.clients.openWindow('/chat/')),
  )
})
