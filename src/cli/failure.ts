// SPDX-License-Identifier: Apache-2.0
// Failures of commands: what went wrong, and what to type instead.

/** The command could not do what it was asked to. */
export class Failure extends Error {
  override readonly name = 'Failure'
  /** A short constant text for programs. */
  readonly code: string
  /** What to do about it. */
  readonly advice: string | undefined
  /** 1: it failed; 2: it was asked wrongly. */
  readonly status: 1 | 2

  constructor(code: string, message: string, advice?: string, status: 1 | 2 = 1) {
    super(message)
    this.code = code
    this.advice = advice
    this.status = status
  }
}

/** What advice there is on failures that other parts report. */
const ADVICE: Readonly<Record<string, string>> = {
  'not-running': 'Start the server with "aenigma up", or say where it is with --config FILE or --data DIR.',
  'not-found': 'See all accounts with "aenigma user list".',
  'no-client': 'See all with "aenigma user clients JID".',
  unsupported: 'Use "aenigma stop" and "aenigma up" instead.',
  exists: 'To give it another password, use "aenigma user passwd".',
  'in-use': 'If it is the server you want to speak to, "aenigma status" tells about it; "aenigma stop" ends it.',
}

/** Any error as a failure. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  if (!(error instanceof Error)) return new Failure('failed', String(error))
  const code = ('code' in error && typeof error.code === 'string' && error.code) || 'failed'
  if (error.name === 'ConfigError') return new Failure('bad-config', error.message)
  const port = 'port' in error && 'address' in error ? `${error.address} port ${error.port}` : undefined
  if (code === 'EADDRINUSE' && port !== undefined) {
    return new Failure(code, `${port} is taken by another program.`, 'Stop it, or choose other ports under "listen".')
  }
  if (code === 'EACCES' && port !== undefined) {
    const advice =
      'Choose a port above 1023 under "listen" ("shared" and "redirect" are on 443 and 80 where no certificate is given), or give the program the right (CAP_NET_BIND_SERVICE).'
    return new Failure(code, `This user may not listen on ${port}.`, advice)
  }
  return new Failure(code, error.message, ADVICE[code])
}

/** Prints a failure to standard error. */
export function report(failure: Failure, json: boolean): void {
  const { code, message, advice } = failure
  if (json) process.stderr.write(`${JSON.stringify({ error: { code, message, ...(advice ? { advice } : {}) } })}\n`)
  else process.stderr.write(steerless(`aenigma: ${message}\n${advice === undefined ? '' : `${advice}\n`}`))
}

/** Messages quote others: nothing of that may steer a terminal. */
function steerless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]+/gu, ' ')
}
