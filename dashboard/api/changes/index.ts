import type { ChangeRoute } from './change'
import { queueChange } from './queues'
import { scheduleChange } from './schedules'
import { taskChange } from './tasks'

export type { Changing } from './change'

/** What a path of the API changes; undefined: it is no change. */
export function changeAt([room, name = '', change, ...others]: readonly string[]):
  ChangeRoute | undefined {
  if (others.length > 0) return undefined
  if (change === undefined) return room === 'tasks' ? taskChange(name) : undefined
  if (room === 'queues') return queueChange(name, change)
  return room === 'schedules' ? scheduleChange(name, change) : undefined
}
