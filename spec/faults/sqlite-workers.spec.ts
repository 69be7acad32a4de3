import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions, In } from 'typeorm'
import { configureTasks, DBTaskResult, remoteTask } from 'typeorm-tasks'
import { describeEachDatabase } from '../support/databases'
import { appOf } from '../support/temp-app'
import { setting } from './kit/setting'
import { WorkerProcess } from './kit/worker-process'

// FAULT_TASKS=3000 npx jest --selectProjects faults --testPathPatterns sqlite-workers
const TASKS = setting('TASKS', 3_000)
const WORKERS = ['w1', 'w2', 'w3', 'w4']
const PRIORITIES = [0, 1, 2, 3, 4]
/** Milliseconds: a lease of 30 s, should a row belong to nobody, and what tasks take on a slow machine. */
const PATIENCE = 60_000 + TASKS * 40

const portable = join(__dirname, 'kit/portable-dialect.cjs')

describeEachDatabase(
  ({ fresh }) => {
    it.each([
      ['WAL', true, {}],
      ['the default journal', false, {}],
      ['WAL and the portable dialect', true, { preload: portable }],
      ['the default journal and the portable dialect', false, { preload: portable }],
    ])(
      'F45 four workers on one file, with %s, run each task once',
      async (_, enableWAL, wish) => {
        const options = { ...(await fresh()), enableWAL } as DataSourceOptions
        const dataSource = new DataSource({
          ...options,
          entities: [DBTaskResult],
          synchronize: true,
        })
        await dataSource.initialize()
        configureTasks({ default: { BACKEND, OPTIONS: { dataSource } } })
        const root = appWith(options)
        const workers = WORKERS.map((name) => new WorkerProcess(root, name, [], wish))
        try {
          await Promise.all(workers.map((worker) => worker.says('Starting worker')))
          const calls = Array.from({ length: TASKS / PRIORITIES.length }, () => [5])
          for (const priority of PRIORITIES)
            await remoteTask<[number]>('soak.sleep')
              .using({ priority, rerunAfterCrash: false })
              .enqueueMany(calls as [number][])
          await allEnd(dataSource)
          const codes = await Promise.all(workers.map((worker) => worker.stop()))

          const rows = await dataSource.getRepository(DBTaskResult).find()
          const ends = rows.map(
            ({ status, claims, exceptionClassPath }) => `${status} ${claims} ${exceptionClassPath}`,
          )
          expect(ends.filter((end) => end !== 'SUCCESSFUL 1 ')).toEqual([])
          expect(runsOf(root)).toBe(TASKS)
          expect(codes.map(({ code }) => code)).toEqual([0, 0, 0, 0])
        } finally {
          await Promise.all(workers.map((worker) => worker.destroy()))
          await dataSource.destroy()
        }
      },
      2 * PATIENCE,
    )
  },
  { only: ['sqlite'] },
)

const BACKEND = 'typeorm-tasks/backends/database#DatabaseBackend'

/** Its tasks leave the file to the workers. */
function appWith(options: DataSourceOptions): string {
  return appOf(
    {
      'package.json': '{ "name": "soak" }',
      'ormconfig.js': `
        const { DataSource } = require('typeorm')
        const { DBTaskResult } = require('typeorm-tasks')
        exports.dataSource = new DataSource({ ...${JSON.stringify(options)}, entities: [DBTaskResult] })
        exports.TASKS = { default: { BACKEND: '${BACKEND}' } }`,
      'tasks.js': `
        const { appendFileSync } = require('node:fs')
        const { task } = require('typeorm-tasks')
        task('soak.sleep', (ms) => {
          appendFileSync(require('node:path').join(__dirname, 'runs'), '.')
          return new Promise((wake) => setTimeout(wake, ms))
        })`,
    },
    { 'typeorm-tasks': '..' },
  )
}

function runsOf(root: string): number {
  const file = join(root, 'runs')
  return existsSync(file) ? readFileSync(file).length : 0
}

/** Looks seldom, and briefly: without WAL whoever reads the file keeps its writers waiting. */
async function allEnd(dataSource: DataSource): Promise<void> {
  const open = (): Promise<number> =>
    dataSource.getRepository(DBTaskResult).countBy({ status: In(['READY', 'RUNNING']) })
  for (const end = performance.now() + PATIENCE; (await open()) > 0; await sleep(300))
    if (performance.now() > end) throw new Error(`${await open()} tasks have not ended.`)
}
