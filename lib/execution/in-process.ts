import type { TaskBackend } from '../backend'
import { TaskContext, type Surroundings } from '../tasks/context'
import { type ErrorRecord, recordOf } from '../errors/error-record'
import { encodeReturnValue } from '../tasks/json'
import { runThrough } from '../middleware'
import { tasks } from '../registry'
import { TaskResult } from '../result'
import { type Progress } from '../record'
import type { Outcome } from '../store'
import type { Task } from '../tasks/task'
import { type Verdict, failed } from './run-outcome'
import { type Terms } from './retry'

/** One claimed row that is to be run, and who hears of it. */
export interface Assignment extends Terms {
  readonly backend: TaskBackend
  /** The task itself begins now: from here on its time counts. */
  begins(): void
  report(progress: Progress): void
  /** What the row shall say of a success; asked for right before the run's own transaction commits it. Throws if it must not. */
  completion(returnValue: string | null): Outcome | Promise<Outcome>
}

/** A way to carry out a run: never throws, whatever the task does. */
export type Way = (assignment: Assignment) => Promise<Verdict>

/** Carries out a run in this process. */
export const runHere: Way = async (assignment) => {
  assignment.begins()
  const {
    backend,
    row: { values },
  } = assignment
  try {
    return successful(
      await called(
        () => tasks.get(values.taskName),
        new TaskResult<unknown>(backend, values),
        assignment,
      ),
    )
  } catch (error) {
    return failed(error, assignment)
  }
}

/** Calls the function of an assignment. */
export function runAssigned(
  { backend, row }: Assignment,
  surroundings: Surroundings,
): Promise<Ending> {
  return runOnce(
    () => tasks.get(row.values.taskName),
    new TaskResult<unknown>(backend, row.values),
    surroundings,
  )
}

/** How one call of a task's function ended. */
export type Ending =
  | Successful
  | {
      readonly status: 'FAILED'
      readonly error: ErrorRecord
      /** What was thrown. */ readonly cause: unknown
    }

interface Successful {
  readonly status: 'SUCCESSFUL'
  /** JSON text; null for none. */
  readonly returnValue: string | null
}

/** Runs a task once, as `result` asks, and says how it went; never throws. */
export async function runOnce(
  find: () => Task<unknown[], unknown>,
  result: TaskResult<unknown>,
  surroundings: Surroundings,
): Promise<Ending> {
  try {
    return successful(await called(find, result, surroundings))
  } catch (error) {
    return { status: 'FAILED', error: recordOf(error), cause: error }
  }
}

function called(
  find: () => Task<unknown[], unknown>,
  result: TaskResult<unknown>,
  surroundings: Surroundings,
): unknown {
  return runThrough(
    () => new TaskContext(result, surroundings),
    (context) => find().run(givenTo(result), context),
  )
}

function successful(value: unknown): Successful {
  return { status: 'SUCCESSFUL', returnValue: encodeReturnValue(value) }
}

/** JavaScript knows no keyword arguments: they arrive as one last object. */
function givenTo({ args, kwargs }: TaskResult<unknown>): unknown[] {
  return Object.keys(kwargs).length === 0 ? [...args] : [...args, kwargs]
}
