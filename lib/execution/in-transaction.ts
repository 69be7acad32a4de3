import { inGrace } from './abort'
import { type Way, runAssigned } from './in-process'
import { failed } from './run-outcome'

/**
 * Carries out a run in a transaction of this process, which commits together with the completion of its row: what the
 * worker hands in afterwards only confirms a success.
 */
export const runInTransaction: Way = async (assignment) => {
  const { backend, signal } = assignment
  assignment.begins()
  try {
    let returnValue: string | null = null
    await backend.completeInTransaction(async (manager) => {
      signal.throwIfAborted()
      // A run that ignores its signal must not keep its transaction, and what that has locked.
      const ending = await inGrace(
        runAssigned(assignment, {
          signal,
          report: (progress) => assignment.report(progress),
          manager,
        }),
        signal,
        () => Promise.reject(signal.reason as Error),
      )
      if (ending.status === 'FAILED') throw ending.cause
      returnValue = ending.returnValue
      return assignment.completion(returnValue)
    })
    return { status: 'SUCCESSFUL', returnValue, isStored: true }
  } catch (error) {
    return failed(error, assignment)
  }
}
