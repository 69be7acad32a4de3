import type { TaskBackend } from './backend'
import { clock } from './clock'
import type { Surroundings } from './context'
import type { TaskResult } from './result'
import { ABORT_GRACE, type Verdict, failed, runOnce } from './run'
import type { Outcome } from './store'
import type { Task } from './task'

/**
 * As `runOnce`, in a transaction that commits together with `completion`, what the row shall say of a run that succeeded.
 * A success is stored then: what is handed in again afterwards only confirms it.
 */
export async function runInTransaction(
  backend: TaskBackend,
  find: () => Task<unknown[], unknown>,
  result: TaskResult<unknown>,
  surroundings: Surroundings,
  completion: (returnValue: string | null) => Outcome,
): Promise<Verdict> {
  try {
    let returnValue: string | null = null
    await backend.completeInTransaction(async (manager) => {
      surroundings.signal.throwIfAborted()
      const verdict = await inGrace(runOnce(find, result, { ...surroundings, manager }), surroundings.signal)
      if (verdict.status === 'FAILED') throw verdict.cause
      returnValue = verdict.returnValue
      return completion(returnValue)
    })
    return { status: 'SUCCESSFUL', returnValue, isStored: true }
  } catch (error) {
    return failed(error)
  }
}

/** A run that ignores its signal must not keep its transaction, and what that has locked. */
async function inGrace<T>(run: Promise<T>, signal: AbortSignal): Promise<T> {
  const done = new AbortController()
  const over = new Promise<never>((_, reject) => {
    const giveUp = (): void => void clock.sleep(ABORT_GRACE, done.signal).then(() => reject(signal.reason))
    signal.addEventListener('abort', giveUp, { once: true, signal: done.signal })
  })
  return Promise.race([run, over]).finally(() => done.abort())
}
