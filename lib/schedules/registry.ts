import { backends } from '../backend-registry'
import { difference, type Place } from '../copies/call-site'
import { onePerProcess } from '../copies/one-per-process'
import { InvalidTaskError } from '../errors/errors'
import { tasks } from '../registry'
import type { AnySchedule } from './schedule'

class ScheduleRegistry {
  readonly #known = new Map<string, { schedule: AnySchedule; place: Place }>()

  /** A later definition replaces an earlier one; the command line refuses one of another place, as of tasks. */
  add(schedule: AnySchedule, place: Place): void {
    const { name } = schedule
    const earlier = this.#known.get(name)
    const both = tasks.refusesOthers && earlier ? difference(earlier.place, place) : undefined
    if (both)
      throw new InvalidTaskError(
        `Two schedules are named "${name}": ${both[0]} and ${both[1]}.`,
        'Rename one of them.',
      )
    this.#known.set(name, { schedule, place })
  }

  find(name: string): AnySchedule | undefined {
    return this.#known.get(name)?.schedule
  }

  /** In the order of their names. */
  all(): AnySchedule[] {
    return [...this.#known.values()]
      .map(({ schedule }) => schedule)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Those that workers of a backend fire. */
  firedBy(alias: string): AnySchedule[] {
    const others = new Map(backends.all().map((backend) => [backend.alias, backend]))
    const firing = ({ name, task }: AnySchedule): string =>
      others.get(task.backend)?.firedBy(name) ?? task.backend
    return this.all().filter((schedule) => schedule.enabled && firing(schedule) === alias)
  }

  /** Forgets a schedule, whose app has ended while its process goes on; not one that has taken its name since. */
  forget(schedule: AnySchedule): void {
    if (this.find(schedule.name) === schedule) this.#known.delete(schedule.name)
  }

  /** Forgets every schedule; for specs. */
  clear(): void {
    this.#known.clear()
  }
}

/** Every schedule that is defined in this process, by name. */
export const schedules = onePerProcess('schedules', () => new ScheduleRegistry())
