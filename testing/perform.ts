import type { EntityManager } from 'typeorm'
import { joinable } from '../backends/database/ambient-transaction'
import { claimedRow } from '../backends/database/row'
import { claim, hold, type MemoryRow } from '../backends/memory/row'
import { MemoryTable } from '../backends/memory/table'
import { InvalidTaskError, type Task, type TaskResult } from '../index'
import { assertReceivable } from '../lib/arguments/dto'
import { backends } from '../lib/backend-registry'
import {
  type OptionTable,
  type Rule,
  TRUE_OR_FALSE,
  completed,
  or,
  row,
  settingsSubject,
  wholeNumber,
} from '../lib/errors/option-checks'
import { shown } from '../lib/errors/suggestions'
import { orderOf } from '../lib/tasks/orders'
import { Recorder } from './kit/recorder'
import { WithinTransaction } from './kit/within-transaction'
import { isTask } from './expect/expectation'
import { MANAGER } from './options'
import { failureOf } from './run/drain'
import { closing, hearing, LEASE_SECONDS, runRow } from './run/lane'
import { catching, type Thrown } from './run/thrown'
import { freshly } from './scope'

export interface PerformOptions {
  /** Which run this is, from 1: all before it have failed. Default 1. */
  attempt?: number | undefined
  /** Cancels the run, as somebody would who cancels the task. */
  signal?: AbortSignal | undefined
  /** The transaction that the task joins where it enqueues; a transactional task is a savepoint in it. */
  manager?: EntityManager | undefined
  /** Throws a `TaskRunError` if the run fails. Default true. */
  throwFailures?: boolean | undefined
}

const SIGNAL: Rule = {
  expected: 'an AbortSignal',
  isSound: (value) => value instanceof AbortSignal,
}
const OPTIONS = {
  attempt: row(1, wholeNumber(1)),
  signal: row<AbortSignal | undefined>(undefined, or(undefined, SIGNAL)),
  manager: row<EntityManager | undefined>(undefined, or(undefined, MANAGER)),
  throwFailures: row(true, TRUE_OR_FALSE),
} satisfies OptionTable<PerformOptions>

/**
 * Runs a task once, as a worker would: arguments and return value pass through JSON, classes of arguments, time limit and
 * middleware hold, and a failure is judged by `retry`. Nothing is enqueued, and no kit is needed.
 *
 * Resolves to the result as it is then: a task that is to run again is READY, and its `runAfter` says when.
 *
 * @throws TaskRunError if the run fails, unless `throwFailures` is false. InvalidTaskError or NotSerializableError for arguments
 * that no enqueue would take.
 */
export async function perform<Args extends unknown[], Return>(
  task: Task<Args, Return>,
  args: Args,
  options: PerformOptions = {},
): Promise<TaskResult<Return>> {
  const known: unknown = task
  if (!isTask(known) || !Array.isArray(args))
    throw new InvalidTaskError(
      `perform expected a task and its arguments, got ${shown(task)} and ${shown(args)}.`,
      'Write perform(sendWelcome, [42]).',
    )
  const { attempt, signal, manager, throwFailures } = completed(
    settingsSubject('perform'),
    options,
    OPTIONS,
  )
  const order = orderOf(known, args, {})
  await assertReceivable(known, order.argsKwargs)
  const table = new MemoryTable()
  const recorder = new Recorder(backends.get(known.backend), table)
  const added = table.add({ ...order, key: null }, recorder.alias)
  claimAs(added, attempt, table.now())
  const heard = hearing()
  const store = await recorder.openStore({ leaseSeconds: LEASE_SECONDS, wakeup: heard.hear })
  const backend = manager ? new WithinTransaction(recorder, manager) : recorder
  const thrown: Thrown = new Map()
  const run = async (): Promise<void> =>
    void (await runRow({ backend, store }, claimedRow(added), { heard, signal }))
  // Within a transaction what else the caller's context holds of that is there, too.
  const around = (): Promise<void> =>
    manager ? joinable(manager.connection, (join) => join(manager, run)) : freshly(run)
  await closing([store], () => catching(thrown, around))
  const result = recorder.read(added)
  if (throwFailures && result.status !== 'SUCCESSFUL') throw failureOf([result], thrown)
  return result as TaskResult<Return>
}

/** As if all runs before had failed. */
function claimAs(added: MemoryRow, attempt: number, now: number): void {
  const earlier = Array.from({ length: attempt - 1 }, (_, i) => i + 1)
  added.claims = earlier.length
  added.worker_ids = JSON.stringify(earlier.map((run) => `run ${run}`))
  if (earlier.length > 0)
    added.attempt_errors = JSON.stringify(
      earlier.map((run) => ({
        exceptionClassPath: 'Error',
        traceback: `Error: run ${run} of the test failed`,
      })),
    )
  claim(added, 'perform', now)
  hold(added, LEASE_SECONDS, now)
}
