import { placeOfCall } from '../copies/call-site'
import type { AnyTask } from '../task-type'
import type { Task } from '../tasks/task'
import { schedules } from './registry'
import { Schedule } from './schedule'
import { type ScheduleOptions, scheduleValues } from './schedule-options'

/** Is what it is, and nothing is inferred from it. */
type Fixed<T> = [T][T extends unknown ? 0 : never]

/**
 * Has workers run a task again and again. Every worker of the task's backend computes the slots, and enqueues each: one of them
 * succeeds, so that a slot runs once however many there are.
 *
 * ```ts
 * export const nightly = schedule('reports.nightly', report, {
 *   cron: '30 2 * * *',
 *   timeZone: 'Europe/Berlin',
 *   args: ({ slot }) => [slot.toISOString().slice(0, 10)],
 * })
 * ```
 *
 * @param name dotted, unique in the app, e.g. `'reports.nightly'`; with expression and time zone it is what keys of slots are
 * made of
 * @throws InvalidTaskError naming the option, what was expected and what was found; in the command line also if the name is
 * taken at another place.
 */
export function schedule<Args extends unknown[], Return>(
  name: string,
  task: Task<Args, Return>,
  options: ScheduleOptions<Fixed<Args>>,
): Schedule<Return> {
  const place = placeOfCall(schedule)
  const made = new Schedule<Return>(scheduleValues(name, task as unknown as AnyTask, options))
  schedules.add(made as Schedule<unknown>, place)
  return made
}
