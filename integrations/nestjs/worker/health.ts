import { Inject, Injectable } from '@nestjs/common'
import type { RunningWorker, WorkerState } from '../../../index'
import { AppWorker } from './app-worker'

/** What `HealthCheckService.check` of @nestjs/terminus takes. */
export type TasksHealth<Key extends string = string> = Record<
  Key,
  { status: 'up' | 'down'; worker: WorkerState | 'none'; workerId?: string }
>

/**
 * For `@nestjs/terminus`: `health.check([() => tasks.isHealthy('tasks')])`. Down when the worker of this process has ended by
 * itself; up where the process has none. Never asks the database.
 */
@Injectable()
export class TasksHealthIndicator {
  readonly #worker: AppWorker

  constructor(@Inject(AppWorker) worker: AppWorker) {
    this.#worker = worker
  }

  /** @param key what the answer calls it. Default `'tasks'`. */
  isHealthy<const Key extends string = 'tasks'>(key?: Key): TasksHealth<Key> {
    const name: string = key ?? 'tasks'
    return { [name]: healthOf(this.#worker.running) } as TasksHealth<Key>
  }
}

function healthOf(worker: RunningWorker | undefined): TasksHealth[string] {
  if (!worker) return { status: 'up', worker: 'none' }
  const { state, workerId } = worker
  const isLive = state === 'running' || state === 'stopping'
  return { status: isLive ? 'up' : 'down', worker: state, workerId }
}
