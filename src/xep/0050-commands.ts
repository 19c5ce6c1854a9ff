// SPDX-License-Identifier: Apache-2.0
// XEP-0050: Ad-Hoc Commands. Carries out the commands that features announce for our domains: one question after the
// other, back and forth, until one is done. What is under way is bounded for each user and forgotten after a while.
import { randomUUID } from 'node:crypto'
import { accountRefusal } from '../core/account-error.ts'
import type { Command, CommandRequest, Done, Question } from '../core/command.ts'
import type { Announcement, Disclosed, DiscoRequest, Feature, FeatureContext, IqRequest } from '../core/feature.ts'
import { type Element, el } from '../xml/element.ts'
import { Answers, formElement, NS_DATA, problemOf, readAnswers } from '../xmpp/0004-data-forms.ts'
import { DiscreetError, StanzaError } from '../xmpp/errors.ts'

const NS = 'http://jabber.org/protocol/commands'
/** How long a question waits for its answer, in ms. */
const PATIENCE = 600_000
/** Commands that a user may have under way; of more, the oldest is forgotten. So it is for all users together. */
const RUNS_PER_USER = 10
const RUNS = 1000
const ACTIONS: ReadonlySet<string> = new Set(['execute', 'cancel', 'prev', 'next', 'complete'])
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const NOTHING = new Answers(new Map())

/** XEP-0050: Ad-Hoc Commands. */
export const commands: Feature = {
  name: 'commands',
  implements: [{ xep: 50, version: '1.3.0', name: 'Ad-Hoc Commands' }],
  setup(ctx) {
    const desk = new Desk(ctx)
    return {
      iq: [{ at: ['server'], type: 'set', ns: NS, name: 'command', answer: (request) => desk.answer(request) }],
      disco: {
        server: { features: [NS] },
        items: (request) => desk.items(request),
        info: (request) => desk.info(request),
      } satisfies Announcement,
    }
  },
}

/** What was submitted cannot be used (XEP-0050 §4.4). */
export function badPayload(text: string): StanzaError {
  return badRequest('bad-payload', text)
}

/** A command under way. */
interface Run {
  readonly id: string
  readonly node: string
  readonly request: CommandRequest
  /** Asked so far; the last one waits for an answer. */
  readonly asked: Question[]
  until: number
}

/** Takes requests for commands. */
class Desk {
  readonly #ctx: FeatureContext
  readonly #runs: Runs
  #commands: ReadonlyMap<string, Command> | undefined

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
    this.#runs = new Runs(ctx)
  }

  /** XEP-0050 §2.2: the commands that whoever asks may run. */
  items({ node, owner, from }: DiscoRequest): readonly Element[] | undefined {
    if (node !== NS || owner.local !== undefined) return undefined
    const allowed = [...this.#known().values()].filter((command) => command.allowed(from))
    return allowed.map((command) =>
      el('item', 'http://jabber.org/protocol/disco#items', {
        jid: owner.key,
        node: command.node,
        name: command.name,
      }),
    )
  }

  /** XEP-0050 §2.2: the list itself, or one command. */
  info({ node, owner, from }: DiscoRequest): Disclosed | undefined {
    if (node === undefined || owner.local !== undefined) return undefined
    if (node === NS) return { identities: [{ category: 'automation', type: 'command-list' }], features: [NS] }
    const command = this.#known().get(node)
    if (!command) return undefined
    if (!command.allowed(from)) throw forbidden()
    return {
      identities: [{ category: 'automation', type: 'command-node', name: command.name }],
      features: [NS, NS_DATA],
    }
  }

  /** XEP-0050 §2.4. */
  async answer({ payload, from, owner, session }: IqRequest): Promise<Element> {
    const { node, sessionid, action = 'execute' } = payload.attrs
    const command = this.#known().get(node ?? '')
    if (!command) throw new StanzaError('cancel', 'item-not-found', 'There is no such command.')
    if (!command.allowed(from)) throw forbidden()
    if (!ACTIONS.has(action)) throw badRequest('malformed-action', 'There is no such action.')
    if (sessionid === undefined) {
      if (action !== 'execute') throw badRequest('bad-action', 'A command begins by being executed.')
      const request = { from, owner, session }
      const run: Run = { id: randomUUID(), node: command.node, request, asked: [], until: 0 }
      return this.#stage(run, await refusing(command.start(request)))
    }
    const run = this.#runs.take(sessionid, command.node, { from, owner, session })
    if (action === 'cancel') return commandElement(run, 'canceled')
    try {
      return this.#stage(run, await this.#goOn(run, action, payload))
    } catch (error) {
      this.#runs.keep(run)
      throw error
    }
  }

  /** What comes next; undefined: the question that is asked last by now. */
  async #goOn(run: Run, action: string, payload: Element): Promise<Question | Done | undefined> {
    const question = run.asked.at(-1)
    if (!question) return undefined
    if (action === 'prev') {
      if (run.asked.length < 2) throw badRequest('bad-action', 'This is the first stage.')
      run.asked.pop()
      return undefined
    }
    const forward = question.more ? 'next' : 'complete'
    if (action !== 'execute' && action !== forward) throw badRequest('bad-action', `This stage needs ${forward}.`)
    try {
      const answers = readAnswers(payload) ?? NOTHING
      const problem = problemOf(answers, question.form)
      if (problem) throw badPayload(problem)
      return await refusing(question.answered(answers, run.request))
    } catch (error) {
      throw hasSecret(question) ? new DiscreetError(this.#ctx.router.wireError(error)) : error
    }
  }

  #stage(run: Run, step: Question | Done | undefined): Element {
    if (step && !('form' in step)) {
      const notes = (step.notes ?? []).map(({ type, text }) => el('note', NS, { type }, text))
      return commandElement(run, 'completed', step.result, ...notes)
    }
    if (step) run.asked.push(step)
    const question = run.asked.at(-1)
    this.#runs.keep(run)
    return commandElement(run, 'executing', actionsOf(run), question && formElement(question.form))
  }

  #known(): ReadonlyMap<string, Command> {
    this.#commands ??= new Map(
      this.#ctx
        .announced()
        .flatMap((one) => one.commands ?? [])
        .map((command) => [command.node, command]),
    )
    return this.#commands
  }
}

/** The commands under way. */
class Runs {
  readonly #ctx: FeatureContext
  /** The longest untouched first. */
  readonly #runs = new Map<string, Run>()

  constructor(ctx: FeatureContext) {
    this.#ctx = ctx
  }

  /** Keeps it until its answer comes. */
  keep(run: Run): void {
    this.#expire()
    run.until = this.#ctx.clock.now() + PATIENCE
    const user = run.request.from.bare
    const own = [...this.#runs.values()].filter(({ request }) => request.from.bare.equals(user))
    const oldest =
      own.length >= RUNS_PER_USER ? own[0] : this.#runs.size >= RUNS ? [...this.#runs.values()][0] : undefined
    if (oldest) this.#runs.delete(oldest.id)
    this.#runs.set(run.id, run)
  }

  /** Takes it out, so that no answer counts twice. Throws what XEP-0050 §4.4 says of sessions. */
  take(id: string, node: string, { from, owner }: CommandRequest): Run {
    this.#expire()
    const run = this.#runs.get(id)
    if (!run && UUID.test(id)) {
      throw new StanzaError('cancel', 'not-allowed', 'This took too long, or is over.', el('session-expired', NS))
    }
    if (!run || run.node !== node || !run.request.from.equals(from) || !run.request.owner.equals(owner)) {
      throw badRequest('bad-sessionid', 'There is no such session of yours.')
    }
    this.#runs.delete(id)
    return run
  }

  #expire(): void {
    const now = this.#ctx.clock.now()
    for (const run of this.#runs.values()) {
      if (run.until > now) return
      this.#runs.delete(run.id)
    }
  }
}

/** XEP-0050 §3.4: which buttons there are, and which one is the default. */
function actionsOf({ asked }: Run): Element {
  const forward = asked.at(-1)?.more ? 'next' : 'complete'
  return el('actions', NS, { execute: forward }, asked.length > 1 && el('prev', NS), el(forward, NS))
}

function commandElement(
  { id, node }: Run,
  status: 'executing' | 'completed' | 'canceled',
  ...children: readonly (Element | undefined)[]
): Element {
  return el('command', NS, { node, sessionid: id, status, 'xml:lang': 'en' }, ...children)
}

function hasSecret({ form }: Question): boolean {
  return form.fields.some(({ type }) => type === 'text-private')
}

/** Waits for a stage; what accounts refuse becomes what the asker may read. */
async function refusing<T>(stage: T | Promise<T>): Promise<T> {
  try {
    return await stage
  } catch (error) {
    throw accountRefusal(error)
  }
}

function badRequest(detail: string, text: string): StanzaError {
  return new StanzaError('modify', 'bad-request', text, el(detail, NS))
}

function forbidden(): StanzaError {
  return new StanzaError('cancel', 'forbidden', 'This command is not for you.')
}
