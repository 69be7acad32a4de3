import type { TaskBackend } from '../backend'
import { TaskContext, type Surroundings } from '../tasks/context'
import { encodeReturnValue } from '../tasks/json'
import { log } from '../events/logger'
import { isWrapped, runThrough } from '../middleware'
import { tasks } from '../registry'
import { TaskResult } from '../result'
import type { Progress, ResultValues } from '../record'
import type { Outcome } from '../store'
import type { Task } from '../tasks/task'
import { inFreshContext } from './run-context'
import { type RunOutcome, failed } from './run-outcome'
import { type Terms } from './retry'

/** One run of a claimed row, as an executor sees it. */
export interface Run extends Terms {
  readonly backend: TaskBackend
  /** The task's own code starts now: its time limit counts from here. */
  begins(): void
  report(progress: Progress): void
  /** The outcome to store with the run's own transaction, asked for right before its commit. @throws if it must not commit. */
  completion(returnValue: string | null): Outcome | Promise<Outcome>
}

/** What a task is called with. */
type Called = Pick<ResultValues, 'id' | 'args' | 'kwargs'>

/** Carries out a run. Never throws, whatever the task does. */
export type Executor = (run: Run) => Promise<RunOutcome>

/** Carries out a run in this process. */
export const runInProcess: Executor = (run) => inFreshContext(() => carriedOut(run))

async function carriedOut(run: Run): Promise<RunOutcome> {
  run.begins()
  try {
    return { status: 'SUCCESSFUL', returnValue: encodeReturnValue(await called(run, run)) }
  } catch (error) {
    return failed(error, run)
  }
}

/** Calls the task of a claimed row; gives what it returns, or a promise of that. Not async: this runs for every task. */
function called({ backend, row: { values } }: Run, surroundings: Surroundings): unknown {
  const context = (): TaskContext =>
    new TaskContext(new TaskResult<unknown>(backend, values), surroundings)
  return calledWith(tasks.get(values.taskName), values, context)
}

/** `context` is made only where the task, or a middleware, takes it. */
function calledWith(
  task: Task<unknown[], unknown>,
  call: Called,
  context: () => TaskContext,
): unknown {
  const run = (inside: () => TaskContext): unknown => task.run(argumentsOf(task, call), inside)
  return isWrapped.run ? runThrough(context, run) : run(context)
}

/** Calls the task of a claimed row; gives its return value as JSON text, null for none. @throws what the task throws. */
export async function returnValueOf(run: Run, surroundings: Surroundings): Promise<string | null> {
  return encodeReturnValue(await called(run, surroundings))
}

/** Calls a task with the arguments that `result` holds; gives its return value as JSON text, null for none. @throws what the task throws. */
export async function callTask(
  task: Task<unknown[], unknown>,
  result: TaskResult<unknown>,
  surroundings: Surroundings,
): Promise<string | null> {
  return encodeReturnValue(
    await calledWith(task, result, () => new TaskContext(result, surroundings)),
  )
}

/** JavaScript has no keyword arguments: they are passed as one last object. */
function argumentsOf(task: Task<unknown[], unknown>, { id, args, kwargs }: Called): unknown[] {
  const names = Object.keys(kwargs)
  if (names.length === 0) return [...args]
  const misplaced = task.positionalAmong(names)
  if (misplaced.length > 0)
    log.warn(
      `Task id=${id} path=${task.name} was enqueued with keyword arguments (${names.join(', ')}), and its function has ${misplaced.join(', ')} as positional parameters: it gets one object in their place. Enqueue it with positional arguments`,
    )
  return [...args, kwargs]
}
