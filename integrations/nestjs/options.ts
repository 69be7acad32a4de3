import type { FactoryProvider, InjectionToken, ModuleMetadata, Type } from '@nestjs/common'
import type { Middleware, TasksSettings, WorkerOptions } from '../../index'
import {
  assertKnown,
  check,
  isRecord,
  type Rule,
  settingsSubject,
} from '../../lib/errors/option-checks'

/** The options of `TasksModule`. */
export interface TasksModuleOptions {
  /**
   * TASKS, as for `configureTasks`. A DatabaseBackend without OPTIONS.dataSource has the app's own `DataSource`, as
   * TypeOrmModule provides it.
   */
  tasks: TasksSettings
  /** The options of a worker in this process, or false for none. Default false. */
  worker?: WorkerOptions | false | undefined
  /** Providers with a method `run` or `enqueue`, the outermost first. */
  middleware?: readonly (Type<Middleware> | InjectionToken<Middleware>)[] | undefined
  /**
   * Whether in HTTP requests errors of unknown ids and refused arguments become those of Nest, 404 and 400, before the app's
   * exception filters see them. Default true.
   */
  httpErrors?: boolean | undefined
}

/** The same, made of what the app provides. */
export interface TasksModuleAsyncOptions {
  imports?: ModuleMetadata['imports']
  inject?: FactoryProvider['inject']
  // oxlint-disable-next-line typescript/no-explicit-any -- a factory takes whatever is injected
  useFactory: (...given: any[]) => TasksModuleOptions | Promise<TasksModuleOptions>
}

export const TASKS_OPTIONS = Symbol('options of TasksModule')

const MODULE = settingsSubject('TasksModule')

const TASKS: Rule = {
  expected: 'TASKS, an object of backends by alias',
  isSound: isRecord,
  hint: 'Write { tasks: { default: { BACKEND: … } } }.',
}
const WORKER: Rule = {
  expected: "a worker's options, or false",
  isSound: (value) => value === undefined || value === false || isRecord(value),
  hint: 'Write { worker: { concurrency: 10 } }.',
}
const MIDDLEWARE: Rule = {
  expected: 'a list of providers',
  isSound: (value) => value === undefined || Array.isArray(value),
  hint: 'Write { middleware: [SomeProvider] }.',
}
const HTTP_ERRORS: Rule = {
  expected: 'true or false',
  isSound: (value) => value === undefined || typeof value === 'boolean',
}
const ASYNC: Rule = {
  expected: 'a function that gives the options',
  isSound: (value) => typeof value === 'function',
  hint: 'Write { inject: [ConfigService], useFactory: (config) => ({ tasks: … }) }.',
}

/** @throws InvalidSettingsError, naming the option. */
export function checkedOptions(options: TasksModuleOptions): TasksModuleOptions {
  assertKnown(MODULE, options, ['tasks', 'worker', 'middleware', 'httpErrors'])
  check(MODULE, 'tasks', options.tasks, TASKS)
  check(MODULE, 'worker', options.worker, WORKER)
  check(MODULE, 'middleware', options.middleware, MIDDLEWARE)
  check(MODULE, 'httpErrors', options.httpErrors, HTTP_ERRORS)
  return options
}

/** @throws InvalidSettingsError, naming the option. */
export function assertAsyncOptions(options: TasksModuleAsyncOptions): void {
  assertKnown(settingsSubject('TasksModule.forRootAsync'), options, [
    'imports',
    'inject',
    'useFactory',
  ])
  check(settingsSubject('TasksModule.forRootAsync'), 'useFactory', options.useFactory, ASYNC)
}
