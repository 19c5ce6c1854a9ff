// SPDX-License-Identifier: Apache-2.0
// The load process: takes one job as JSON, does it, prints the report as JSON.

import { chat } from './chat.ts'
import { collect, flood } from './crash.ts'
import { idle } from './idle.ts'
import type { Job, Measured, Report } from './job.ts'
import { login } from './login.ts'
import { mam } from './mam.ts'
import { muc } from './muc.ts'
import { upload } from './upload.ts'

function work(target: Measured, job: Job): Promise<Report> {
  switch (job.scenario) {
    case 'login':
      return login(target, job)
    case 'idle':
      return idle(target, job)
    case 'mam':
      return mam(target, job)
    case 'upload':
      return upload(target, job)
    case 'muc':
      return muc(target, job)
    case 'chat':
      return chat(target, job)
    case 'flood':
      return flood(target, job)
    case 'collect':
      return collect(target, job)
  }
}

const { target, job } = JSON.parse(process.argv[2] ?? '{}') as { target: Measured; job: Job }
const report = await work(target, job).catch((error: Error): Report => {
  return { figures: {}, failures: [error.message], notes: [] }
})
process.stdout.write(JSON.stringify(report), () => process.exit(0))
