import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { DataSource } from 'typeorm'
import { isDataSource } from '../../entities/database-family'
import { backends } from '../../lib/backend-registry'
import { loadFault } from '../../lib/errors/error-record'
import { LoadError, TasksError, UsageError } from '../../lib/errors/errors'
import { isRecord } from '../../lib/errors/option-checks'
import { didYouMean, shown } from '../../lib/errors/suggestions'
import type { Globals } from '../command'
import { isWanted } from '../output'
import { installTypeScript, isFile, isTypeScript } from '../typescript/require-hook'
import { during, type Stage } from '../unfinished'
import { type App, exportsOf, loadApp, moduleSystemOf } from './load-app'
import { isElsewhere } from './exports'
import { loadFile, packageAbove } from './load-file'

/** What is used of an application context. */
interface Context {
  get(token: unknown, options: { strict: boolean }): unknown
  close(): Promise<void>
}

interface Logger {
  error(message: unknown, ...rest: unknown[]): void
  setLogLevels(levels: readonly string[]): void
}

interface Nest {
  readonly NestFactory: {
    createApplicationContext(module: unknown, options: object): Promise<Context>
  }
  readonly ConsoleLogger: new () => Logger
}

/** What needs a look; the lines by which Nest tells how it puts an app together do not. */
const QUIET = ['warn', 'error', 'fatal']
const ALL = ['log', ...QUIET, 'debug', 'verbose']
const USUAL = 'AppModule'

/** The user's app: that of a data source file, or that of a module of Nest. @throws LoadError */
export async function appOf({ dataSource, nest }: Globals): Promise<App> {
  if (nest === undefined) return loadApp(dataSource === undefined ? {} : { dataSource })
  if (dataSource !== undefined)
    throw new UsageError(
      'argument --nest: not valid with --data-source.',
      'Leave one of them out: an app of Nest has its data source from its own modules.',
    )
  return nestApp(nest)
}

/** Makes an application context of the module, which has no server, and starts no worker of its own. */
async function nestApp(given: string): Promise<App> {
  const [path = '', wanted] = given.split('#')
  const file = fileAt(path)
  if (isTypeScript(file)) installTypeScript(file)
  const loaded = await loadFile(file)
  const { name, module } = moduleIn(file, exportsOf(loaded), wanted)
  const nest = {
    ...(await loadNest('@nestjs/common', file)),
    ...(await loadNest('@nestjs/core', file)),
  }
  const context = await during(starting(name), () => contextOf(nest, module, `${name} of ${file}`))
  return {
    file,
    root: packageAbove(file).root,
    dataSource: await dataSourceOf(context, file, `${name} of ${file}`),
    language: isTypeScript(file) ? 'ts' : 'js',
    modules: moduleSystemOf(file, loaded),
    nestModule: name,
    tasksSettings: undefined,
    // Its own modules import what defines its tasks.
    taskModules: [],
    close: () => context.close(),
  }
}

function fileAt(path: string): string {
  const endings = ['', '.ts', '.js', '.mts', '.cts', '.mjs', '.cjs']
  const found = endings.map((ending) => resolve(path + ending)).find(isFile)
  if (found !== undefined) return realpathSync(found)
  throw new LoadError(
    `argument --nest: the file ${resolve(path)} does not exist.`,
    `Give the file of the app's module, and its export: --nest dist/app.module.js#${USUAL}${/\.[mc]?js$/.test(path) ? '; compile the app first' : ''}.`,
  )
}

function moduleIn(
  file: string,
  exported: Record<string, unknown>,
  wanted = USUAL,
): { name: string; module: unknown } {
  const module = exported[wanted]
  // A dynamic module is an object, and may be a promise.
  if (typeof module === 'function' || isRecord(module)) return { name: wanted, module }
  const names = Object.keys(exported)
  if (names.includes(wanted))
    throw new LoadError(
      `argument --nest: the export ${wanted} of ${file} is no module of Nest, got ${shown(module)}.`,
      `Name the class that has @Module: --nest ${file}#${USUAL}.`,
    )
  throw new LoadError(
    `argument --nest: ${file} does not export a module ${wanted}; ${names.length === 0 ? 'it exports nothing' : `its exports are: ${names.join(', ')}`}.`,
    didYouMean(wanted, names) ?? `Name the module: --nest ${file}#${names[0] ?? USUAL}.`,
  )
}

/** The app's own Nest. */
async function loadNest(name: string, file: string): Promise<Nest> {
  try {
    return (await loadFile(createRequire(pathToFileURL(file)).resolve(name))) as Nest
  } catch (cause) {
    throw new LoadError(
      `argument --nest: ${name} cannot be loaded from ${file}: ${loadFault(cause)}.`,
      'Install it beside the app.',
      { cause },
    )
  }
}

async function contextOf(nest: Nest, module: unknown, what: string): Promise<Context> {
  const logger = loggerOf(nest)
  logger.setLogLevels(isWanted(2) ? ALL : QUIET)
  try {
    const options = { logger, abortOnError: false }
    const context = await nest.NestFactory.createApplicationContext(module, options)
    logger.setLogLevels(isWanted(1) ? ALL : QUIET)
    return context
  } catch (cause) {
    if (cause instanceof TasksError) throw cause
    throw new LoadError(
      `${what} does not start: ${loadFault(cause)}.`,
      'Fix the error there; -v 3 shows the stack trace.',
      { cause },
    )
  }
}

/** Without the error by which the app does not start: that is the command's own. */
function loggerOf({ ConsoleLogger }: Nest): Logger {
  const logger = new ConsoleLogger()
  const error = logger.error.bind(logger)
  logger.error = (message, ...rest) =>
    rest.at(-1) === 'ExceptionHandler' ? undefined : error(message, ...rest)
  return logger
}

/** That of its tasks; else the one that it provides, for an app whose tasks are elsewhere. */
async function dataSourceOf(
  context: Context,
  file: string,
  what: string,
): Promise<DataSource | undefined> {
  if (!backends.isConfigured)
    throw new LoadError(
      `${what} configures no tasks.`,
      'Import TasksModule.forRoot({ tasks: … }) of "typeorm-tasks/nestjs" in it.',
    )
  const ofBackends = await Promise.all(backends.all().map((backend) => backend.dataSource()))
  const found = ofBackends.find((each) => each !== undefined) ?? provided(context, file)
  if (isDataSource(found)) return found
  if (isElsewhere(undefined)) return undefined
  throw new LoadError(
    `${what} has no DataSource: none of its TASKS is in a database, and it provides none.`,
    'Use DatabaseBackend in TASKS, or import TypeOrmModule.forRoot({ … }).',
  )
}

function provided(context: Context, file: string): unknown {
  try {
    const { DataSource: token } = createRequire(pathToFileURL(file))('typeorm') as Record<
      string,
      unknown
    >
    return context.get(token, { strict: false })
  } catch {
    return undefined
  }
}

function starting(name: string): Stage {
  return {
    stuck: `${name} never finished starting.`,
    hint: 'A provider of it, or onModuleInit, awaits a promise that is never settled.',
    during: () => `${name} was starting`,
  }
}
