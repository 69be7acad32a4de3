import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { DataSource } from 'typeorm'
import { DatabaseBackend, setDefaultDataSource } from '../../backends/database'
import { unreachable } from '../../backends/database/connections/database-errors'
import { clock } from '../../lib/clock'
import { log } from '../../lib/events/logger'
import { reaching } from '../../lib/worker/wait-for-database'
import { backends } from '../../lib/backend-registry'
import { configureTasks } from '../../index'
import type { Globals } from '../command'
import { type App, loadApp } from './load-app'
import { loadTaskModules } from './task-modules'

/** Connections that tasks hold on to must not keep the process. */
const CLOSING = 2_000

/**
 * Loads the app with its tasks and its TASKS, opens its DataSources, and closes them after `work`. A database that cannot
 * be reached is tried again for `patience` milliseconds.
 */
export async function withApp<T>(
  globals: Globals,
  work: (app: App) => Promise<T>,
  patience = 0,
): Promise<T> {
  const { app, dataSources } = await loadWholeApp(globals)
  warnOfAnotherCopy(app)
  try {
    await Promise.all(dataSources.map((each) => reaching(() => open(each), patience)))
    return await work(app)
  } finally {
    await closeAll(dataSources)
  }
}

/** The app as it is in a child process of a worker; gives what closes it. The worker has seen to the schema already. */
export async function openBeside(globals: Globals): Promise<() => Promise<void>> {
  const { dataSources } = await loadWholeApp(globals)
  for (const dataSource of dataSources)
    if (!dataSource.isInitialized)
      dataSource.setOptions({ synchronize: false, migrationsRun: false, dropSchema: false })
  await Promise.all(dataSources.map(open))
  return () => closeAll(dataSources)
}

async function loadWholeApp({
  dataSource,
}: Globals): Promise<{ app: App; dataSources: DataSource[] }> {
  const app = await loadApp(dataSource === undefined ? {} : { dataSource })
  setDefaultDataSource(app.dataSource)
  await loadTaskModules(app)
  configure(app)
  return { app, dataSources: await dataSourcesOf(app) }
}

async function closeAll(dataSources: readonly DataSource[]): Promise<void> {
  await Promise.race([Promise.allSettled(dataSources.map(close)), clock.sleep(CLOSING)])
}

/** TASKS, unless the app has called `configureTasks` itself; without either, the app's database with any queue. */
function configure({ tasksSettings, file }: App): void {
  if (backends.isConfigured) return
  if (tasksSettings !== undefined)
    return void configureTasks(tasksSettings as Parameters<typeof configureTasks>[0])
  log.debug(
    `${file} exports no TASKS: "default" is a DatabaseBackend on its DataSource, with any queue`,
  )
  configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [] } })
}

/** The app's own, and those of backends that have another. */
async function dataSourcesOf(app: App): Promise<DataSource[]> {
  const inDatabases = backends.all().filter((backend) => backend instanceof DatabaseBackend)
  const found = await Promise.all(inDatabases.map((backend) => backend.dataSource()))
  return [...new Set([app.dataSource, ...found])]
}

async function open(dataSource: DataSource): Promise<void> {
  try {
    if (!dataSource.isInitialized) await dataSource.initialize()
  } catch (error) {
    // An app may open it by itself, without anybody waiting for that.
    if (!dataSource.isInitialized) throw unreachable(error, dataSource.options.type)
  }
}

async function close(dataSource: DataSource): Promise<void> {
  if (dataSource.isInitialized) await dataSource.destroy()
}

/** Two copies have a registry each: what the app defines with one is unknown to the other. */
function warnOfAnotherCopy({ root }: App): void {
  const theirs = resolvedFrom(root)
  const ours = realpathSync(join(__dirname, '../../index.js'))
  if (theirs !== undefined && theirs !== ours)
    log.warn(
      `This command is of another copy of typeorm-tasks (${ours}) than the app's (${theirs}), so it knows none of its tasks. Run \`npx tasks\` in ${root}.`,
    )
}

function resolvedFrom(root: string): string | undefined {
  try {
    return realpathSync(createRequire(join(root, 'package.json')).resolve('typeorm-tasks'))
  } catch {
    return undefined
  }
}
