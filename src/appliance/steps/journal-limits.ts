// SPDX-License-Identifier: Apache-2.0
// The system's log does not fill the disk, and forgets.
import type { Step } from '../step.ts'
import { file } from './file.ts'

/** Limits size and age of the journal. @param name of the appliance */
export function journalLimits(name: string): Step {
  return file({
    id: 'journal',
    why: "The system's log takes half a gigabyte at most, and is forgotten after a month.",
    path: `/etc/systemd/journald.conf.d/${name}.conf`,
    text: `[Journal]\nSystemMaxUse=512M\nRuntimeMaxUse=64M\nMaxRetentionSec=1month\n`,
    rights: { mode: 0o644 },
    after: async (machine) => void (await machine.run('systemctl', ['restart', 'systemd-journald.service'])),
  })
}
