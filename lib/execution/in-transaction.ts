import { inGrace } from './abort'
import { type Executor, returnValueOf } from './in-process'
import { failed } from './run-outcome'

/**
 * Carries out a run in a transaction of this process, which commits together with the outcome of its row: what the
 * worker hands in afterwards only confirms a success.
 */
export const runInTransaction: Executor = async (run) => {
  const { backend, signal } = run
  run.begins()
  try {
    let returnValue: string | null = null
    await backend.completeInTransaction(async (manager) => {
      signal.throwIfAborted()
      // A run that ignores its signal must not keep its transaction, and the locks in it.
      returnValue = await inGrace(
        returnValueOf(run, { signal, report: (progress) => run.report(progress), manager }),
        signal,
        () => Promise.reject(signal.reason as Error),
      )
      return run.completion(returnValue)
    })
    return { status: 'SUCCESSFUL', returnValue, isStored: true }
  } catch (error) {
    return failed(error, run)
  }
}
