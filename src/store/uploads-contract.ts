// SPDX-License-Identifier: Apache-2.0
// What every store must do with places for files; part of `contract.ts`.
import assert from 'node:assert/strict'
import { type Check, juliet, romeo } from './contract.ts'
import type { NewUpload, UploadLimits } from './upload-store.ts'

const DAY = 86_400_000
const MOST: UploadLimits = { bytesPerAccount: 100, bytesPerDay: 50, filesPerAccount: 3 }

/** Registers the tests for uploads. */
export function uploadTests(check: Check): void {
  lifeTests(check)
  endTests(check)
}

function lifeTests(check: Check): void {
  check('a place becomes a file, once, and the file expires', async ({ accounts, uploads }, _place, clock) => {
    await accounts.create([{ jid: romeo, admin: false, verifiers: [] }])
    const now = clock.time
    assert.equal(await uploads.reserve(upload('a', 10, now), MOST), undefined)
    const open = await uploads.find('slot-a', now)
    assert.deepEqual(open, {
      id: open?.id,
      file: 'file-a',
      owner: romeo,
      name: 'ä.txt',
      type: undefined,
      size: 10,
      stored: false,
      created: now,
      expires: now + 1000,
    })
    assert.equal(await uploads.find('slot-b', now), undefined)
    assert.equal(await uploads.find('slot-a', now + 1000), undefined)
    assert.equal(await uploads.hold('slot-a', now, now + 5000), true)
    assert.equal(await uploads.keep('slot-a'), true)
    assert.equal(await uploads.keep('slot-a'), false)
    assert.equal(await uploads.hold('slot-a', now, now + 5000), false)
    const kept = await uploads.find('slot-a', now + 6000)
    assert.deepEqual([kept?.stored, kept?.expires], [true, now + 10 * DAY])
    assert.deepEqual(await uploads.known('fi'), new Set(['file-a']))
    assert.equal(await uploads.expire(now + 10 * DAY - 1), 0)
    assert.equal(await uploads.expire(now + 10 * DAY), 1)
    assert.equal(await uploads.find('slot-a', now), undefined)
    assert.deepEqual(await uploads.gone(), ['file-a'])
    assert.deepEqual(await uploads.known('fi'), new Set(['file-a']), 'until it is removed from the disk')
    await uploads.forget(['file-a'], now + 10 * DAY)
    assert.deepEqual(await uploads.gone(), [])
    assert.deepEqual(await uploads.known('fi'), new Set())
    assert.equal(await uploads.reserve(upload('a', 10, now + 10 * DAY), MOST), undefined, 'the row is gone')
  })

  check('an account has so much a day, so much at all, and so many', async ({ accounts, uploads }, _place, clock) => {
    await accounts.create([{ jid: romeo, admin: false, verifiers: [] }])
    const now = clock.time
    const tries = (name: string, size: number, time: number, most = MOST) =>
      uploads.reserve(upload(name, size, time), most)
    assert.equal(await tries('a', 30, now), undefined)
    assert.equal(await tries('b', 20, now + 1), undefined)
    assert.deepEqual(await tries('c', 1, now + 2), { what: 'day', until: now + DAY })
    assert.deepEqual(await tries('c', 40, now + 2), { what: 'day', until: now + 1 + DAY })
    for (const slot of ['slot-a', 'slot-b']) await uploads.keep(slot)
    assert.equal(await tries('c', 50, now + 2 * DAY), undefined)
    await uploads.keep('slot-c')
    assert.deepEqual(await tries('d', 1, now + 4 * DAY), { what: 'account', until: now + 10 * DAY })
    const roomy = { ...MOST, bytesPerAccount: 1000 }
    assert.deepEqual(await tries('d', 1, now + 4 * DAY, roomy), { what: 'account', until: now + 10 * DAY }, 'too many')
    assert.equal(await uploads.expire(now + 10 * DAY), 1)
    assert.equal(await tries('d', 1, now + 10 * DAY), undefined)
    assert.deepEqual(await uploads.reserve({ ...upload('e', 1, now), owner: juliet }, MOST), {
      what: 'gone',
      until: undefined,
    })
  })

  check('what was removed counts for the day, what was never uploaded does not', async (store, _place, clock) => {
    const { accounts, uploads } = store
    await accounts.create([{ jid: romeo, admin: false, verifiers: [] }])
    const now = clock.time
    await uploads.reserve(upload('a', 30, now), MOST)
    await uploads.keep('slot-a')
    await uploads.reserve(upload('b', 20, now), MOST)
    assert.equal(await uploads.remove({ slots: ['slot-a', 'slot-b', 'slot-c'] }), 1)
    await uploads.forget(await uploads.gone(), now)
    assert.deepEqual(await uploads.reserve(upload('c', 10, now + 1), MOST), { what: 'day', until: now + DAY })
    assert.equal(await uploads.expire(now + 1000), 1)
    await uploads.forget(await uploads.gone(), now + 1000)
    assert.equal(await uploads.reserve(upload('c', 20, now + 1000), MOST), undefined)
    assert.deepEqual(await uploads.known('fi'), new Set(['file-c']))
  })
}

function endTests(check: Check): void {
  check('usage and files are listed, and go by number', async ({ accounts, uploads }, _place, clock) => {
    await accounts.create([romeo, juliet].map((jid) => ({ jid, admin: false, verifiers: [] })))
    const now = clock.time
    for (const [name, size, owner] of [
      ['a', 10, romeo],
      ['b', 5, romeo],
      ['c', 20, juliet],
      ['d', 1, juliet],
    ] as const) {
      await uploads.reserve({ ...upload(name, size, now + size), owner }, MOST)
      if (name !== 'd') await uploads.keep(`slot-${name}`)
    }
    assert.deepEqual(await uploads.usage(9), [
      { owner: juliet, files: 1, bytes: 20, oldest: now + 20, newest: now + 20 },
      { owner: romeo, files: 2, bytes: 15, oldest: now + 5, newest: now + 10 },
    ])
    assert.equal((await uploads.usage(1)).length, 1)
    const list = await uploads.list(romeo, 9)
    assert.deepEqual(
      list.map(({ file, stored }) => [file, stored]),
      [
        ['file-a', true],
        ['file-b', true],
      ],
    )
    assert.equal(await uploads.remove({ ids: list.map(({ id }) => id) }), 2)
    assert.deepEqual(await uploads.list(romeo, 9), [])
  })

  check('files go with their account', async ({ accounts, uploads }, _place, clock) => {
    const create = () => accounts.create([romeo, juliet].map((jid) => ({ jid, admin: false, verifiers: [] })))
    await create()
    const now = clock.time
    await uploads.reserve(upload('a', 30, now), MOST)
    await uploads.keep('slot-a')
    await uploads.reserve(upload('b', 20, now), MOST)
    await uploads.reserve({ ...upload('c', 20, now), owner: juliet }, MOST)
    await uploads.keep('slot-c')
    await accounts.remove(romeo)
    assert.equal(await uploads.find('slot-a', now), undefined)
    assert.equal(await uploads.keep('slot-b'), false)
    assert.deepEqual((await uploads.gone()).toSorted(), ['file-a', 'file-b'])
    await uploads.forget(await uploads.gone(), now)
    assert.ok(await uploads.find('slot-c', now))
    await create()
    assert.deepEqual(await uploads.list(romeo, 9), [])
    assert.equal(await uploads.reserve(upload('a', 50, now), MOST), undefined, 'the next one begins anew')
  })
}

function upload(name: string, size: number, now: number): NewUpload {
  return {
    slot: `slot-${name}`,
    file: `file-${name}`,
    owner: romeo,
    name: 'ä.txt',
    type: undefined,
    size,
    created: now,
    expires: now + 1000,
    keepUntil: now + 10 * DAY,
  }
}
