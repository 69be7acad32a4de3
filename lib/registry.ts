import { InvalidTaskError, TaskNotFoundError } from './errors/errors'
import type { AnyTask } from './task-type'

/** Where a task was defined: file and line. */
export interface Place {
  readonly file: string
  readonly line: string
}

class TaskRegistry {
  readonly #known = new Map<string, { task: AnyTask; place: Place }>()

  /** A second definition from the same file replaces the first, so that hot reload works. */
  add(task: AnyTask, place: Place): void {
    const earlier = this.#known.get(task.name)
    if (earlier && earlier.place.file !== place.file)
      throw new InvalidTaskError(
        `Two tasks are named "${task.name}": ${shownPlace(earlier.place)} and ${shownPlace(place)}.`,
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

  /** Forgets every task; for specs. */
  clear(): void {
    this.#known.clear()
  }
}

/** Every task this process can run, by name. */
export const tasks = new TaskRegistry()

function shownPlace({ file, line }: Place): string {
  return `${file}:${line}`
}
