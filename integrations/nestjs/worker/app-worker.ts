import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common'
import { runningCommand, type RunningWorker, startWorker, type WorkerOptions } from '../../../index'
import { isChildApp } from './child-app'
import { FoundHandlers } from '../handlers/found-handlers'
import { log } from '../log'
import { OpenApp } from '../open-app'
import { TASKS_OPTIONS, type TasksModuleOptions } from '../options'

/** Time in ms that an app has to enable its shutdown hooks, which many do after they listen. */
const HOOKS_MS = 1_000

/** The worker of the app's own process: it starts when all modules have, and has ended before any of them is destroyed. */
@Injectable()
export class AppWorker implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #options: TasksModuleOptions
  readonly #handlers: FoundHandlers
  readonly #app: OpenApp
  #worker: RunningWorker | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(
    @Inject(TASKS_OPTIONS) options: TasksModuleOptions,
    @Inject(FoundHandlers) handlers: FoundHandlers,
    @Inject(OpenApp) app: OpenApp,
  ) {
    this.#options = options
    this.#handlers = handlers
    this.#app = app
  }

  /** Undefined where the app has none. */
  get running(): RunningWorker | undefined {
    return this.#worker
  }

  async onApplicationBootstrap(): Promise<void> {
    const { worker } = this.#options
    this.#app.run()
    // A command has a worker of its own, or needs none; so has the process of an isolated task.
    if (!worker || runningCommand() !== undefined || isChildApp()) return
    const isolated = this.#handlers.isolated()
    if (isolated.length > 0 && !worker.isolation) warnOfIsolated(isolated)
    this.#worker = await this.#started(worker)
    this.#timer = setTimeout(warnOfHooks, HOOKS_MS).unref()
  }

  async onModuleDestroy(): Promise<void> {
    this.#app.startClosing()
    clearTimeout(this.#timer)
    // Why it failed was logged when it did.
    await this.#worker?.stop().catch(() => {})
  }

  /** Nest shuts nothing down of an app that does not start. */
  async #started(options: WorkerOptions): Promise<RunningWorker> {
    try {
      return await startWorker(options)
    } catch (error) {
      await this.#app.onApplicationShutdown()
      throw error
    }
  }
}

function warnOfIsolated(places: readonly string[]): void {
  log.warn(
    `The app has a worker without child processes, and isolated tasks, which fail in it: ${places.join(', ')}. Export \`prepare = childApp(() => AppModule)\` from the file of the module, and add \`isolation: { module: __filename }\` to the worker's options.`,
  )
}

function warnOfHooks(): void {
  if (process.listenerCount('SIGTERM') > 0) return
  log.warn(
    'The app has a worker and does not hear of SIGTERM: running tasks are cut off there, and run again when their leases end. Add app.enableShutdownHooks() to main.ts.',
  )
}
