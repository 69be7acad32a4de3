import { CANCELLED } from '../../../lib/errors/error-record'
import { workersAfter } from '../../../lib/errors/history'
import { OutcomeRefused } from '../../../lib/errors/run-errors'
import type { Outcome, OutcomeAnswer } from '../../../lib/store'
import type { Connection } from '../connection'
import { isAway } from '../clients/away'
import { isTooLarge } from '../errors'
import { FIELD, rawOf } from '../job'
import { jobIn } from '../read'
import { freeKey } from '../unique-keys'
import { stands } from '../../memory/row'
import { failureOf } from '../changes/failure'
import { CarefulFinisher } from './careful-finisher'
import type { Ending } from './finisher'
import { cancelledToken, type HeldJob, type HeldJobs } from './held-jobs'
import type { Holding } from './holding'

/** BullMQ's codes: there is no such job or lock, the job is not active, the lock is that of another token, or the like. */
function isRefusal(answer: unknown): boolean {
  return typeof answer === 'number' && answer < 0
}

/** There was no answer: what the outcome says may have been written. */
class Unanswered {
  constructor(readonly why: unknown) {}
}

type Told = Map<Outcome, OutcomeAnswer | Unanswered>

/** Writes what came of jobs: each by one script of BullMQ, which Redis takes only with the token of the claim. */
export class Outcomes {
  readonly #connection: Connection
  readonly #alias: string
  readonly #held: HeldJobs
  readonly #holding: Holding
  readonly #finisher: CarefulFinisher

  constructor(connection: Connection, alias: string, held: HeldJobs, holding: Holding) {
    this.#connection = connection
    this.#alias = alias
    this.#held = held
    this.#holding = holding
    this.#finisher = new CarefulFinisher(connection)
  }

  /** What could not be answered may have been written: handed in again, it is answered as kept. */
  async write(outcomes: readonly Outcome[]): Promise<OutcomeAnswer[]> {
    const told: Told = new Map()
    const usual = outcomes.filter((outcome) => this.#isUsual(outcome))
    const others = outcomes.filter((outcome) => !this.#isUsual(outcome))
    await Promise.all([this.#endTogether(usual, told), this.#tell(others, told)])
    const open = usual.filter((outcome) => !isSettled(told.get(outcome)))
    await this.#tell(open, told)
    return answersOf(outcomes, told)
  }

  /** Whether the job says now what the outcome says. */
  async end(outcome: Outcome, job: HeldJob): Promise<boolean> {
    for (const token of tokensFor(outcome, job)) {
      if (await this.#isTaken(this.#moved(outcome, { ...job, token }))) return true
    }
    return false
  }

  /** Whether it just ends a job that is held here. */
  #isUsual(outcome: Outcome): boolean {
    return outcome.status !== 'READY' && !isCancel(outcome) && this.#held.get(outcome) !== undefined
  }

  /** Ends jobs with little work for each. Tells nothing of those that Redis has not taken. */
  async #endTogether(outcomes: readonly Outcome[], told: Told): Promise<void> {
    const queues = new Map<string, { outcome: Outcome; job: HeldJob; ending: Ending }[]>()
    for (const outcome of outcomes) {
      const job = this.#held.get(outcome)
      if (!job || outcome.status === 'READY') continue
      const one = { outcome, job, ending: endingOf(outcome, job) }
      const own = queues.get(job.queue)
      if (own) own.push(one)
      else queues.set(job.queue, [one])
    }
    const end = async (queue: string): Promise<void> => {
      const own = queues.get(queue) ?? []
      const endings = own.map(({ ending }) => ending)
      const answers = await this.#finisher.end(queue, endings)
      for (const [i, { outcome, job }] of own.entries()) {
        if (typeof answers[i] !== 'number') told.set(outcome, new Unanswered(answers[i]))
        else if (!isRefusal(answers[i])) told.set(outcome, this.#kept(outcome, job))
      }
    }
    await Promise.all([...queues.keys()].map(end))
  }

  /** One by one. Where there is no answer, for a reason that is known already, that stays. */
  async #tell(outcomes: readonly Outcome[], told: Told): Promise<void> {
    const tell = async (outcome: Outcome): Promise<void> => {
      const before = told.get(outcome)
      const stored =
        before instanceof Unanswered ? Promise.reject(before.why) : this.#stored(outcome)
      const answer = stored.catch((error: unknown) => this.#inPlace(outcome, error))
      told.set(outcome, await answer.catch((error: unknown) => new Unanswered(error)))
    }
    await Promise.all(outcomes.map(tell))
  }

  /** One that Redis refuses is FAILED in its place: handed in again it would be refused again. @throws other errors. */
  async #inPlace(outcome: Outcome, error: unknown): Promise<OutcomeAnswer> {
    if (!isTooLarge(error)) throw error
    const failed = inPlaceOf(outcome, error)
    const answer = await this.#stored(failed)
    return answer === 'kept' ? failed : answer
  }

  async #stored(outcome: Outcome): Promise<'kept' | 'refused'> {
    const job = this.#held.get(outcome) ?? (await this.#holding.adopt(outcome))
    if (job && ((await this.end(outcome, job)) || (await this.#endLate(outcome, job)))) {
      return this.#kept(outcome, job)
    }
    return (await this.#stands(outcome, job)) ? 'kept' : 'refused'
  }

  /** Its lease had run out, and nobody has taken the job since. */
  async #endLate(outcome: Outcome, job: HeldJob): Promise<boolean> {
    const [state] = await this.#holding.renew([job])
    const isHeld = state === 'held' || (state === 'cancelled' && isCancel(outcome))
    return isHeld && this.end(outcome, job)
  }

  #kept(outcome: Outcome, job: HeldJob): 'kept' {
    this.#held.delete(outcome)
    if (job.uniqueKey !== undefined && outcome.status !== 'READY')
      freeKey(this.#connection, 'finish', job.uniqueKey, job.key)
    return 'kept'
  }

  async #isTaken(moved: Promise<unknown>): Promise<boolean> {
    try {
      return !isRefusal(await moved)
    } catch (error) {
      if (isRefusal((error as { code?: unknown }).code)) return false
      throw error
    }
  }

  async #moved(outcome: Outcome, job: HeldJob): Promise<unknown> {
    if (outcome.status === 'READY') return this.#putBack(outcome, job)
    const [answer] = await this.#finisher.end(job.queue, [endingOf(outcome, job)])
    if (typeof answer !== 'number') throw answer
    return answer
  }

  #putBack(outcome: Outcome & { status: 'READY' }, job: HeldJob): Promise<unknown> {
    const queue = this.#connection.queue(job.queue)
    const { errors, delay } = outcome
    const now = Date.now()
    const fieldsToUpdate = {
      [FIELD.errors]: JSON.stringify(errors),
      [FIELD.workers]: JSON.stringify(workersAfter(job.workerIds)),
      [FIELD.until]: String(job.claims),
      ...(delay === null ? {} : { [FIELD.due]: String(now + delay) }),
      ...progressOf(outcome),
    }
    if (delay === null || delay <= 0)
      return queue.retryJob(job.key, false, job.token, { fieldsToUpdate })
    return queue.moveToDelayed(job.key, now, delay, job.token, {
      skipAttempt: true,
      fieldsToUpdate,
    })
  }

  /** Whether the job says it already: the answer to an earlier try was lost. */
  async #stands(outcome: Outcome, job: HeldJob | undefined): Promise<boolean> {
    const found = await this.#look(outcome, job)
    return found !== undefined && stands({ ...rawOf(found, this.#alias), leaseEnds: null }, outcome)
  }

  async #look({ key }: Outcome, job: HeldJob | undefined): ReturnType<typeof jobIn> {
    if (job) return jobIn(this.#connection, job.queue, key)
    return this.#holding.find(key)
  }
}

function endingOf(
  outcome: Exclude<Outcome, { status: 'READY' }>,
  { key: id, token, workerIds, claims }: HeldJob,
): Ending {
  if (outcome.status === 'SUCCESSFUL') {
    const value = outcome.returnValue ?? 'null'
    return { id, token, target: 'completed', value, ...fieldsOf(outcome) }
  }
  const { failedReason: value, stacktrace, error } = failureOf(outcome.error)
  const fields = {
    [FIELD.error]: error,
    // A dashboard of BullMQ may put it back: then the next claim takes the place of this one.
    [FIELD.workers]: JSON.stringify(workerIds),
    [FIELD.until]: String(claims),
    stacktrace,
    ...progressOf(outcome),
  }
  return { id, token, target: 'failed', value, fields }
}

/** The answers in the order of the outcomes. @throws why there is none. */
function answersOf(outcomes: readonly Outcome[], told: Told): OutcomeAnswer[] {
  const all = outcomes.map((outcome) => told.get(outcome) ?? 'refused')
  const isAnyAnswered = all.some((each) => !(each instanceof Unanswered))
  return all.map((each) => {
    if (!(each instanceof Unanswered)) return each
    // Redis has closed the connection upon another one that it refuses.
    if (isAnyAnswered && isAway(each.why)) return 'later'
    throw each.why
  })
}

/** Whether nothing else can be found out. */
function isSettled(told: OutcomeAnswer | Unanswered | undefined): boolean {
  return told instanceof Unanswered ? !isTooLarge(told.why) : told !== undefined
}

function inPlaceOf({ key, claims }: Outcome, error: unknown): Outcome {
  const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
  const { name, message } = new OutcomeRefused(
    `Redis takes no value as large as this one, ${reason}`,
  )
  const traceback = `${name}: ${message}\n`
  return {
    key,
    claims,
    status: 'FAILED',
    error: { exceptionClassPath: `typeorm_tasks.${name}`, traceback },
  }
}

function fieldsOf(outcome: Outcome): { fields?: Record<string, string> } {
  const { progress } = outcome
  return progress === undefined ? {} : { fields: { progress } }
}

function progressOf({ progress }: Outcome): { progress?: string } {
  return progress === undefined ? {} : { progress }
}

/** A job that was asked to stop ends as cancelled and no other way. */
function tokensFor(outcome: Outcome, { token }: HeldJob): readonly string[] {
  return isCancel(outcome) ? [cancelledToken(token), token] : [token]
}

function isCancel(outcome: Outcome): boolean {
  return outcome.status === 'FAILED' && outcome.error.exceptionClassPath === CANCELLED
}
