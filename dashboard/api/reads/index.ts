import { dashed } from '../../../entities/formats'
import { UsageError } from '../../../index'
import { Refused } from '../../security/access'
import type { Asked, Reading } from '../asked'
import { brief, ID, isId } from '../query'
import { historyRoute } from './history'
import { overviewRoute } from './overview'
import { schedulesRoute } from './schedules'
import { taskRoute, tasksRoute } from './tasks'
import { workersRoute } from './workers'

const ROUTES: Readonly<Record<string, (asked: Asked) => Reading>> = {
  overview: overviewRoute,
  tasks: tasksRoute,
  history: historyRoute,
  workers: workersRoute,
  schedules: schedulesRoute,
}

/**
 * What a path of the API gives, once it is read.
 *
 * @throws Refused if there is no such path, or for want of a permission; UsageError for its parameters.
 */
export function readingOf([route = '', id, ...others]: readonly string[], asked: Asked): Reading {
  const isOne = route === 'tasks' && id !== undefined
  if (others.length > 0 || (id !== undefined && !isOne) || !Object.hasOwn(ROUTES, route))
    throw new Refused({ status: 404, message: 'Not found' })
  if (!isOne) return (ROUTES[route] ?? overviewRoute)(asked)
  if (!isId(id)) throw new UsageError(`${brief(id)} is no id.`, `Expected is ${ID.expected}.`)
  return taskRoute(asked, dashed(id))
}
