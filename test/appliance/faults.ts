// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a machine that serves, and what `aenigma doctor` must say of it: that, and nothing else.

import { appendFileSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestMachine } from '../support/machine.ts'
import type { Authority, Wanted } from '../support/network/authority.ts'
import type { Records } from '../support/network/dns.ts'

/** One fault. */
export interface Fault {
  readonly name: string
  inject(): Promise<void> | void
  heal(): Promise<void> | void
  /** Ids of what is found, as they begin. */
  readonly ids: readonly string[]
  /** What is said of it. */
  readonly says: RegExp
}

/** What faults are made of. */
export interface Ward {
  readonly machine: TestMachine
  readonly domain: string
  /** As they are when all is well. */
  readonly records: Records
  changeDns(records: Records): Promise<void>
  /** One that the machine trusts, and one that nobody does. */
  readonly trusted: Authority
  readonly strangers: Authority
  /** Waits until the server answers. */
  answers(): void
}

/** All of them. */
export function faultsOf(ward: Ward): readonly Fault[] {
  return [...dnsFaults(ward), ...networkFaults(ward), ...serviceFaults(ward), ...certificateFaults(ward)]
}

function dnsFaults({ domain, records, changeDns, machine }: Ward): readonly Fault[] {
  const fault = (name: string, wrong: Records, says: RegExp): Fault => ({
    name,
    inject: () => changeDns(wrong),
    heal: () => changeDns(Object.fromEntries(Object.keys(wrong).map((key) => [key, records[key] ?? []]))),
    ids: [`dns.${domain}`],
    says,
  })
  const own = records[`${domain}.`] ?? []
  const without = (type: string): readonly string[] => own.filter((one) => !one.startsWith(`${type} `))
  return [
    fault(
      'an address of somebody else',
      { [`${domain}.`]: [...without('A'), 'A 203.0.113.99'] },
      /A \S+ is 203\.0\.113\.99, should be 203\.0\.113\.60/,
    ),
    fault('no IPv6 address', { [`${domain}.`]: without('AAAA') }, /AAAA \S+ is missing/),
    fault('no record for clients', { [`_xmpps-client._tcp.${domain}.`]: [] }, /SRV _xmpps-client\S+ is missing/),
    fault(
      'a record with the wrong port',
      { [`_xmpp-server._tcp.${domain}.`]: [`SRV 0 5 5999 ${domain}.`] },
      /SRV _xmpp-server\S+ is 0 5 5999/,
    ),
    fault(
      'a record of old',
      { [`_jabber._tcp.${domain}.`]: [`SRV 0 5 5269 ${domain}.`] },
      /_jabber\S+ should not be there/,
    ),
    fault('a service without a name', { [`rooms.${domain}.`]: [] }, /rooms\S+ is missing/),
    fault(
      'another authority',
      { [`${domain}.`]: [...without('CAA'), 'CAA 0 issue "other.example"'] },
      /CAA \S+ is 0 issue/,
    ),
    {
      name: 'name servers that do not answer',
      inject: () =>
        void machine.run('sh', '-c', 'cp /etc/resolv.conf /run/ && echo nameserver 10.77.0.99 >/etc/resolv.conf'),
      heal: () => void machine.run('cp', '/run/resolv.conf', '/etc/resolv.conf'),
      ids: [`dns.${domain}`],
      says: /resolver|answer/,
    },
  ]
}

function networkFaults({ machine }: Ward): readonly Fault[] {
  const nft = (...words: readonly string[]): void => void machine.run('nft', ...words)
  const up = (): void => nft('-f', '/etc/aenigma/firewall.nft')
  const input = ['inet', 'aenigma', 'input'] as const
  return [
    {
      name: 'no firewall',
      inject: () => nft('delete', 'table', 'inet', 'aenigma'),
      heal: up,
      ids: ['firewall'],
      says: /It is not up/,
    },
    {
      name: 'a firewall that lets everybody in',
      inject: () => nft('chain', ...input, '{ policy accept; }'),
      heal: up,
      ids: ['firewall'],
      says: /keeps nobody out/,
    },
    {
      name: 'a port that is closed in the firewall',
      inject: () => void machine.run('sh', '-c', "sed 's/ 5222,//' /etc/aenigma/firewall.nft | nft -f -"),
      heal: up,
      ids: ['firewall'],
      says: /Our ports 5222 are not open/,
    },
    {
      name: 'a port that cannot be reached by IPv6',
      inject: () => nft('insert', 'rule', ...input, 'ip6', 'daddr', '2001:db8:77::60', 'tcp', 'dport', '5222', 'drop'),
      heal: up,
      ids: ['reach.v6.2001:db8:77::60.5222'],
      says: /2001:db8:77::60 port 5222/,
    },
  ]
}

function serviceFaults({ machine, answers }: Ward): readonly Fault[] {
  const sh = (script: string): void => void machine.run('sh', '-ec', script)
  const restart = (): void => {
    sh('systemctl daemon-reload; systemctl restart aenigma')
    answers()
  }
  const dropIn = (name: string, settings: readonly string[], says: RegExp): Fault => ({
    name,
    inject() {
      const lines = ['[Service]', ...settings].join('\\n')
      sh(
        `mkdir -p /run/systemd/system/aenigma.service.d; printf '${lines}\\n' >/run/systemd/system/aenigma.service.d/x.conf`,
      )
      restart()
    },
    heal() {
      sh('rm -r /run/systemd/system/aenigma.service.d')
      restart()
    },
    ids: ['sandbox'],
    says,
  })
  const updates = (name: string, inject: string, heal: string, says: RegExp): Fault => ({
    ...{ name, inject: () => sh(inject), heal: () => sh(heal), ids: ['updates'], says },
  })
  return [
    {
      name: 'a service that does not start with the machine',
      inject: () => sh('systemctl disable aenigma'),
      heal: () => sh('systemctl enable aenigma'),
      ids: ['service'],
      says: /does not start with the machine/,
    },
    dropIn(
      'no sandbox',
      [
        'SystemCallFilter=',
        'SystemCallArchitectures=',
        'NoNewPrivileges=no',
        'RestrictNamespaces=no',
        'RestrictAddressFamilies=',
        'LockPersonality=no',
        'ProtectClock=no',
        'ProtectKernelModules=no',
        'ProtectKernelLogs=no',
        'ProtectKernelTunables=no',
        'PrivateDevices=no',
        'RestrictRealtime=no',
        'RestrictSUIDSGID=no',
        'ProtectHostname=no',
      ],
      /without/,
    ),
    dropIn(
      'a wider sandbox',
      ['ProtectSystem=no', 'ProtectHome=no', 'PrivateTmp=no', 'PrivateDevices=no', 'ProtectProc=default'],
      /looser/,
    ),
    updates('a kernel that waits', 'touch /run/reboot-required', 'rm /run/reboot-required', /rebooted/),
    updates(
      'updates that nobody asks for',
      'touch -d "20 days ago" /var/lib/apt/lists /var/lib/apt/lists/partial',
      'touch /var/lib/apt/lists',
      /20 days/,
    ),
    {
      name: 'a full disk',
      inject() {
        sh(
          'systemctl stop aenigma; cp -a /var/lib/aenigma /run/kept; mount -t tmpfs -o size=200m,mode=700 tmpfs /var/lib/aenigma',
        )
        sh('chown aenigma: /var/lib/aenigma; cp -a /run/kept/. /var/lib/aenigma/; systemctl start aenigma')
        answers()
      },
      heal() {
        sh('systemctl stop aenigma; umount /var/lib/aenigma; rm -r /run/kept; systemctl start aenigma')
        answers()
      },
      ids: ['disk'],
      says: /free of 200 MiB/,
    },
    {
      name: 'a place for uploads that cannot be written to',
      inject: () => sh('mv /var/lib/aenigma/uploads /var/lib/aenigma/away; install -d -m 700 /var/lib/aenigma/uploads'),
      heal: () => sh('rm -r /var/lib/aenigma/uploads; mv /var/lib/aenigma/away /var/lib/aenigma/uploads'),
      ids: ['upload'],
      says: /./,
    },
  ]
}

function certificateFaults({ machine, domain, trusted, strangers, answers }: Ward): readonly Fault[] {
  const names = [domain, ...['rooms', 'pubsub', 'upload', 'proxy'].map((service) => `${service}.${domain}`)]
  const config = '/etc/aenigma/aenigma.yaml'
  const restart = (): void => {
    machine.run('systemctl', 'restart', 'aenigma')
    answers()
  }
  const fault = (
    name: string,
    by: Authority,
    wanted: Partial<Wanted>,
    says: RegExp,
    ids: readonly string[],
  ): Fault => ({
    name,
    async inject() {
      const files = await by.sign({ names, ...wanted })
      appendFileSync(files.cert, by.pem)
      for (const part of ['cert', 'key'] as const)
        copyFileSync(files[part], join(machine.tree, `etc/aenigma/${part}.pem`))
      machine.run(
        'sh',
        '-ec',
        `cp ${config} /run/; chmod 644 /etc/aenigma/*.pem; printf 'certificate: { cert: cert.pem, key: key.pem }\\nlisten: { shared: "[::]:443", redirect: "[::]:80" }\\n' >>${config}`,
      )
      restart()
    },
    heal() {
      machine.run('sh', '-ec', `cp /run/aenigma.yaml ${config}; rm /etc/aenigma/*.pem`)
      restart()
    },
    ids,
    says,
  })
  const judged = [`certificate.${domain}`, `federation.${domain}`]
  return [
    fault('a certificate that expired', trusted, { days: [-90, -1] }, /It expired/, judged),
    fault('a certificate that was not renewed', trusted, { days: [-85, 5] }, /\b[45] days left/, [
      `certificate.${domain}`,
    ]),
    fault('a certificate of tomorrow', trusted, { days: [1, 90] }, /valid only from/, judged),
    fault('a certificate for another name', trusted, { names: ['elsewhere.example.org'] }, /It is for elsewhere/, [
      ...judged,
      `names.${domain}`,
    ]),
    fault('a certificate without the services', trusted, { names: [domain] }, /is not for rooms/, [`names.${domain}`]),
    fault('a certificate by nobody that is known', strangers, {}, /nobody else trusts/, judged),
  ]
}
