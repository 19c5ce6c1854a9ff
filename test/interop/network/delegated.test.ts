// SPDX-License-Identifier: Apache-2.0
// A domain whose web site is elsewhere and whose zone nothing of ours may change: the records that `aenigma dns` prints are put there
// once, by hand, and from then on certificates come by themselves. Pebble asks BIND, which goes where the records lead: to this server.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startBind } from '../../support/bind.ts'
import { Network, withNetwork } from '../../support/network/host.ts'
import { HOST, startPebble, startWith } from '../../support/pebble.ts'
import { bench, type Child, type Command } from '../../support/process.ts'

const MACHINE = `chat.${HOST}`
/** Where others look the records up; on the same machine, but that does not matter to the DNS. */
const RESOLVER = '127.0.0.1'
const WEBSITE = '@ IN A 192.0.2.80'

withNetwork(() => {
  test('one alias, and certificates for a domain whose web site is elsewhere come by themselves', async (t) => {
    const of = bench(t)
    const network = await Network.create(of)
    const host = await network.host('chat', 20)
    const run = (command: Command): Child => host.start(command)
    const zones = { [HOST]: [WEBSITE] }
    const bind = await startBind(of, { address: RESOLVER, port: 53, zones, recursion: true, fixed: true, run })
    const pebble = await startPebble(of, { dns: `${RESOLVER}:53`, run })
    const dns = { target: MACHINE, addresses: [host.address] }
    const acme = { challenge: 'delegated' }
    const server = startWith(of, pebble, { acme, options: { dns, listen: { dns: ['[::]:53'] } }, run })
    await server.says('certificate not fetched') // nothing leads here yet
    const records = await server.run('dns', '--zone').succeeds()
    assert.equal(records.match(/_acme-challenge/g)?.length, 1, records)
    await bind.write(HOST, [WEBSITE, records])
    await server.run('reload').succeeds()
    await server.says('certificate fetched')
    const file = join(of.directory, 'data/tls', HOST, 'cert.pem')
    const names = new X509Certificate(readFileSync(file)).subjectAltName
    assert.deepEqual(names?.split(', ').sort(), [`DNS:*.${HOST}`, `DNS:${HOST}`])
    const [{ verdicts }] = JSON.parse(await server.run('dns', '--json').succeeds())
    assert.deepEqual(
      verdicts.flatMap(({ type, name, state }: Record<string, string>) =>
        type === 'NS' || name?.startsWith('_acme') ? [`${type} ${name} ${state}`] : [],
      ),
      [`NS acme.${MACHINE} right`, `CNAME _acme-challenge.${HOST} right`],
    )
    const { listening } = JSON.parse(await server.run('status', '--json').succeeds())
    assert.deepEqual(
      listening.map(({ kind, host: at, port }: Record<string, string>) => `${kind} ${at} ${port}`).sort(),
      [`dns ${host.address} 53`, `dns ${host.address6} 53`],
    )
    rmSync(file)
    await server.run('reload').succeeds()
    await server.says('certificate fetched', 2)
    assert.deepEqual(await server.child.end('SIGTERM'), { code: 0, signal: null })
  })
})
