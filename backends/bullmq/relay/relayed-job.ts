import { isRecord } from '../../../lib/errors/option-checks'
import type { TaskKey } from '../../../lib/order'
import type { ClaimedRow } from '../../../lib/store'
import { storedKey } from '../../keys'
import { type BareJob, KEY_MS } from '../enqueueing/new-job'
import { dataOf } from '../job'
import { bullPriority, type Names } from '../names'

/** A row as a job, and the key that it is to have, if it has one of a kind that is asked in Redis. */
export interface RelayedJob extends BareJob {
  readonly row: ClaimedRow
  readonly taskKey: TaskKey | null
  readonly argsKwargs: string
}

export function relayedJob(names: Names, row: ClaimedRow): RelayedJob {
  const { values, options } = row
  const { id, args, kwargs, priority, queueName, taskName, enqueuedAt, runAfter } = values
  const argsKwargs = JSON.stringify({ args, kwargs })
  const data = dataOf(argsKwargs, Object.keys(options).length > 0 ? JSON.stringify(options) : null)
  const timestamp = enqueuedAt?.getTime() ?? Date.now()
  const delay = runAfter ? runAfter.getTime() - timestamp || -1 : 0
  const urgency = bullPriority(priority)
  const taskKey = keyOf(options)
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
function keyOf({ uniqueKey, throttle }: ClaimedRow['options']): TaskKey | null {
  if (typeof uniqueKey === 'string') return { kind: 'unique', key: uniqueKey }
  const { key, every } = isRecord(throttle) ? throttle : {}
  if (typeof key !== 'string' || typeof every !== 'number') return null
  return { kind: 'throttle', key, every }
}
