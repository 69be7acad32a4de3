import type { TaskBackend } from '../backend'
import { clock } from '../clock'
import { MalformedRowError, NotSupportedError } from '../errors/errors'
import { MaxAgeExceeded, WorkerStops } from '../errors/run-errors'
import { briefName } from '../errors/suggestions'
import { log } from '../events/logger'
import { isWrapped, runThrough } from '../middleware'
import type { Progress, ResultValues } from '../row/record'
import { tasks } from '../registry'
import { TaskResult } from '../result'
import { type Slot, slotOf } from '../row/slot'
import type { TraceContext } from '../row/trace'
import { dueMs } from '../row/wait'
import type { ClaimedRow, Outcome } from '../store'
import { TaskContext, type Surroundings } from '../tasks/context'
import { encodeReturnValue } from '../arguments/json'
import {
  changesPolicy,
  checkPolicy,
  DEFAULT_POLICY,
  overridden,
  type Policy,
} from '../tasks/run-policy'
import type { Task } from '../tasks/task'
import { ABORT_GRACE_MS, inGrace } from './abort'
import { isHopeless, type Terms } from './retry'
import { type RunOutcome, failed, notBegun } from './run-outcome'

type AnyTask = Task<unknown[], unknown>

/** One run of a claimed row, as an executor sees it. */
export interface Run extends Terms {
  readonly backend: TaskBackend
  /** The run's own place in its trace, for a child process; undefined: it is not traced. */
  readonly trace?: TraceContext | undefined
  /** The task's own code starts now: its time limit counts from here. */
  begins(): void
  report(progress: Progress): void
  /** The outcome to store with the run's own transaction, asked for right before its commit. @throws if it must not commit. */
  completion(returnValue: string | null): Outcome | Promise<Outcome>
}

/** Carries out a run. Never throws, whatever the task does. */
export type Executor = (run: Run) => Promise<RunOutcome>

/** A run in a worker, which may abort it. */
export interface AbortableRun extends Run {
  /** Calls `tell` when the run is aborted, or at once if it was. Only the last `tell` counts. */
  whenAborted(tell: (run: AbortableRun) => void): void
  /** Aborts when the run has ended. */
  readonly over: AbortSignal
  /** Ends the run with this outcome, unless it has ended. What the task still returns is discarded. */
  conclude(outcome: RunOutcome): void
}

/** What a task is called with. */
type Called = Pick<ResultValues, 'id' | 'args' | 'kwargs'>

/** Carries out a run in this process. */
const runInProcess: Executor = async (run) => {
  run.begins()
  try {
    const value = await called(run, run)
    return {
      status: 'SUCCESSFUL',
      returnValue: encodeReturnValue(value, run.row.values.taskName),
    }
  } catch (error) {
    return failed(error, run)
  }
}

/**
 * Carries out a run in a transaction of this process, which commits together with the outcome of its row: what the
 * worker hands in afterwards only confirms a success.
 */
const runInTransaction: Executor = async (run) => {
  const { backend, signal } = run
  let step = 'waits' as 'waits' | 'runs' | 'commits'
  try {
    let returnValue: string | null = null
    await backend.completeInTransaction(async (manager) => {
      signal.throwIfAborted()
      step = 'runs'
      run.begins()
      // A run that ignores its signal must not keep its transaction, and the locks in it.
      returnValue = await inGrace(
        returnValueOf(run, { signal, report: (progress) => run.report(progress), manager }),
        signal,
        () => Promise.reject(signal.reason as Error),
      )
      const outcome = await run.completion(returnValue)
      step = 'commits'
      return outcome
    })
    return { status: 'SUCCESSFUL', returnValue, isStored: true }
  } catch (error) {
    if (step === 'waits' && !signal.aborted && !isHopeless(error)) return notBegun(error)
    const failure = failed(error, run)
    // The task did its part. What became of the commit is not known: a run that it has stored cannot be handed in again.
    return step === 'commits' && backend.isAway(error) ? { ...failure, isCrash: true } : failure
  }
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
  if (!changesPolicy(options)) return policy
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
export function assertYoung(values: ResultValues, { maxAge }: Policy, waitedMs: number): void {
  if (maxAge === null) return
  const due = dueMs(values)
  if (due === null) return
  const age = waitedMs + due
  if (age > maxAge) throw new MaxAgeExceeded(age, maxAge)
}

/** Calls the task of a claimed row; gives what it returns, or a promise of that. Not async: this runs for every task. */
function called({ backend, row: { values, options } }: Run, surroundings: Surroundings): unknown {
  const context = (): TaskContext =>
    new TaskContext(new TaskResult<unknown>(backend, values), surroundings, slotOf(options))
  return calledWith(tasks.get(values.taskName), values, context)
}

/** `context` is made only where the task, or a middleware, takes it. */
function calledWith(task: AnyTask, call: Called, context: () => TaskContext): unknown {
  const run = (inside: () => TaskContext): unknown => task.run(argumentsOf(task, call), inside)
  return isWrapped.run ? runThrough(context, run) : run(context)
}

/** Calls the task of a claimed row; gives its return value as JSON text, null for none. @throws what the task throws. */
async function returnValueOf(run: Run, surroundings: Surroundings): Promise<string | null> {
  return encodeReturnValue(await called(run, surroundings), run.row.values.taskName)
}

/** Calls a task with the arguments that `result` holds; gives its return value as JSON text, null for none. @throws what the task throws. */
export async function callTask(
  task: AnyTask,
  result: TaskResult<unknown>,
  surroundings: Surroundings,
  slot: Slot | null,
): Promise<string | null> {
  return encodeReturnValue(
    await calledWith(task, result, () => new TaskContext(result, surroundings, slot)),
    task.name,
  )
}

/** JavaScript has no keyword arguments: they are passed as one last object. */
function argumentsOf(task: AnyTask, { id, args, kwargs }: Called): unknown[] {
  const names = Object.keys(kwargs)
  if (names.length === 0) return [...args]
  const misplaced = task.positionalAmong(names)
  if (misplaced.length > 0)
    log.warn(
      `Task id=${id} path=${task.name} was enqueued with keyword arguments (${names.join(', ')}), and its function has ${misplaced.join(', ')} as positional parameters: it gets one object in their place. Enqueue it with positional arguments`,
    )
  return [...args, kwargs]
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
