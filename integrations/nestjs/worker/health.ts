import { Inject, Injectable } from '@nestjs/common'
import type { RunningWorker, WorkerState } from '../../../index'
import { AppWorker } from './app-worker'

/** What `HealthCheckService.check` of @nestjs/terminus takes. */
export type TasksHealth<Key extends string = string> = Record<Key, TasksHealthResult>

export interface TasksHealthResult {
  status: 'up' | 'down'
  /** `'none'`: this process has no worker. */
  worker: WorkerState | 'none'
  workerId?: string
  /** Sentences that say why it is down. */
  problems?: readonly string[]
}

/**
 * For `@nestjs/terminus`: `health.check([() => tasks.isHealthy('tasks')])`. Up where the process has no worker. Never asks the
 * database.
 */
@Injectable()
export class TasksHealthIndicator {
  readonly #worker: AppWorker

  constructor(@Inject(AppWorker) worker: AppWorker) {
    this.#worker = worker
  }

  /**
   * Down when the loop of the worker does not go on: the process must be started again.
   *
   * @param key what the answer calls it. Default `'tasks'`.
   */
  isHealthy<const Key extends string = 'tasks'>(key?: Key): TasksHealth<Key> {
    return named(key, healthOf(this.#worker.running, 'live'))
  }

  /**
   * Down while the worker takes no tasks: it starts, it stops, or its database is away.
   *
   * @param key what the answer calls it. Default `'tasks'`.
   */
  isReady<const Key extends string = 'tasks'>(key?: Key): TasksHealth<Key> {
    return named(key, healthOf(this.#worker.running, 'ready'))
  }
}

function named<Key extends string>(key: string | undefined, health: TasksHealthResult) {
  return { [key ?? 'tasks']: health } as TasksHealth<Key>
}

function healthOf(worker: RunningWorker | undefined, asked: 'live' | 'ready'): TasksHealthResult {
  if (!worker) return { status: 'up', worker: 'none' }
  const { [asked]: isUp, state, workerId, problems } = worker.health()
  return isUp
    ? { status: 'up', worker: state, workerId }
    : { status: 'down', worker: state, workerId, problems }
}
