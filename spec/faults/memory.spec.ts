import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSourceOptions } from 'typeorm'
import { cliApp, type CliApp } from '../support/cli-app'
import { describeEachDatabase } from '../support/databases'
import type { DatabaseName } from '../support/servers/wanted'
import { say, setting } from './kit/setting'
import { until } from './kit/until'

/** In short, each driver is tried with some, and the worker itself on SQLite, which is the quickest. */
const tasksOn = (name: DatabaseName): number => setting('TASKS', name === 'sqlite' ? 20_000 : 5_000)
const PATIENCE = 60_000 + tasksOn('sqlite') * 5
/** So many wait at a time: a backlog of a million would be another test. */
const BACKLOG = 5_000
const MEGABYTE = 1024 * 1024

const TASKS_FILE = `
  const { task } = require('typeorm-tasks')
  require('node:v8').setFlagsFromString('--expose-gc')
  const gc = require('node:vm').runInNewContext('gc')
  task('app.nothing', () => {})
  task('app.measure', async () => {
    for (let i = 0; i < 4; i++, await new Promise((wake) => setTimeout(wake, 100))) gc()
    return { heap: process.memoryUsage().heapUsed, handles: process.getActiveResourcesInfo().toSorted() }
  })`

interface Measure {
  readonly heap: number
  readonly handles: readonly string[]
}

describeEachDatabase(({ name, fresh }) => {
  const howMany = tasksOn(name)

  it(
    `F68 a worker that has run ${howMany} tasks holds no more memory and no more handles than after the first thousand`,
    async () => {
      const app = await cliApp({
        database: (await fresh()) as DataSourceOptions,
        files: { 'tasks.js': TASKS_FILE },
      })
      const worker = app.start('db_worker', '-v', '0', '--no-startup-delay', '--interval', '0.2')
      await run(app, 1_000)
      const before = await measure(app)

      await run(app, howMany)

      const after = await measure(app)
      const grown = (after.heap - before.heap) / MEGABYTE
      say(
        `${name}: after ${howMany} tasks the heap is ${(after.heap / MEGABYTE).toFixed(1)} MB, ${grown.toFixed(1)} MB more than at the start; ${before.handles.length} handles before, ${after.handles.length} after`,
      )
      worker.kill('SIGTERM')
      expect(await worker.exited).toEqual({ code: 0, signal: null })
      expect(grown).toBeLessThan(20)
      expect(kept(after)).toEqual(kept(before))
      // A timer more or less is a matter of the moment; what leaks has one for many tasks.
      expect(after.handles.length).toBeLessThan(before.handles.length + 5)
      expect(worker.log).not.toMatch(/Warning/)
    },
    PATIENCE,
  )
})

/** Without what the worker's loop has for a moment. */
function kept({ handles }: Measure): string[] {
  return handles.filter((name) => name !== 'Timeout' && name !== 'Immediate')
}

async function run(app: CliApp, howMany: number): Promise<void> {
  for (let made = 0; made < howMany; made += 1_000) {
    await app.enqueue(
      'app.nothing',
      Array.from({ length: 1_000 }, () => []),
    )
    await until(
      async () => (await waiting(app)) < BACKLOG,
      PATIENCE,
      () => 'the worker to run tasks',
    )
  }
  await until(
    async () => (await waiting(app)) === 0,
    PATIENCE,
    () => 'the worker to run all tasks',
  )
}

async function waiting(app: CliApp): Promise<number> {
  const [record] = (await app.dataSource.query(
    "SELECT COUNT(*) AS n FROM db_task_result WHERE status IN ('READY', 'RUNNING')",
  )) as { n: string }[]
  return Number(record?.n)
}

/** What the worker holds when it runs nothing but this. */
async function measure(app: CliApp): Promise<Measure> {
  await sleep(500)
  const [id] = await app.enqueue('app.measure')
  await until(
    async () => (await waiting(app)) === 0,
    30_000,
    () => 'the measure',
  )
  return (await app.row(id!)).returnValue as unknown as Measure
}
