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
import { cancelledToken, type HeldJob, type HeldJobs } from './held-jobs'
import type { Holding } from './holding'

/** What BullMQ answers where the lock is not that of the token, or there is nothing to lock. */
const MISSING_JOB = -1
const NO_LOCK = -2
const NOT_ACTIVE = -3
const OTHER_LOCK = -6
const REFUSALS: readonly unknown[] = [MISSING_JOB, NO_LOCK, NOT_ACTIVE, OTHER_LOCK]

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
    const all = await Promise.allSettled(outcomes.map((outcome) => this.#answer(outcome)))
    const isAnyAnswered = all.some(({ status }) => status === 'fulfilled')
    return all.map((each) => {
      if (each.status === 'fulfilled') return each.value
      // Redis has closed the connection upon another one that it refuses.
      if (isAnyAnswered && isAway(each.reason)) return 'later'
      throw each.reason
    })
  }

  /** Whether the job now says what the outcome says. */
  async end(outcome: Outcome, job: HeldJob): Promise<boolean> {
    for (const token of tokensFor(outcome, job)) {
      if (await this.#isTaken(this.#moved(outcome, { ...job, token }))) return true
    }
    return false
  }

  /** One that Redis refuses is FAILED in its place: handed in again it would be refused again. */
  async #answer(outcome: Outcome): Promise<OutcomeAnswer> {
    try {
      return await this.#stored(outcome)
    } catch (error) {
      if (!isTooLarge(error)) throw error
      const failed = inPlaceOf(outcome, error)
      const answer = await this.#stored(failed)
      return answer === 'kept' ? failed : answer
    }
  }

  async #stored(outcome: Outcome): Promise<'kept' | 'refused'> {
    const job = this.#held.get(outcome) ?? (await this.#holding.adopt(outcome))
    if (job && ((await this.end(outcome, job)) || (await this.#endLate(outcome, job)))) {
      this.#held.delete(outcome)
      if (job.uniqueKey !== undefined && outcome.status !== 'READY')
        freeKey(this.#connection, 'finish', job.uniqueKey, job.key)
      return 'kept'
    }
    return (await this.#stands(outcome, job)) ? 'kept' : 'refused'
  }

  /** Its lease had run out, and nobody has taken the job since. */
  async #endLate(outcome: Outcome, job: HeldJob): Promise<boolean> {
    const [state] = await this.#holding.renew([job])
    const isHeld = state === 'held' || (state === 'cancelled' && isCancel(outcome))
    return isHeld && this.end(outcome, job)
  }

  async #isTaken(moved: Promise<unknown>): Promise<boolean> {
    try {
      return !REFUSALS.includes(await moved)
    } catch (error) {
      if (REFUSALS.includes((error as { code?: unknown }).code)) return false
      throw error
    }
  }

  #moved(outcome: Outcome, job: HeldJob): Promise<unknown> {
    if (outcome.status === 'READY') return this.#putBack(outcome, job)
    const { key: id, queue, token } = job
    if (outcome.status === 'SUCCESSFUL') {
      const value = outcome.returnValue ?? 'null'
      return this.#finisher.end(queue, {
        id,
        token,
        target: 'completed',
        value,
        ...fieldsOf(outcome),
      })
    }
    const { failedReason: value, stacktrace, error } = failureOf(outcome.error)
    const fields = {
      [FIELD.error]: error,
      // A dashboard of BullMQ may put it back: then the next claim takes the place of this one.
      [FIELD.workers]: JSON.stringify(job.workerIds),
      [FIELD.until]: String(job.claims),
      stacktrace,
      ...progressOf(outcome),
    }
    return this.#finisher.end(queue, { id, token, target: 'failed', value, fields })
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
