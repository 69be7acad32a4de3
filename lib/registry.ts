import { difference, type Place } from './copies/call-site'
import { onePerProcess } from './copies/one-per-process'
import { InvalidTaskError, TaskNotFoundError } from './errors/errors'
import type { AnyTask } from './task-type'

class TaskRegistry {
  readonly #known = new Map<string, { task: AnyTask; place: Place }>()
  #refusesOthers = false
  #hasReloaded = false

  /**
   * From now on a second task of one name is refused, unless it is defined at the very same place. For the command line,
   * which evaluates each file of the app once. Elsewhere bundlers and hot reload evaluate one file several times, also after
   * it was changed or as part of other chunks.
   */
  refuseOthers(refusesOthers = true): void {
    this.#refusesOthers = refusesOthers
  }

  /** Whether it does. */
  get refusesOthers(): boolean {
    return this.#refusesOthers
  }

  /** A file of the app was evaluated again, or another one defines the same. */
  noteReload(): void {
    this.#hasReloaded = true
  }

  /**
   * Whether a development server reloads edited files. One whose tasks do not fit TASKS must not throw while it is
   * evaluated: TASKS may be in a file that is edited with it and evaluated after it, or have been evaluated before it, and no
   * later edit would mend that. Enqueues are judged all the same.
   */
  get isReloading(): boolean {
    const isDevelopment = process.env['NODE_ENV'] === 'development'
    return this.#hasReloaded && isDevelopment && !this.#refusesOthers
  }

  /** A later definition replaces an earlier one; handles of the earlier one stay usable. */
  add(task: AnyTask, place: Place): void {
    const earlier = this.#known.get(task.name)
    const both = this.#refusesOthers && earlier ? difference(earlier.place, place) : undefined
    if (both)
      throw new InvalidTaskError(
        `Two tasks are named "${task.name}": ${both[0]} and ${both[1]}.`,
        'Rename one of them.',
      )
    this.#known.set(task.name, { task, place })
  }

  find(name: string): AnyTask | undefined {
    return this.#known.get(name)?.task
  }

  /** @throws TaskNotFoundError with the nearest known name. */
  get(name: string): AnyTask {
    const task = this.find(name)
    if (!task) throw new TaskNotFoundError(name, this.names())
    return task
  }

  names(): string[] {
    return [...this.#known.keys()]
  }

  all(): AnyTask[] {
    return [...this.#known.values()].map(({ task }) => task)
  }

  /** Forgets a task, whose app has ended while its process goes on; not one that has taken its name since. */
  forget(task: AnyTask): void {
    if (this.find(task.name) === task) this.#known.delete(task.name)
  }

  /** Forgets every task; for specs. */
  clear(): void {
    this.#known.clear()
  }
}

/** Every task this process can run, by name. */
export const tasks = onePerProcess('tasks', () => new TaskRegistry())
