import {
  type DynamicModule,
  type FactoryProvider,
  Inject,
  Module,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common'
import { APP_INTERCEPTOR, DiscoveryModule, ModuleRef, ModulesContainer } from '@nestjs/core'
import { configureTasks, InvalidSettingsError, runningCommand, setLogger } from '../../index'
import { AppWorker } from './worker/app-worker'
import { assertDataSources, withDataSource } from './data-source'
import { FoundHandlers } from './handlers/found-handlers'
import { TasksHealthIndicator } from './worker/health'
import { HttpErrors } from './http-errors'
import { log } from './log'
import { OpenApp, OpenAppModule } from './open-app'
import { addMiddleware, assertMiddleware } from './middleware'
import {
  assertAsyncOptions,
  checkedOptions,
  TASKS_OPTIONS,
  type TasksModuleAsyncOptions,
  type TasksModuleOptions,
} from './options'
import { TASK_RUN, taskRunProvider } from './handlers/task-run'
import { injectedTasks, Tasks } from './handlers/tasks'

/** Configures the tasks of an app, finds its handlers, and has its worker start and end with it. Imported once, by the app's module. */
@Module({})
export class TasksModule implements OnModuleInit {
  readonly #options: TasksModuleOptions
  readonly #handlers: FoundHandlers
  readonly #modules: ModuleRef
  readonly #app: OpenApp

  constructor(
    @Inject(TASKS_OPTIONS) options: TasksModuleOptions,
    @Inject(FoundHandlers) handlers: FoundHandlers,
    @Inject(ModuleRef) modules: ModuleRef,
    @Inject(ModulesContainer) container: ModulesContainer,
    @Inject(OpenApp) app: OpenApp,
  ) {
    this.#options = options
    this.#handlers = handlers
    this.#modules = modules
    this.#app = app
    placeOutermost(container)
    app.enter()
    // The lines of a command are its own.
    if (runningCommand() === undefined) setLogger(log)
    configureTasks(withDataSource(options.tasks, modules))
    app.ownsBackends()
    app.onLeave(() => handlers.forget())
    handlers.define()
    app.onLeave(addMiddleware(options.middleware ?? [], modules))
  }

  /** @throws InvalidSettingsError for an option that there is not, or that is not what it must be. */
  static forRoot(options: TasksModuleOptions): DynamicModule {
    return moduleWith({ provide: TASKS_OPTIONS, useValue: checkedOptions(options) })
  }

  /** @throws as `forRoot`, when the app starts. */
  static forRootAsync(options: TasksModuleAsyncOptions): DynamicModule {
    assertAsyncOptions(options)
    const { imports = [], inject = [], useFactory } = options
    const made: FactoryProvider<TasksModuleOptions> = {
      provide: TASKS_OPTIONS,
      inject,
      useFactory: async (...given: unknown[]) => checkedOptions(await useFactory(...given)),
    }
    return moduleWith(made, imports)
  }

  async onModuleInit(): Promise<void> {
    this.#app.assertPresent()
    this.#handlers.define()
    this.#handlers.defineWhenLoaded()
    assertMiddleware(this.#options.middleware ?? [], this.#modules)
    await assertDataSources()
  }
}

function moduleWith(options: Provider, imports: DynamicModule['imports'] = []): DynamicModule {
  return {
    module: TasksModule,
    global: true,
    imports: [DiscoveryModule, OpenAppModule, ...imports],
    // Read when the app is put together: by then all files are loaded, and with them what they inject.
    get providers(): Provider[] {
      return [options, ...OWN, ...injectedTasks()]
    },
    get exports() {
      return [
        Tasks,
        TASK_RUN,
        TasksHealthIndicator,
        ...injectedTasks().map(({ provide }) => provide),
      ]
    },
  }
}

const OWN: readonly Provider[] = [
  Tasks,
  FoundHandlers,
  AppWorker,
  TasksHealthIndicator,
  taskRunProvider,
  { provide: APP_INTERCEPTOR, useClass: HttpErrors },
]

/**
 * Nest calls the hooks of a global module before all others at the start, and after them at the end. A worker must do the
 * opposite: no task may run while what it uses is not there yet, or is closed already.
 *
 * @throws InvalidSettingsError if the module is imported twice.
 */
function placeOutermost(container: ModulesContainer): void {
  const own = [...container.values()].filter(({ metatype }) => metatype === TasksModule)
  if (own.length > 1)
    throw new InvalidSettingsError(
      `TasksModule is imported ${own.length} times${importersIn(container)}.`,
      "Call forRoot or forRootAsync once, in the app's module: what it provides is there in all modules.",
    )
  for (const module of own) module.distance = -1
}

/** As the classes of modules say, since Nest lists a global module with each. */
function importersIn(container: ModulesContainer): string {
  const names = [...container.values()]
    .filter(({ metatype }) => importsOf(metatype).some(isOwn))
    .map(({ name }) => name)
  return names.length === 0 ? '' : `, by ${names.join(' and ')}`
}

function importsOf(metatype: object): unknown[] {
  const metadataOf = Reflect.get(Reflect, 'getMetadata') as (key: string, of: object) => unknown
  return [metadataOf('imports', metatype) ?? []].flat()
}

function isOwn(imported: unknown): boolean {
  return (
    typeof imported === 'object' &&
    imported !== null &&
    Reflect.get(imported, 'module') === TasksModule
  )
}
