import type { TaskKey } from '../../../lib/order'
import { tasks } from '../../../lib/registry'
import type { ClaimedRow } from '../../../lib/store'
import { storedKey, userKey } from '../../keys'
import { type BareJob, KEY_MS } from '../enqueueing/new-job'
import { dataOf } from '../job'
import { bullPriority, type Names } from '../names'

/** A row as a job, and the key that it is to have, if it has one of a kind that is asked in Redis. */
export interface RelayedJob extends BareJob {
  readonly row: ClaimedRow
  readonly taskKey: TaskKey | null
  readonly argsKwargs: string
}

/** `key`: of the row, as the column has it. */
export function relayedJob(names: Names, row: ClaimedRow, key: string | undefined): RelayedJob {
  const { values, options } = row
  const { id, args, kwargs, priority, queueName, taskName, enqueuedAt, runAfter } = values
  const argsKwargs = JSON.stringify({ args, kwargs })
  const data = dataOf(argsKwargs, Object.keys(options).length > 0 ? JSON.stringify(options) : null)
  const timestamp = enqueuedAt?.getTime() ?? Date.now()
  const delay = runAfter ? runAfter.getTime() - timestamp || -1 : 0
  const urgency = bullPriority(priority)
  const taskKey = keyOf(row, key)
  const stored = storedKey(taskKey)
  return {
    id,
    queue: names.queueFor(queueName, priority),
    key: stored,
    row,
    taskKey,
    argsKwargs,
    json: {
      id,
      name: taskName,
      data,
      timestamp,
      opts: {
        attempts: 1,
        ...(delay !== 0 && { delay }),
        ...(urgency > 0 && { priority: urgency }),
        ...(stored !== null && { deduplication: { id: stored, ttl: KEY_MS.others } }),
      },
      ...(stored !== null && { deduplicationId: stored }),
    },
  }
}

/** One of a debounce was free when the row was claimed: its time is over. */
function keyOf({ values, options }: ClaimedRow, key: string | undefined): TaskKey | null {
  const unique = options['uniqueKey']
  if (typeof unique === 'string') return { kind: 'unique', key: unique }
  const throttle = key && storedKey({ kind: 'throttle', key: userKey(key), every: 0 }) === key
  if (!throttle) return null
  // Unknown here: it was asked about when it was enqueued.
  const every = tasks.find(values.taskName)?.throttle?.every ?? 0
  return { kind: 'throttle', key: userKey(key), every }
}
