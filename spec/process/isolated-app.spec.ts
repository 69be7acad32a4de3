import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { typeormEnv } from '../support/typeorm'
import { appOf, installed } from '../support/temp-app'

const BIN = join(__dirname, '../../dist/cli/index.js')
const compiler: Record<string, string> = installed('typescript-5')
  ? { typescript: 'typescript-5' }
  : { '@swc/core': '@swc/core' }

const DATA_SOURCE = `
  import 'reflect-metadata'
  import { DataSource } from 'typeorm'
  import { configureTasks, DBTaskResult } from 'typeorm-tasks'
  const role = () => (process.send ? 'child' : 'worker')
  class Observed extends DataSource {
    override async initialize(): Promise<this> {
      console.log(role() + ' opens, synchronize: ' + this.options.synchronize)
      return super.initialize()
    }
    override async destroy(): Promise<void> {
      console.log(role() + ' closes')
      return super.destroy()
    }
  }
  export const dataSource = new Observed({ type: 'better-sqlite3', database: 'app.sqlite', enableWAL: true, synchronize: true, entities: [DBTaskResult] })
  export const TASKS = configureTasks({ default: { BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend', OPTIONS: { dataSource } } })`

const TASKS = `
  import { task } from 'typeorm-tasks'
  task('app.apart', (said: string): string => {
    console.log(said)
    console.error(said)
    throw new TypeError(said)
  }, { isolate: true })`

it('child processes of a worker load the app as the worker does, close it in the end, and print where it prints', async () => {
  const root = appOf(
    { 'src/db.ts': DATA_SOURCE, 'src/app.tasks.ts': TASKS },
    { 'typeorm-tasks': '..', 'better-sqlite3': 'better-sqlite3', ...compiler },
  )
  const tasks = (...args: string[]) =>
    promisify(execFile)(process.execPath, [BIN, ...args, '-d', 'src/db.ts', '-v0'], {
      cwd: root,
      env: typeormEnv(),
    })
  await tasks('enqueue', 'app.apart', '["in print"]')

  const { stdout, stderr } = await tasks('db_worker', '--batch', '--no-startup-delay')

  expect(stdout.trim().split('\n')).toEqual([
    'worker opens, synchronize: true',
    'child opens, synchronize: false',
    'in print',
    'child closes',
    'worker closes',
  ])
  expect(stderr).toBe('in print\n')
  const rows = JSON.parse(
    (await tasks('results', '--json')).stdout.replace(/^worker.*\n?/gm, ''),
  ) as [{ status: string; traceback: string }]
  expect(rows).toMatchObject([{ status: 'FAILED', exceptionClassPath: 'TypeError', claims: 1 }])
  expect(rows[0].traceback).toContain('src/app.tasks.ts:6:')
})
