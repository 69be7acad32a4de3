import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, startWorker } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { setClock } from '#clock'
import { randomWorkerId } from '#worker-id'
import { cliApp, TASKS_FILE } from '../support/cli-app'
import { databases } from '../support/databases'
import { ManualClock } from '../support/manual-clock'
import { add, catchLog } from '../support/tasks'
import { typeormVersion } from '../support/typeorm'

let dataSource: DataSource

beforeAll(async () => {
  dataSource = await databases()[0]!.connect({ entities: [DBTaskResult], synchronize: true })
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
})
beforeEach(() => void catchLog())
afterEach(async () => await dataSource.getRepository(DBTaskResult).clear())

it('random worker ids have 32 letters and digits, and do not repeat', () => {
  const ids = Array.from({ length: 1000 }, randomWorkerId)

  expect(new Set(ids).size).toBe(1000)
  expect(ids.filter((id) => !/^[A-Za-z0-9]{32}$/.test(id))).toEqual([])
})

describe('at its start', () => {
  let clock: ManualClock
  beforeEach(() => {
    clock = ManualClock.install()
    jest.spyOn(Math, 'random').mockReturnValue(0.75)
  })
  afterEach(() => {
    setClock()
    jest.restoreAllMocks()
  })

  it('a worker waits for a random part of startupDelay', async () => {
    const result = await add.enqueue(1)
    const { finished } = await startWorker({ startupDelay: 1_000, batch: true })

    await clock.advance(749)
    expect((await result.refresh()).status).toBe('READY')
    await clock.advance(1)

    await finished
    expect((await result.refresh()).status).toBe('SUCCESSFUL')
  })

  it('a worker does not wait without one', async () => {
    const { finished } = await startWorker({ batch: true })

    expect(await finished).toEqual({ started: 0, abandoned: 0 })
  })
})

// The command line brings its TypeORM along, and neither of these is a matter of TypeORM.
const once = typeormVersion.startsWith('0.3') ? describe.skip : describe

once('on the command line', () => {
  it('process.exit() in a task ends the worker, whose row stays RUNNING', async () => {
    const app = await cliApp({
      files: { 'tasks.js': `${TASKS_FILE}\n  task('app.exit', () => process.exit(7))` },
    })
    const [id] = await app.enqueue('app.exit')

    const { code } = await app.tasks('db_worker', '--batch', '--no-startup-delay')

    expect(code).toBe(7)
    expect((await app.row(id!)).status).toBe('RUNNING')
  })

  it('the wait at the start is left out by --no-startup-delay, by an interval of 0 and by --batch', async () => {
    // What is random for others is two seconds here.
    const app = await cliApp({ files: { 'tasks.js': `${TASKS_FILE}\n  Math.random = () => 2` } })
    const took = async (queueName: string, ...args: string[]): Promise<number> => {
      await app.enqueue('app.add', [[1]], { queueName })
      const worker = app.start('db_worker', '--max-tasks', '1', '--queue-name', queueName, ...args)
      await worker.says('Starting worker')
      const started = performance.now()
      await worker.says('state=RUNNING')
      return performance.now() - started
    }

    const [waits, told, eager, batch] = await Promise.all([
      took('one'),
      took('two', '--no-startup-delay'),
      took('three', '--interval', '0'),
      took('four', '--batch'),
    ])

    expect(waits).toBeGreaterThan(1_900)
    expect(told).toBeLessThan(1_500)
    expect(eager).toBeLessThan(1_500)
    expect(batch).toBeLessThan(1_500)
  })
})
