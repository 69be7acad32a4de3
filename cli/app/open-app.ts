import type { DataSource } from 'typeorm'
import { DatabaseBackend, setDefaultDataSource } from '../../backends/database'
import { unreachable } from '../../backends/database/connections/database-errors'
import { clock } from '../../lib/clock'
import { briefly } from '../../lib/errors/error-record'
import { log } from '../../lib/events/logger'
import { reaching } from '../../lib/worker/wait-for-database'
import { backends } from '../../lib/backend-registry'
import { tasks } from '../../lib/registry'
import { configureTasks } from '../../index'
import type { Globals } from '../command'
import { during, type Stage } from '../unfinished'
import { listedFileFault } from './listed-files'
import type { App } from './load-app'
import { appOf } from './nest-app'
import { noTasks } from './no-tasks'
import { loadTaskModules } from './task-modules'

/** An app whose tasks are loaded as well. */
export interface LoadedApp extends App {
  /** The files that were loaded because of their names or TASK_MODULES. */
  readonly taskFiles: readonly string[]
}

/** Time in ms to close the DataSources; a task that still holds a connection must not keep the process alive. */
const CLOSE_TIMEOUT_MS = 2_000
/** Time in ms for the app's own `close`, which may wait for requests and connections. */
const CLOSE_APP_MS = 10_000

export interface OpenOptions {
  /** How long to try again, in ms, if a database cannot be reached. Default 0. */
  readonly patienceMs?: number
  /** Throw if the app defines no task. Default false. */
  readonly needsTasks?: boolean
  /** Called after the work, and after the app's own `close`. */
  readonly atEnd?: () => Promise<void>
}

/** Loads the app with its tasks and TASKS, opens its DataSources, calls `work`, and closes them. */
export async function withApp<T>(
  globals: Globals,
  work: (app: LoadedApp) => Promise<T>,
  { patienceMs = 0, needsTasks = false, atEnd }: OpenOptions = {},
): Promise<T> {
  const { app, dataSources } = await loadWholeApp(globals)
  if (needsTasks && tasks.names().length === 0) throw await noTasks(app, app.taskFiles)
  let end: Pick<Stage, 'code' | 'failure'> = {}
  try {
    await Promise.all(dataSources.map((each) => reaching(() => open(each), patienceMs)))
    const result = await work(app)
    end = { code: typeof result === 'number' ? result : 0 }
    return result
  } catch (error) {
    end = { failure: { error } }
    throw error
  } finally {
    await closeAll(app, dataSources, end, atEnd)
  }
}

/** Opens the app in a child process of a worker; returns a function that closes it. Never changes the schema: the worker did that. */
export async function openBeside(globals: Globals): Promise<() => Promise<void>> {
  const { app, dataSources } = await loadWholeApp(globals)
  for (const dataSource of dataSources)
    if (!dataSource.isInitialized)
      dataSource.setOptions({ synchronize: false, migrationsRun: false, dropSchema: false })
  await Promise.all(dataSources.map(open))
  return () => closeAll(app, dataSources, {})
}

async function loadWholeApp(
  globals: Globals,
): Promise<{ app: LoadedApp; dataSources: DataSource[] }> {
  tasks.refuseOthers()
  const app = await appOf(globals)
  setDefaultDataSource(app.dataSource)
  const taskFiles = await loadTaskModules(app)
  configure(app)
  return { app: { ...app, taskFiles }, dataSources: await dataSourcesOf(app) }
}

/** The app first: what it closes may still need the database. */
async function closeAll(
  { file, close: closeApp }: App,
  dataSources: readonly DataSource[],
  end: Pick<Stage, 'code' | 'failure'>,
  atEnd = (): Promise<void> => Promise.resolve(),
): Promise<void> {
  const closing = async (): Promise<void> => {
    await closeApp()
    await atEnd()
  }
  const name = `close() of ${file}`
  const stage = {
    stuck: `${name} never finished.`,
    hint: 'It awaits a promise that is never settled.',
    during: () => `${name} was running`,
    mayLast: true,
    ...end,
  } as const
  await during(stage, async () => {
    const ended = await endsWithin(CLOSE_APP_MS, closing()).catch((error: unknown) =>
      log.error(`${name} has failed: ${briefly(error)}`),
    )
    if (ended === false)
      log.error(
        `${name} has not finished in ${CLOSE_APP_MS / 1000} s: the command ends without it.`,
      )
    await endsWithin(CLOSE_TIMEOUT_MS, Promise.allSettled(dataSources.map(close)))
  })
}

/** False if it takes longer. */
async function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  return Promise.race([work.then(() => true), clock.sleep(ms).then(() => false)])
}

/** Applies TASKS, unless the app called `configureTasks` itself. Without both, uses the app's database with any queue. */
function configure({ tasksSettings, file }: App): void {
  if (backends.isConfigured) return
  if (tasksSettings !== undefined)
    return void configureTasks(tasksSettings as Parameters<typeof configureTasks>[0])
  log.debug(
    `${file} exports no TASKS: "default" is a DatabaseBackend on its DataSource, with any queue`,
  )
  configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [] } })
}

/** The app's DataSource, and those of backends with another one. */
async function dataSourcesOf(app: App): Promise<DataSource[]> {
  const found = await Promise.all(backends.all().map((backend) => backend.dataSource()))
  return [...new Set([app.dataSource, ...found])].filter((each) => each !== undefined)
}

async function open(dataSource: DataSource): Promise<void> {
  try {
    if (!dataSource.isInitialized) await dataSource.initialize()
  } catch (error) {
    // The app may be opening it at the same time; then our attempt fails but the DataSource is open.
    if (!dataSource.isInitialized)
      throw (
        (await listedFileFault(error, dataSource.options)) ??
        unreachable(error, dataSource.options.type)
      )
  }
}

async function close(dataSource: DataSource): Promise<void> {
  if (dataSource.isInitialized) await dataSource.destroy()
}
