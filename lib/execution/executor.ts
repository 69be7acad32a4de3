import { NotSupportedError } from '../errors/errors'
import { WorkerStops } from '../errors/run-errors'
import { clock } from '../clock'
import { ABORT_GRACE } from './abort'
import { log } from '../events/logger'
import { type Assignment, type Way, runHere } from './in-process'
import type { Task } from '../tasks/task'
import { runInTransaction } from './in-transaction'
import { type Verdict, failed } from './run-outcome'

type AnyTask = Task<unknown[], unknown>

/** A run as its worker sees it, which may be told to stop. */
export interface Run extends Assignment {
  /** Calls this when the run is told to stop, or at once if it was; the latest one alone. */
  whenStopped(tell: (run: Run) => void): void
  /** Aborts when there is a verdict. */
  readonly over: AbortSignal
  /** Ends it by this verdict, unless it has one; what it still comes to is dropped. */
  conclude(verdict: Verdict): void
}

/** How a worker carries out the runs of a task: here, in a transaction, or in a child process. */
export function wayOf(
  task: AnyTask | undefined,
  isolated: Way | null,
): (run: Run) => Promise<Verdict> {
  return task?.isolate ? (isolated ?? refuse) : leftToItself(wayHere(task))
}

/** The same in a process that has been made for it. */
export function wayHere(task: AnyTask | undefined): Way {
  return task?.transactional ? runInTransaction : runHere
}

/** Running it in the worker after all would break what was promised to the tasks beside it. */
const refuse: Way = async (assignment) =>
  failed(
    new NotSupportedError(
      `Task "${assignment.row.values.taskName}" is isolated, and this worker has no child processes to run it in.`,
      'Start the worker with `isolation: { module }`, the file that defines the tasks.',
    ),
    assignment,
  )

/** Nothing ends a function of this process from outside: one that ignores its signal goes on, and what it comes to is dropped. */
function leftToItself(way: Way): (run: Run) => Promise<Verdict> {
  return (run) => {
    run.whenStopped(wait)
    return way(run)
  }
}

function wait(run: Run): void {
  const { over } = run
  void clock.sleep(ABORT_GRACE, over).then(() => over.aborted || giveUp(run))
}

function giveUp(run: Run): void {
  const {
    signal,
    row: { values },
  } = run
  // At a stop the worker itself decides how long it waits.
  if (signal.reason instanceof WorkerStops) return
  log.warn(
    `Task id=${values.id} path=${values.taskName} ignored its signal (${(signal.reason as Error).name}) and is left to itself; what it comes to is dropped`,
  )
  run.conclude(failed(signal.reason, run))
}
