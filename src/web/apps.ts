// SPDX-License-Identifier: Apache-2.0
// Which apps are offered to whom. All of them are free software, kept by others than us.

/** What a browser runs on, as far as it matters. */
export type Platform = 'android' | 'ios' | 'macos' | 'windows' | 'linux'

/** An app, and where to get it. */
export interface ChatApp {
  readonly name: string
  /** Whether it takes an invitation, and makes the account by itself. */
  readonly takes: boolean
  readonly places: readonly { readonly label: string; readonly url: string }[]
}

const CONVERSATIONS: ChatApp = {
  name: 'Conversations',
  takes: true,
  places: [
    { label: 'F-Droid', url: 'https://f-droid.org/packages/eu.siacs.conversations/' },
    { label: 'Google Play', url: 'https://play.google.com/store/apps/details?id=eu.siacs.conversations' },
  ],
}
const MONAL: ChatApp = {
  name: 'Monal',
  takes: true,
  places: [{ label: 'App Store', url: 'https://apps.apple.com/app/id317711500' }],
}
const SISKIN: ChatApp = {
  name: 'Siskin',
  takes: true,
  places: [{ label: 'App Store', url: 'https://apps.apple.com/app/id1153516838' }],
}
const MONAL_MAC: ChatApp = {
  name: 'Monal',
  takes: true,
  places: [{ label: 'App Store', url: 'https://apps.apple.com/app/id1637078500' }],
}
const BEAGLE: ChatApp = {
  name: 'Beagle',
  takes: true,
  places: [{ label: 'App Store', url: 'https://apps.apple.com/app/id1445349494' }],
}
const DINO: ChatApp = {
  name: 'Dino',
  takes: false,
  places: [
    { label: 'Flathub', url: 'https://flathub.org/apps/im.dino.Dino' },
    { label: 'dino.im', url: 'https://dino.im/' },
  ],
}
const GAJIM: ChatApp = {
  name: 'Gajim',
  takes: false,
  places: [
    { label: 'Flathub', url: 'https://flathub.org/apps/org.gajim.Gajim' },
    { label: 'gajim.org', url: 'https://gajim.org/download/' },
  ],
}
const GAJIM_WINDOWS: ChatApp = {
  name: 'Gajim',
  takes: false,
  places: [
    { label: 'Microsoft Store', url: 'https://apps.microsoft.com/detail/9pggf6hd43f9' },
    { label: 'gajim.org', url: 'https://gajim.org/download/' },
  ],
}

/** The apps for each platform, the best first. */
const APPS: Readonly<Record<Platform, readonly ChatApp[]>> = {
  android: [CONVERSATIONS],
  ios: [MONAL, SISKIN],
  macos: [MONAL_MAC, BEAGLE],
  windows: [GAJIM_WINDOWS],
  linux: [DINO, GAJIM],
}

const NAMES: Readonly<Record<Platform, string>> = {
  android: 'Android',
  ios: 'iOS',
  macos: 'macOS',
  windows: 'Windows',
  linux: 'Linux',
}

/** The apps for a platform; all, with the platform's name, where it is not known. */
export function appsFor(platform: Platform | undefined): readonly ChatApp[] {
  if (platform) return APPS[platform]
  const all = Object.entries(APPS) as readonly [Platform, readonly ChatApp[]][]
  return all.flatMap(([each, apps]) => apps.map((app) => ({ ...app, name: `${app.name} (${NAMES[each]})` })))
}

/** What a browser says that it runs on; undefined if it says nothing that we know. */
export function platformOf(agent = ''): Platform | undefined {
  if (/android/i.test(agent)) return 'android'
  if (/iphone|ipad|ipod/i.test(agent)) return 'ios'
  if (/macintosh|mac os x/i.test(agent)) return 'macos'
  if (/windows/i.test(agent)) return 'windows'
  return /linux|x11|cros/i.test(agent) ? 'linux' : undefined
}

/** Whether it is something that one holds in the hand. */
export function isHandheld(platform: Platform | undefined): boolean {
  return platform === 'android' || platform === 'ios'
}
