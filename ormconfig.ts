// A data source for trying the command line in this repository:
//   npm run build && node dist/cli/index.js enqueue dev.add '[1, 2]' && node dist/cli/index.js db_worker --batch
// DATABASE_URL=postgres://… or mariadb://… in the environment selects another database instead of SQLite.
import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { configureTasks, DBTaskResult, task } from 'typeorm-tasks'

export const dataSource = new DataSource({
  ...database(process.env['DATABASE_URL']),
  entities: [DBTaskResult],
  synchronize: true,
})

export const TASKS = configureTasks({
  default: {
    BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
    QUEUES: [],
    OPTIONS: { dataSource },
  },
})

/** The tasks are in this file. */
export const TASK_MODULES: string[] = []

export const add = task('dev.add', (a: number, b: number) => a + b)

export const fail = task('dev.fail', (reason: string): void => {
  throw new Error(reason)
})

export const slow = task(
  'dev.slow',
  async (context, seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      context.reportProgress(second, seconds)
      await sleep(1000, undefined, { signal: context.signal })
    }
  },
  { takesContext: true },
)

function database(url: string | undefined): DataSourceOptions {
  if (url === undefined) return { type: 'better-sqlite3', database: 'dev.sqlite', enableWAL: true }
  return url.startsWith('postgres') ? { type: 'postgres', url } : { type: 'mariadb', url }
}
