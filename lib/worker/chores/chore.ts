import type { Wakeup } from '../../store'

/** Work of a worker beside its loop, which knows no chore by name. `start-worker` makes the list. */
export interface Chore {
  /** Goes on until `signal` aborts, which is when the worker holds no rows any more; never rejects, whatever the database does. */
  run(signal: AbortSignal): Promise<void>
  /** What the store hears before it is asked. Absent: it is nothing to this chore. */
  hear?(wakeup: Wakeup): void
  /** What is under way that may make rows due: a batch does not end before. It never rejects. Absent: nothing. */
  readonly busy?: Promise<void> | undefined
}
