import { TasksError } from '../errors/errors'

/** The child process of an isolated task ended before the task did: an exit, a crash, memory that ran out, a kill. */
export class ProcessLost extends TasksError {
  readonly code = 'PROCESS_LOST'
  /** `exit code 1`, `SIGKILL`. */
  readonly how: string

  constructor(how: string, options?: ErrorOptions) {
    super(
      `The process of the task ended before the task did: ${how}.`,
      'Look at what it printed last: process.exit, memory that ran out, a crash in native code, an error that nothing caught, a kill.',
      options,
    )
    this.how = how
  }
}
