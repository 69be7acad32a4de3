import { NotSupportedError, WorkerStops } from './errors'
import { clock, OVER } from './clock'
import { ABORT_GRACE } from './grace'
import { log } from './log'
import { type Assignment, type Way, runHere } from './run'
import type { Task } from './task'
import { runInTransaction } from './transactional'
import { type Verdict, failed } from './verdict'

type AnyTask = Task<unknown[], unknown>

/** How a worker carries out the runs of a task: here, in a transaction, or in a child process. */
export function wayOf(task: AnyTask | undefined, isolated: Way | null): Way {
  return task?.isolate ? (isolated ?? refuse) : leftToItself(wayHere(task))
}

/** The same in a process that has been made for it. */
export function wayHere(task: AnyTask | undefined): Way {
  return task?.transactional ? runInTransaction : runHere
}

/** Running it in the worker after all would break what was promised to the tasks beside it. */
const refuse: Way = async (assignment) =>
  failed(new NotSupportedError(`Task "${assignment.row.values.taskName}" is isolated, and this worker has no child processes to run it in.`, 'Start the worker with `isolation: { module }`, the file that defines the tasks.'), assignment)

/** Nothing ends a function of this process from outside: one that ignores its signal goes on, and what it comes to is dropped. */
function leftToItself(way: Way): Way {
  return (assignment) =>
    new Promise((resolve) => {
      let patience: AbortController | undefined
      const run = way(assignment)
      assignment.whenStopped(() => {
        const { signal } = (patience ??= new AbortController())
        void clock.sleep(ABORT_GRACE, signal).then(() => signal.aborted || resolve(givenUp(assignment, run)))
      })
      void run.then((verdict) => {
        patience?.abort(OVER)
        resolve(verdict)
      })
    })
}

function givenUp(assignment: Assignment, run: Promise<Verdict>): Verdict | Promise<Verdict> {
  const { signal, row: { values } } = assignment
  // At a stop the worker itself decides how long it waits.
  if (signal.reason instanceof WorkerStops) return run
  log.warn(`Task id=${values.id} path=${values.taskName} ignored its signal (${(signal.reason as Error).name}) and is left to itself; what it comes to is dropped`)
  return failed(signal.reason, assignment)
}
