import { MalformedRowError, NotSupportedError } from '../errors/errors'
import { briefName } from '../errors/suggestions'
import { MaxAgeExceeded, WorkerStops } from '../errors/run-errors'
import { clock } from '../clock'
import { ABORT_GRACE_MS } from './abort'
import { log } from '../events/logger'
import { checkPolicy, DEFAULT_POLICY, overridden, type Policy } from '../tasks/run-policy'
import { type Executor, type Run, runInProcess } from './in-process'
import type { ResultValues } from '../record'
import type { ClaimedRow } from '../store'
import type { Task } from '../tasks/task'
import { runInTransaction } from './in-transaction'
import { type RunOutcome, failed } from './run-outcome'

type AnyTask = Task<unknown[], unknown>

/** A run in a worker, which may abort it. */
export interface AbortableRun extends Run {
  /** Calls `tell` when the run is aborted, or at once if it was. Only the last `tell` counts. */
  whenAborted(tell: (run: AbortableRun) => void): void
  /** Aborts when the run has ended. */
  readonly over: AbortSignal
  /** Ends the run with this outcome, unless it has ended. What the task still returns is discarded. */
  conclude(outcome: RunOutcome): void
}

/** Running the task in the worker after all would break what was promised to the tasks beside it. */
const refuse: Executor = async (run) =>
  failed(
    new NotSupportedError(
      `Task "${briefName(run.row.values.taskName)}" is isolated, and this worker has no child processes to run it in.`,
      'Start the worker with `isolation: { module }`, the file that defines the tasks.',
    ),
    run,
  )

const detachableInProcess = detachable(runInProcess)
const detachableInTransaction = detachable(runInTransaction)

/** How a worker carries out the runs of a task: in its own process, in a transaction, or by `isolated` in a child process. */
export function executorOf(
  task: AnyTask | undefined,
  isolated: Executor | null,
): (run: AbortableRun) => Promise<RunOutcome> {
  if (task?.isolate) return isolated ?? refuse
  return task?.transactional ? detachableInTransaction : detachableInProcess
}

/** The same in a child process, which was made for the run. */
export function hostExecutorOf(task: AnyTask | undefined): Executor {
  return task?.transactional ? runInTransaction : runInProcess
}

/**
 * The policy for the run of a row; `task` is undefined if this process does not define it.
 *
 * @throws MalformedRowError, and InvalidTaskError if the row overrides the policy with what no task may be defined with.
 */
export function policyFor(
  { malformed, options, values }: ClaimedRow,
  task: AnyTask | undefined,
): Policy {
  if (malformed !== null) throw new MalformedRowError(malformed)
  const { policy } = task ?? { policy: DEFAULT_POLICY }
  if (Object.keys(options).length === 0) return policy
  const changed = overridden(policy, options)
  checkPolicy(values.taskName, changed)
  return changed
}

/**
 * Refuses a row that is older than its `maxAge`: from when it was due to its claim, both by the database's clock, and
 * then the `waitedMs` until its turn in this worker.
 *
 * @throws MaxAgeExceeded
 */
export function assertYoung(
  { startedAt, enqueuedAt, runAfter }: ResultValues,
  { maxAge }: Policy,
  waitedMs: number,
): void {
  if (maxAge === null || startedAt === null || enqueuedAt === null) return
  const age =
    waitedMs + startedAt.getTime() - Math.max(enqueuedAt.getTime(), runAfter?.getTime() ?? 0)
  if (age > maxAge) throw new MaxAgeExceeded(age, maxAge)
}

/** Nothing can end a function of this process from outside: one that ignores its signal is detached, and its result discarded. */
function detachable(executor: Executor): (run: AbortableRun) => Promise<RunOutcome> {
  return (run) => {
    run.whenAborted(detachAfterGrace)
    return executor(run)
  }
}

function detachAfterGrace(run: AbortableRun): void {
  const { over } = run
  void clock.sleep(ABORT_GRACE_MS, over).then(() => over.aborted || detach(run))
}

function detach(run: AbortableRun): void {
  const {
    signal,
    row: { values },
  } = run
  // When the worker stops, the worker itself decides how long it waits.
  if (signal.reason instanceof WorkerStops) return
  log.warn(
    `Task id=${values.id} path=${briefName(values.taskName)} ignored its abort signal (${(signal.reason as Error).name}): detached; its result will be discarded`,
  )
  run.conclude(failed(signal.reason, run))
}
