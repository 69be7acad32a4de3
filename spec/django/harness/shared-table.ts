import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DataSource } from 'typeorm'
import { configureTasks, dbTaskResultSchema } from 'typeorm-tasks'
import { DatabaseBackend } from 'typeorm-tasks/backends/database'
import { Running } from '../../support/cli-app'
import { appOf } from '../../support/temp-app'
import { DJANGO_TABLE } from '../../support/django-ddl'
import { describeEachDatabase, type FreshOptions, type SpecDatabase } from '../../support/databases'
import { Django } from './django'
import { isDjangoUnpacked } from './django-folder'

/** A table that a real Django and an app of ours work on; the spec itself is a third process, with our library. */
export interface SharedTable {
  readonly django: Django
  readonly dataSource: DataSource
  /** Starts `tasks …` in the folder of our app. */
  tasks(...args: string[]): Running
  /** Runs `tasks …` to its end, which must be a success, and gives what it printed. */
  run(...args: string[]): Promise<string>
  /** The runs of the task `shared.tasks.logged` so far, in order, each as "side tag". */
  runs(): string[]
}

/** Runs the specs in `body` on each database beside a real Django; they are skipped where Django is not unpacked. */
export function describeBesideDjango(
  body: (shared: () => SharedTable, database: SpecDatabase) => void,
): void {
  const run = isDjangoUnpacked() ? describe : describe.skip
  run('beside a real Django', () => {
    describeEachDatabase((database) => {
      let table: SharedTable & { close(): Promise<void> }
      beforeAll(async () => {
        table = await sharedTable(await database.fresh())
      }, 120_000)
      afterAll(() => table?.close())
      body(() => table, database)
    })
  })
}

/** Django migrates first, then our app, by the commands that the documentation names. */
async function sharedTable(
  options: FreshOptions,
): Promise<SharedTable & { close(): Promise<void> }> {
  const root = appOf(
    {
      'tasks.js': readFileSync(join(__dirname, 'app-tasks.js'), 'utf8'),
      'ormconfig.js': ormconfig(options),
    },
    { 'typeorm-tasks': '..' },
  )
  const runLog = join(root, 'runs.log')
  const django = new Django(options, runLog)
  await django.manage('migrate', '--verbosity', '0')
  const tasks = (...args: string[]): Running => new Running(root, args, { SHARED_RUN_LOG: runLog })
  await succeeding(tasks('makemigrations'))
  await promisify(execFile)(
    process.execPath,
    [require.resolve('typeorm/cli.js'), 'migration:run', '-d', 'ormconfig.js'],
    { cwd: root },
  )

  const dataSource = await new DataSource({
    ...options,
    entities: [dbTaskResultSchema({ tableName: DJANGO_TABLE, managed: false })],
  }).initialize()
  configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
  return {
    django,
    dataSource,
    tasks,
    run: (...args) => succeeding(tasks(...args)),
    runs: () =>
      readFileSync(runLog, { encoding: 'utf8', flag: 'a+' })
        .split('\n')
        .filter((line) => line !== ''),
    close: async () => {
      await django.close()
      await dataSource.destroy()
    },
  }
}

function ormconfig(options: FreshOptions): string {
  return `
    const { DataSource } = require('typeorm')
    const { dbTaskResultSchema } = require('typeorm-tasks')
    exports.dataSource = new DataSource({
      ...${JSON.stringify(options)},
      entities: [dbTaskResultSchema({ tableName: '${DJANGO_TABLE}', managed: false })],
      migrations: ['migrations/*.js'],
    })
    exports.TASKS = { default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', QUEUES: [] } }`
}

async function succeeding(running: Running): Promise<string> {
  const { code } = await running.exited
  await running.closed
  if (code !== 0) throw new Error(`tasks ended with ${code}:\n${running.log}`)
  return running.log
}
