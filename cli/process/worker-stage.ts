import { oneLine } from '../../lib/errors/foreign-text'
import type { OpenWorker } from '../../lib/worker/start-worker'
import type { Stage } from '../unfinished'

/** Running tasks that are named when the process is ended under them. */
const MOST_NAMED = 20

/** A task that calls process.exit() ends all tasks of the worker. */
export function runningOf({ running }: OpenWorker): Stage {
  return {
    stuck: 'The worker has not finished, and there is nothing left to wait for.',
    hint: 'Run it again with -v 3, and report what it prints.',
    during: () => {
      const runs = running().map(({ id, taskName }) => `${oneLine(taskName)} (${id})`)
      const more = runs.length > MOST_NAMED ? `, and ${runs.length - MOST_NAMED} more` : ''
      return runs.length === 0
        ? 'the worker was at work'
        : `these tasks ran: ${runs.slice(0, MOST_NAMED).join(', ')}${more}; other workers take them over when their leases end`
    },
    mayLast: true,
  }
}
