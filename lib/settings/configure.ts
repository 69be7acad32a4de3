import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type BackendSettings, TaskBackend } from '../backend'
import { InvalidBackendError } from '../errors/errors'
import { didYouMean } from '../errors/suggestions'
import {
  QUEUE_NAME,
  type Rule,
  check,
  isRecord,
  settingsSubject,
  unexpected,
} from '../errors/option-checks'
import { tasks } from '../registry'
import { backends } from '../backend-registry'
import type { BackendPath, KnownKeys } from './known-keys'
import { validateShape } from './validation'
import { IsArray, IsObject, IsOptional } from './class-validator'

export type BackendClass = new (alias: string, settings: BackendSettings) => TaskBackend

/** One entry of TASKS; the keys are Django's. */
export interface BackendConfig {
  /** A backend class, or `'module#Export'`, resolved from the app's root. */
  BACKEND: BackendClass | BackendPath
  /** The queues tasks may be put in. Default `['default']`; `[]`: any. */
  QUEUES?: readonly string[] | undefined
  /** What the backend itself understands. */
  OPTIONS?: object | undefined
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

const SETTINGS: Rule = {
  expected: 'an object of backends by alias',
  isSound: isRecord,
  hint: 'Write { default: { BACKEND: … } }.',
}
const EXAMPLE = "Use e.g. 'typeorm-tasks/backends/database#DatabaseBackend'."
const BACKEND_CLASS = { expected: "a backend class or 'module#Export'", hint: EXAMPLE }

const builtIn = new Map<string, () => BackendClass>()

/** Makes a backend of this library known under its published path, so that it is never loaded a second time. */
export function registerBackend(path: string, load: () => BackendClass): void {
  builtIn.set(path, load)
}

/**
 * Sets the backends tasks go to, as Django's `TASKS` setting does, and gives the settings back. Unknown keys do not compile;
 * those in OPTIONS of other backends than this library's are theirs to check.
 *
 * @throws InvalidSettingsError naming the path (`TASKS.default.QUEUES[1]`), what was expected and what was found.
 * @throws InvalidBackendError for a BACKEND that cannot be imported.
 * @throws InvalidTaskError if a task that is already defined does not fit.
 */
export function configureTasks<Settings extends TasksSettings>(
  settings: Settings & KnownKeys<Settings>,
): Settings {
  check(settingsSubject('TASKS'), '', settings, SETTINGS)
  const configured = new Map(
    Object.entries(settings).map(([alias, config]) => [alias, makeBackend(alias, config)]),
  )
  for (const backend of configured.values()) backend.join(configured)
  if (backends.isConfigured) tasks.noteReload()
  if (!tasks.isReloading)
    for (const task of tasks.all()) configured.get(task.backend)?.validate(task)
  const earlier = backends.configured?.values() ?? []
  backends.configure(configured)
  for (const backend of earlier) backend.retire()
  return settings
}

function makeBackend(alias: string, config: unknown): TaskBackend {
  const path = `TASKS.${alias}`
  check(settingsSubject(`${path} (the alias is stored in each row)`), '', alias, QUEUE_NAME)
  const { BACKEND, QUEUES, OPTIONS } = validateShape(BackendConfigShape, config, path, ['BACKEND'])
  const queues = QUEUES ?? ['default']
  for (const [i, queue] of queues.entries())
    check(settingsSubject(`${path}.QUEUES[${i}]`), '', queue, QUEUE_NAME)
  const Backend = resolveBackend(BACKEND, path)
  return new Backend(alias, { queues: queues as string[], options: OPTIONS ?? {} })
}

function resolveBackend(wanted: unknown, path: string): BackendClass {
  if (typeof wanted === 'string') return importBackend(wanted, path)
  if (isBackendClass(wanted)) return wanted
  throw unexpected(settingsSubject(`${path}.BACKEND`), '', BACKEND_CLASS, wanted)
}

function importBackend(wanted: string, path: string): BackendClass {
  const known = builtIn.get(wanted)?.()
  if (known) return known
  const [module = '', name = ''] = wanted.split('#')
  const found = importFromApp(module, name, wanted, path)
  if (isBackendClass(found)) return found
  throw new InvalidBackendError(
    `${path}.BACKEND: "${wanted}" is ${found === undefined ? 'not exported' : 'no backend class'}.`,
    meantBuiltIn(wanted) ??
      `Export a class that extends TaskBackend as "${name}" from "${module}".`,
  )
}

function importFromApp(module: string, name: string, wanted: string, path: string): unknown {
  if (module === '' || name === '')
    throw new InvalidBackendError(
      `${path}.BACKEND: "${wanted}" is not of the form 'module#Export'.`,
      meantBuiltIn(wanted) ?? EXAMPLE,
    )
  try {
    return (createRequire(join(appRoot(), 'package.json'))(module) as Record<string, unknown>)[name]
  } catch (cause) {
    throw new InvalidBackendError(
      `${path}.BACKEND: "${module}" could not be imported: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}.`,
      meantBuiltIn(wanted) ??
        'Check the path; a relative one starts at the folder of package.json.',
      { cause },
    )
  }
}

/** For a path of this library that is mistyped, or of which a part is missing: the whole of it, or its class alone. */
function meantBuiltIn(wanted: string): string | undefined {
  if (/^[./]/.test(wanted)) return undefined
  const known = [...builtIn.keys()]
  const [, name = wanted] = wanted.split('#')
  const isPart = (path: string): boolean =>
    path.split('#').some((part) => part === wanted || part === name)
  const whole = known.find(isPart)
  return whole === undefined ? didYouMean(wanted, known) : `Did you mean "${whole}"?`
}

/** The folder of the nearest package.json from the current folder upwards. */
export function appRoot(folder = process.cwd()): string {
  if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return folder
  return appRoot(dirname(folder))
}

function isBackendClass(value: unknown): value is BackendClass {
  return typeof value === 'function' && value.prototype instanceof TaskBackend
}
