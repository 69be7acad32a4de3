import type { TaskBackend } from './backend'
import { onePerProcess } from './copies/one-per-process'
import { InvalidBackendError } from './errors/errors'
import { didYouMean } from './errors/suggestions'

class BackendRegistry {
  #byAlias: Map<string, TaskBackend> | undefined
  #fallback: (() => Map<string, TaskBackend>) | undefined
  #replace: (backend: TaskBackend) => TaskBackend = (backend) => backend

  /** What holds as long as nothing is configured. The first one stays: it knows whether it has warned. */
  setFallback(make: () => Map<string, TaskBackend>): void {
    this.#fallback ??= make
  }

  configure(byAlias: Map<string, TaskBackend> | undefined): void {
    this.#byAlias = byAlias
  }

  /**
   * From now on whoever asks for a backend of TASKS gets what `replace` gives for it, also where TASKS is configured later; without
   * an argument the backend itself again. For tests.
   */
  substitute(replace: (backend: TaskBackend) => TaskBackend = (backend) => backend): void {
    this.#replace = replace
  }

  /** What `configure` was called with, to put it back. */
  get configured(): Map<string, TaskBackend> | undefined {
    return this.#byAlias
  }

  get isConfigured(): boolean {
    return this.#byAlias !== undefined
  }

  /** @throws InvalidBackendError for an alias that TASKS does not have. */
  get(alias: string): TaskBackend {
    const backend = this.#all().get(alias)
    if (!backend) throw unknownAlias(alias, [...this.#all().keys()])
    return this.#replace(backend)
  }

  all(): TaskBackend[] {
    return [...this.#all().values()].map((backend) => this.#replace(backend))
  }

  #all(): Map<string, TaskBackend> {
    return this.#byAlias ?? this.#fallback?.() ?? new Map<string, TaskBackend>()
  }
}

/** Every backend of TASKS, by alias. */
export const backends = onePerProcess('backends', () => new BackendRegistry())

/** Every backend of TASKS. @throws what its constructor throws */
export function allBackends(): readonly TaskBackend[] {
  return backends.all()
}

function unknownAlias(alias: string, known: string[]): InvalidBackendError {
  return new InvalidBackendError(
    `TASKS has no backend "${alias}"; it has ${known.length === 0 ? 'none' : known.map((name) => `"${name}"`).join(', ')}.`,
    didYouMean(alias, known) ?? (alias === 'default' ? withoutDefault(known) : ADD_IT),
  )
}

const ADD_IT = 'Add it to configureTasks({ … }).'

/** Somebody who meant another backend did not write the alias: it is the one that holds where none is named. */
function withoutDefault([other]: string[]): string {
  const add =
    "configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } }, … })"
  if (other === undefined) return `Add it: ${add}.`
  return `It holds for tasks and commands that name no backend: name one (of a task by { backend: '${other}' }, of a command by --backend ${other}), or add it: ${add}.`
}
