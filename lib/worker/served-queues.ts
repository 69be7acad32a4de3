import type { TaskBackend } from '../backend'
import { InvalidSettingsError } from '../errors/errors'
import { didYouMean, shown } from '../errors/suggestions'
import { log } from '../events/logger'
import type { WorkerSettings } from './worker-options'

/** @throws InvalidSettingsError for a queue that TASKS does not have: nothing would ever be in it. */
export function assertServed(
  { queues, excludeQueues }: WorkerSettings,
  backend: TaskBackend,
): void {
  const known = backend.settings.queues
  if (known.length === 0) return
  const wrong = [...(queues ?? []), ...excludeQueues].find((queue) => !known.includes(queue))
  if (wrong !== undefined)
    throw new InvalidSettingsError(
      `Worker: queue ${shown(wrong)} is not in QUEUES of TASKS.${backend.alias} (${known.join(', ')}).`,
      didYouMean(wrong, known) ?? 'Add it there, or choose one of them.',
    )
  const others = queues && known.filter((queue) => !queues.includes(queue))
  if (others && others.length > 0)
    log.info(
      `The queues ${others.join(', ')} of TASKS.${backend.alias} are not served by this worker.`,
    )
}
