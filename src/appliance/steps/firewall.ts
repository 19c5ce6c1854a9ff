// SPDX-License-Identifier: Apache-2.0
// A firewall that lets in what is wanted: one nftables table of our own, which leaves the rules of others alone. Over SSH the
// rules go away by themselves unless somebody says that the machine can still be reached.
import * as v from 'valibot'
import type { Machine } from '../machine.ts'
import { listeners } from '../probes.ts'
import { replaceFile, restore } from '../restore.ts'
import type { Step } from '../step.ts'
import { installPackages, removePackages } from './packages.ts'

/** What gets in. */
export interface FirewallWish {
  /** Of the table and the units. */
  readonly name: string
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  /** The port of the SSH connection over which this is done, if it is. */
  readonly sshPort: number | undefined
  /** Asked when the rules are in force, over SSH: whether a new connection still gets through. */
  readonly confirm: () => Promise<boolean>
}

/** Ports that get in beside ours. */
interface Ports {
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
}

/** After so many seconds the rules are gone unless they were confirmed. */
export const ROLLBACK_SECONDS = 60

const kept = v.object({
  tcp: v.array(v.pipe(v.number(), v.safeInteger())),
  udp: v.array(v.pipe(v.number(), v.safeInteger())),
})

/** Installs the firewall. What else listens for the network at that time stays reachable, so that nothing stops working. */
export function firewall(wish: FirewallWish): Step {
  const { name } = wish
  const rules = `/etc/${name}/firewall.nft`
  const unit = `${name}-firewall.service`
  const unitPath = `/etc/systemd/system/${unit}`
  return {
    id: 'firewall',
    why: `Only our ports, SSH and what listens today get in (nftables table ${name}).`,
    async check(machine) {
      const others = keptPorts(machine)
      if (!others || (await machine.read(rules)) !== rulesText(wish, others)) return false
      if ((await machine.read(unitPath)) !== unitTextOf(name, rules)) return false
      const loaded = await machine.run('nft', ['list', 'table', 'inet', name], { mayFail: true })
      const enabled = await machine.run('systemctl', ['is-enabled', '--quiet', unit], { mayFail: true })
      return loaded.status === 0 && enabled.status === 0
    },
    async apply(machine, say) {
      await installPackages(machine, ['nftables'], say)
      const others = keptPorts(machine) ?? (await othersPorts(machine, wish))
      await machine.memory.set('kept', { tcp: [...others.tcp], udp: [...others.udp] })
      await replaceFile(machine, rules, rulesText(wish, others), { mode: 0o644 })
      await machine.run('nft', ['--check', '--file', rules])
      await (wish.sshPort === undefined ? machine.run('nft', ['--file', rules]) : tryOut(machine, wish, rules, say))
      await replaceFile(machine, unitPath, unitTextOf(name, rules), { mode: 0o644 })
      await machine.run('systemctl', ['daemon-reload'])
      await machine.run('systemctl', ['enable', '--now', unit])
    },
    async undo(machine) {
      await machine.run('systemctl', ['disable', '--now', unit], { mayFail: true })
      await machine.run('nft', ['delete', 'table', 'inet', name], { mayFail: true })
      await restore(machine, unitPath)
      await restore(machine, rules)
      await machine.run('systemctl', ['daemon-reload'])
      await removePackages(machine)
    },
  }
}

/** The rules in force for a minute, and for good if somebody still gets in. */
async function tryOut(
  machine: Machine,
  { name, confirm }: FirewallWish,
  rules: string,
  say: (line: string) => void,
): Promise<void> {
  const timer = `${name}-firewall-rollback`
  const remove = ['nft', 'delete', 'table', 'inet', name]
  await machine.run('systemctl', ['stop', `${timer}.timer`], { mayFail: true })
  await machine.run('systemd-run', [
    '--quiet',
    '--collect', // or one that failed would be in the way of the next
    `--unit=${timer}`,
    `--on-active=${ROLLBACK_SECONDS}`,
    '--timer-property=AccuracySec=1s',
    ...remove,
  ])
  await machine.run('nft', ['--file', rules])
  say(`the rules are in force; without a word they go away in ${ROLLBACK_SECONDS} seconds`)
  const reached = await confirm()
  const inForce = (await machine.run('nft', ['list', 'table', 'inet', name], { mayFail: true })).status === 0
  await machine.run('systemctl', ['stop', `${timer}.timer`], { mayFail: true })
  if (reached && inForce) return
  await machine.run('nft', ['delete', 'table', 'inet', name], { mayFail: true })
  throw new Error('Nobody confirmed that the machine can still be reached over SSH, so the firewall is off again.')
}

function keptPorts(machine: Machine): Ports | undefined {
  const { success, output } = v.safeParse(kept, machine.memory.get('kept'))
  return success ? output : undefined
}

async function othersPorts(machine: Machine, { tcp, udp, sshPort }: FirewallWish): Promise<Ports> {
  const open = (await listeners(machine)).filter(({ local }) => !local)
  const ports = (protocol: 'tcp' | 'udp', ours: readonly number[], more: readonly number[]): readonly number[] => {
    const others = open.filter((one) => one.protocol === protocol).map(({ port }) => port)
    return sorted([...others, ...more].filter((port) => !ours.includes(port)))
  }
  return { tcp: ports('tcp', tcp, [22, ...(sshPort === undefined ? [] : [sshPort])]), udp: ports('udp', udp, []) }
}

function sorted(ports: readonly number[]): readonly number[] {
  return [...new Set(ports)].sort((a, b) => a - b)
}

/** The file that makes the table anew, whether it was there or not. */
function rulesText({ name, tcp, udp }: FirewallWish, others: Ports): string {
  const accept = (protocol: 'tcp' | 'udp', ports: readonly number[], comment: string): readonly string[] =>
    ports.length === 0 ? [] : [`${protocol} dport { ${sorted(ports).join(', ')} } accept comment "${comment}"`]
  const lines = [
    'type filter hook input priority filter; policy drop;',
    'ct state established,related accept',
    'iif "lo" accept',
    'meta l4proto { 1, 58 } accept comment "ICMP"', // by number: names take a file that may be missing
    'udp sport 547 udp dport 546 accept comment "answers of DHCPv6"',
    ...accept('tcp', tcp, name),
    ...accept('udp', udp, name),
    ...accept('tcp', others.tcp, 'SSH, and what listened when this was made'),
    ...accept('udp', others.udp, 'what listened when this was made'),
  ]
  const body = lines.map((line) => `    ${line}`).join('\n')
  return `# Made by "${name} install".
table inet ${name}
delete table inet ${name}
table inet ${name} {
  chain input {
${body}
  }
}
`
}

function unitTextOf(name: string, rules: string): string {
  return `# Made by "${name} install".
[Unit]
Description=Firewall of ${name}
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=local-fs.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file ${rules}
ExecReload=/usr/sbin/nft --file ${rules}
ExecStop=/usr/sbin/nft delete table inet ${name}

[Install]
WantedBy=sysinit.target
`
}
