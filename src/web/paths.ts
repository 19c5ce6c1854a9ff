// SPDX-License-Identifier: Apache-2.0

/** Where the ways in for web pages are, as other servers have them. */
export const PATHS = { webSocket: '/xmpp-websocket', bosh: '/http-bind' } as const
