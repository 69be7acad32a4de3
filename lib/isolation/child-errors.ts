import { keepNames } from '../errors/keep-names'
import { LoadError } from '../errors/errors'
import type { ErrorRecord } from '../errors/error-record'
import type { ProcessLost } from '../errors/run-errors'

/** The task's own code was not called: its process ended, or could not load the app at present. The cause says how. */
export class SetUpTrouble extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}

/** How a process ended. `after`: the error, or the message, that led to it. */
export function howItEnded(
  code: number | null,
  signal: NodeJS.Signals | null,
  after: string | undefined,
): string {
  const how = signal === null ? `exit code ${code}` : signal
  return after === undefined ? how : `${how}, after ${after}`
}

/** How a task that has not begun learns of the end of its process while that loads the app. */
export function lostAtLoading(lost: ProcessLost, code: number | null): Error {
  // Ended from outside, as by a system that is out of memory, or not started at all. An exit is the app's own doing.
  return code === null ? new SetUpTrouble(lost) : lost
}

export function tooLate(module: string, ms: number): LoadError {
  return new LoadError(
    `The child process has not loaded ${module} within ${ms / 1000} s.`,
    'Does it wait for something that never comes? It must start no worker and no server.',
  )
}

export function notLoaded(module: string, error: ErrorRecord): LoadError {
  return new LoadError(
    `The child process could not load ${module}: ${error.traceback.trimEnd()}`,
    '',
  )
}

keepNames({ SetUpTrouble })
