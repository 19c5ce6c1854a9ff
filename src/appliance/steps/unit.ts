// SPDX-License-Identifier: Apache-2.0
// A systemd unit for a network service, as a value, in the narrowest sandbox that a JavaScript engine can live in.

/** A service that runs all the time. */
export interface Unit {
  readonly name: string
  readonly description: string
  readonly documentation: string
  /** The program with its arguments, without quotes: words have no spaces. */
  readonly exec: readonly string[]
  readonly user: string
  /** The only directories that it may write to. */
  readonly writes: readonly string[]
  /** Whether it may listen on ports below 1024. */
  readonly lowPorts: boolean
}

/**
 * What it cannot do. Left open, because it must be: writable code (`MemoryDenyWriteExecute`), which a compiler at run time needs;
 * the network; and, for low ports, one capability, which is worth nothing in a user namespace (`PrivateUsers`).
 */
const SANDBOX: Readonly<Record<string, string>> = {
  NoNewPrivileges: 'yes',
  UMask: '0077',
  ProtectSystem: 'strict',
  ProtectHome: 'yes',
  PrivateTmp: 'yes',
  PrivateMounts: 'yes',
  PrivateDevices: 'yes',
  DevicePolicy: 'closed',
  ProtectProc: 'invisible',
  ProcSubset: 'pid',
  ProtectKernelTunables: 'yes',
  ProtectKernelModules: 'yes',
  ProtectKernelLogs: 'yes',
  ProtectControlGroups: 'yes',
  ProtectClock: 'yes',
  ProtectHostname: 'yes',
  RestrictNamespaces: 'yes',
  RestrictRealtime: 'yes',
  RestrictSUIDSGID: 'yes',
  RestrictAddressFamilies: 'AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  LockPersonality: 'yes',
  KeyringMode: 'private',
  RemoveIPC: 'yes',
  SystemCallArchitectures: 'native',
  SystemCallErrorNumber: 'EPERM',
}

/** The text of the unit's file. */
export function unitText({ name, description, documentation, exec, user, writes, lowPorts }: Unit): string {
  const low = lowPorts ? 'CAP_NET_BIND_SERVICE' : ''
  return `# Made by "${name} install"; "systemctl edit ${name}" is the place for changes.
[Unit]
Description=${description}
Documentation=${documentation}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
User=${user}
Group=${user}
ExecStart=${exec.join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=2
TimeoutStopSec=60
LimitNOFILE=524288
ReadWritePaths=${writes.join(' ')}
CapabilityBoundingSet=${low}
AmbientCapabilities=${low}
PrivateUsers=${lowPorts ? 'no' : 'yes'}
${Object.entries(SANDBOX)
  .map(([key, value]) => `${key}=${value}`)
  .join('\n')}
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources

[Install]
WantedBy=multi-user.target
`
}
