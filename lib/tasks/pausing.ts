import { backends } from '../backend-registry'
import type { Pause, PauseOptions } from '../browser'

export interface QueueOptions {
  /** The alias in TASKS of the backend whose queue it is. Default `'default'`. */
  readonly backend?: string | undefined
}

/**
 * Has workers leave a queue alone, within two seconds: what runs goes on, and what is enqueued waits. Pausing it again replaces
 * reason and end. Part of the transaction that an enqueue would join.
 *
 * @throws InvalidSettingsError for a queue that is not in QUEUES, or wrong options; NotSupportedError where the backend keeps no
 * pauses, as without the entity DBTaskQueue.
 */
export async function pauseQueue(
  name: string,
  { backend, ...options }: PauseOptions & QueueOptions = {},
): Promise<Pause> {
  return backends.get(backend ?? 'default').pauseQueue(name, options)
}

/** Ends a pause. Resolves to false if the queue was not paused. @throws as `pauseQueue`. */
export async function resumeQueue(
  name: string,
  { backend = 'default' }: QueueOptions = {},
): Promise<boolean> {
  return backends.get(backend).resumeQueue(name)
}

/** The queues that are paused at present, by name. @throws NotSupportedError where the backend keeps no pauses. */
export async function pausedQueues({ backend = 'default' }: QueueOptions = {}): Promise<
  readonly Pause[]
> {
  return backends.get(backend).pausedQueues()
}
