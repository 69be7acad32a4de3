import { ABORT_GRACE_MS } from '../execution/abort'
import type { Run } from '../execution/executor'
import type { RunOutcome } from '../execution/run-outcome'
import { tasks } from '../registry'
import type { Outcome } from '../store'
import type { RunStep } from './ipc-messages'

/** Time in ms that a transactional run has after its signal aborted: the child itself gives it up and rolls back first. */
const ROLLBACK_GRACE_MS = 3 * ABORT_GRACE_MS

/** The run that goes on in the process. */
export interface Current {
  readonly id: string
  readonly run: Run
  readonly end: (outcome: RunOutcome) => void
  readonly fail: (error: Error) => void
  step: RunStep
}

export function graceOf({ row: { values } }: Run): number {
  return tasks.find(values.taskName)?.transactional ? ROLLBACK_GRACE_MS : ABORT_GRACE_MS
}

export function hasBegun(step: RunStep): boolean {
  return step !== 'sent' && step !== 'taken'
}

export function begin(current: Current, step: 'taken' | 'began'): void {
  current.step = step
  if (step === 'began') current.run.begins()
}

/** What the run may commit; null: nothing. */
export async function completion(
  current: Current,
  returnValue: string | null,
): Promise<Outcome | null> {
  try {
    const outcome = await current.run.completion(returnValue)
    current.step = 'completing'
    return outcome
  } catch {
    return null
  }
}
