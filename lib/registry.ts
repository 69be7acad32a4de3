import type { TaskBackend } from './backend'
import {
  InvalidBackendError,
  InvalidTaskError,
  TaskNotFoundError,
  didYouMean,
} from './errors/errors'
import type { Task } from './tasks/task'

type AnyTask = Task<unknown[], unknown>

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

class BackendRegistry {
  #byAlias: Map<string, TaskBackend> | undefined
  #fallback: (() => Map<string, TaskBackend>) | undefined

  /** What holds as long as nothing is configured. */
  setFallback(make: () => Map<string, TaskBackend>): void {
    this.#fallback = make
  }

  configure(byAlias: Map<string, TaskBackend> | undefined): void {
    this.#byAlias = byAlias
  }

  get isConfigured(): boolean {
    return this.#byAlias !== undefined
  }

  /** @throws InvalidBackendError for an alias that TASKS does not have. */
  get(alias: string): TaskBackend {
    const backend = this.#all().get(alias)
    if (!backend) throw unknownAlias(alias, [...this.#all().keys()])
    return backend
  }

  all(): TaskBackend[] {
    return [...this.#all().values()]
  }

  #all(): Map<string, TaskBackend> {
    return this.#byAlias ?? this.#fallback?.() ?? new Map<string, TaskBackend>()
  }
}

/** Every task this process can run, by name. */
export const tasks = new TaskRegistry()

/** Every backend of TASKS, by alias. */
export const backends = new BackendRegistry()

function unknownAlias(alias: string, known: string[]): InvalidBackendError {
  return new InvalidBackendError(
    `TASKS has no backend "${alias}"; it has ${known.length === 0 ? 'none' : known.map((name) => `"${name}"`).join(', ')}.`,
    didYouMean(alias, known) ?? 'Add it to configureTasks({ … }).',
  )
}

function shownPlace({ file, line }: Place): string {
  return `${file}:${line}`
}
