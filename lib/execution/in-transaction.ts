import { inGrace } from './abort'
import { type Executor, type Run, returnValueOf } from './in-process'
import { inFreshContext } from './run-context'
import { isHopeless } from './retry'
import { type RunOutcome, failed, notBegun } from './run-outcome'

/**
 * Carries out a run in a transaction of this process, which commits together with the outcome of its row: what the
 * worker hands in afterwards only confirms a success.
 */
export const runInTransaction: Executor = (run) => inFreshContext(() => carriedOut(run))

async function carriedOut(run: Run): Promise<RunOutcome> {
  const { backend, signal } = run
  let hasBegun = false
  try {
    let returnValue: string | null = null
    await backend.completeInTransaction(async (manager) => {
      signal.throwIfAborted()
      hasBegun = true
      run.begins()
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
    const isTrouble = !hasBegun && !signal.aborted && !isHopeless(error)
    return isTrouble ? notBegun(error) : failed(error, run)
  }
}
