import { TaskContext, type Surroundings } from './context'
import { type ErrorRecord, recordOf } from './failure'
import { encodeReturnValue } from './json'
import type { TaskResult } from './result'
import type { Task } from './task'

/** A run that was told to stop has this long to end by itself; then it is left to itself, and what it comes to is dropped. */
export const ABORT_GRACE = 1_000

/** How one run went. */
export type Verdict =
  | { readonly status: 'SUCCESSFUL'; readonly returnValue: string | null; /** The row says so already. */ readonly isStored?: true }
  | { readonly status: 'FAILED'; readonly error: ErrorRecord; /** What was thrown. */ readonly cause: unknown }

/** Runs a task once, as `result` asks, and says how it went; never throws. */
export async function runOnce(find: () => Task<unknown[], unknown>, result: TaskResult<unknown>, surroundings: Surroundings): Promise<Verdict> {
  try {
    const value = await find().run(givenTo(result), () => new TaskContext(result, surroundings))
    return { status: 'SUCCESSFUL', returnValue: encodeReturnValue(value) }
  } catch (error) {
    return failed(error)
  }
}

export function failed(error: unknown): Verdict & { status: 'FAILED' } {
  return { status: 'FAILED', error: recordOf(error), cause: error }
}

/** JavaScript knows no keyword arguments: they arrive as one last object. */
function givenTo({ args, kwargs }: TaskResult<unknown>): unknown[] {
  return Object.keys(kwargs).length === 0 ? [...args] : [...args, kwargs]
}
