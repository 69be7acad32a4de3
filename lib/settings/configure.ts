import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type BackendSettings, TaskBackend } from '../backend'
import { InvalidBackendError, InvalidSettingsError, TasksError } from '../errors/errors'
import { shown } from '../errors/suggestions'
import { tasks } from '../registry'
import { backends } from '../backend-registry'
import { validateShape } from './validation'
import { assertQueueName } from '../tasks/task-options'
import { IsArray, IsObject, IsOptional } from '../tasks/class-validator'

export type BackendClass = new (alias: string, settings: BackendSettings) => TaskBackend

/** One entry of TASKS; the keys are Django's. */
export interface BackendConfig {
  /** A backend class, or `'module#Export'`, resolved from the app's root. */
  BACKEND: BackendClass | string
  /** The queues tasks may be put in. Default `['default']`; `[]`: any. */
  QUEUES?: readonly string[]
  /** What the backend itself understands. */
  OPTIONS?: object
}

export type TasksSettings = Readonly<Record<string, BackendConfig>>

class BackendConfigShape {
  BACKEND!: unknown

  @IsOptional()
  @IsArray({ message: 'a list of queue names' })
  QUEUES?: unknown[]

  @IsOptional()
  @IsObject({ message: 'an object' })
  OPTIONS?: Record<string, unknown>
}

const builtIn = new Map<string, () => BackendClass>()

/** Makes a backend of this library known under its published path, so that it is never loaded a second time. */
export function registerBackend(path: string, load: () => BackendClass): void {
  builtIn.set(path, load)
}

/**
 * Sets the backends tasks go to, as Django's `TASKS` setting does, and gives the settings back.
 *
 * @throws InvalidSettingsError naming the path (`TASKS.default.QUEUES[1]`), what was expected and what was found.
 * @throws InvalidBackendError for a BACKEND that cannot be imported.
 * @throws InvalidTaskError if a task that is already defined does not fit.
 */
export function configureTasks<Settings extends TasksSettings>(settings: Settings): Settings {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings))
    throw new InvalidSettingsError(
      `TASKS: expected an object of backends by alias, got ${shown(settings)}.`,
      'Write { default: { BACKEND: … } }.',
    )
  const configured = new Map(
    Object.entries(settings).map(([alias, config]) => [alias, makeBackend(alias, config)]),
  )
  for (const task of tasks.all()) configured.get(task.backend)?.validate(task)
  backends.configure(configured)
  return settings
}

function makeBackend(alias: string, config: unknown): TaskBackend {
  const path = `TASKS.${alias}`
  assertAlias(alias, path)
  const { BACKEND, QUEUES, OPTIONS } = validateShape(BackendConfigShape, config, path, ['BACKEND'])
  const queues = QUEUES ?? ['default']
  queues.forEach((queue, i) => settle(() => assertQueueName(queue, `${path}.QUEUES[${i}]`)))
  const Backend = resolveBackend(BACKEND, path)
  return new Backend(alias, { queues: queues as string[], options: OPTIONS ?? {} })
}

function assertAlias(alias: string, path: string): void {
  settle(() => assertQueueName(alias, `${path} (the alias is stored in each row)`))
}

/** A queue's name is judged the same everywhere, but here the fault lies in the settings. */
function settle(judge: () => void): void {
  try {
    judge()
  } catch (error) {
    throw error instanceof TasksError
      ? new InvalidSettingsError(error.message.slice(0, -error.mend.length).trim(), error.mend)
      : error
  }
}

function resolveBackend(wanted: unknown, path: string): BackendClass {
  if (typeof wanted === 'string') return importBackend(wanted, path)
  if (isBackendClass(wanted)) return wanted
  throw new InvalidSettingsError(
    `${path}.BACKEND: expected a backend class or 'module#Export', got ${shown(wanted)}.`,
    "Use e.g. 'typeorm-tasks/backends/database#DatabaseBackend'.",
  )
}

function importBackend(wanted: string, path: string): BackendClass {
  const known = builtIn.get(wanted)?.()
  if (known) return known
  const [module = '', name = ''] = wanted.split('#')
  const found = importFromApp(module, name, wanted, path)
  if (isBackendClass(found)) return found
  throw new InvalidBackendError(
    `${path}.BACKEND: "${wanted}" is ${found === undefined ? 'not exported' : 'no backend class'}.`,
    `Export a class that extends TaskBackend as "${name}" from "${module}".`,
  )
}

function importFromApp(module: string, name: string, wanted: string, path: string): unknown {
  if (module === '' || name === '')
    throw new InvalidBackendError(
      `${path}.BACKEND: "${wanted}" is not of the form 'module#Export'.`,
      "Use e.g. 'typeorm-tasks/backends/database#DatabaseBackend'.",
    )
  try {
    return (createRequire(join(appRoot(), 'package.json'))(module) as Record<string, unknown>)[name]
  } catch (cause) {
    throw new InvalidBackendError(
      `${path}.BACKEND: "${module}" could not be imported: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}.`,
      'Check the path; a relative one starts at the folder of package.json.',
      { cause },
    )
  }
}

function appRoot(folder = process.cwd()): string {
  if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return folder
  return appRoot(dirname(folder))
}

function isBackendClass(value: unknown): value is BackendClass {
  return typeof value === 'function' && value.prototype instanceof TaskBackend
}
