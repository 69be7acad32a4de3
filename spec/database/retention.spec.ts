import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, pruneResults, task } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '#backend-registry'
import { setClock } from '#clock'
import { tasks } from '#registry'
import { Retention } from '#retention'
import { TaskPool } from '#task-pool'
import { describeEachDatabase } from '../support/databases'
import { ManualClock } from '../support/manual-clock'
import { readyRow } from '../support/row-values'
import { catchLog, type Line } from '../support/tasks'

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** What each row is, and for how many days it has finished; those of the first list are to be deleted by a worker. */
const DUE: [task: string, status: DBTaskResult['status'], days: number][] = [
  ['kept.hour', 'SUCCESSFUL', 0.1],
  ['kept.hour', 'FAILED', 0.1],
  ['kept.year', 'SUCCESSFUL', 366],
  ['kept.year', 'FAILED', 31],
  ['kept.elsewhere', 'SUCCESSFUL', 15],
  ['kept.elsewhere', 'FAILED', 31],
]
const KEPT: typeof DUE = [
  ['kept.hour', 'SUCCESSFUL', 0.01],
  ['kept.hour', 'RUNNING', 99],
  ['kept.year', 'SUCCESSFUL', 300],
  ['kept.year', 'FAILED', 29],
  ['kept.failures', 'FAILED', 99],
  ['kept.failures', 'SUCCESSFUL', 13],
  ['kept.elsewhere', 'SUCCESSFUL', 13],
  ['kept.elsewhere', 'FAILED', 29],
  ['kept.elsewhere', 'READY', 99],
]

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource
  let log: Line[]

  beforeAll(async () => {
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
  })
  beforeEach(async () => {
    log = catchLog()
    tasks.clear()
    task('kept.hour', () => 1, { keepResults: HOUR_MS })
    task('kept.year', () => 1, { keepResults: { successful: 365 * DAY_MS } })
    task('kept.failures', () => 1, { keepResults: { failed: 365 * DAY_MS } })
    configureTasks({
      default: {
        BACKEND: DatabaseBackend,
        OPTIONS: { dataSource, retention: { successful: 14 * DAY_MS, failed: 30 * DAY_MS } },
      },
    })
    await repository().clear()
  })
  afterEach(() => {
    setClock()
    jest.restoreAllMocks()
  })

  const repository = () => dataSource.getRepository(DBTaskResult)

  async function add(rows: typeof DUE, differently: Partial<DBTaskResult> = {}): Promise<string[]> {
    const made = rows.map(([taskPath, status, days]) => {
      const finishedAt = status === 'READY' ? null : new Date(Date.now() - days * DAY_MS)
      return readyRow({ taskPath, status, finishedAt, ...differently })
    })
    for (let at = 0; at < made.length; at += 500)
      await repository().insert(made.slice(at, at + 500) as object[])
    return made.map(({ id }) => id)
  }

  async function left(): Promise<string[]> {
    return (await repository().find({ select: { id: true } })).map(({ id }) => id).toSorted()
  }

  it('two workers delete what is due in all queues, each row once, and nothing else', async () => {
    const kept = await add([...KEPT])
    kept.push(...(await add(DUE, { backendName: 'other' })))
    await add(DUE)
    await add(DUE, { queueName: 'mail' })
    await add(Array.from({ length: 1_100 }, () => DUE[0]!))
    const stores = await Promise.all([1, 2].map(() => backends.get('default').openStore({})))
    // At the same time.
    jest.spyOn(Math, 'random').mockReturnValue(0)
    const clock = ManualClock.install()
    const over = new AbortController()
    const pool = () => new TaskPool(backends.get('default'), 1, null, 3)
    const chores = stores.map((store) => new Retention(store, pool(), () => false))
    let running = chores.length
    const done = chores.map((chore) => chore.run(over.signal).finally(() => running--))

    // In small steps, since statements have time limits.
    for (; (await repository().count()) > kept.length; await sleep(5))
      await clock.advance(5 * SECOND_MS)
    over.abort()
    // One that others were in the way of waits before it tries again.
    for (; running > 0; await sleep(5)) await clock.advance(SECOND_MS)
    await Promise.all(done)
    setClock()
    await Promise.all(stores.map((store) => store.close()))

    expect(await left()).toEqual(kept.toSorted())
    const counts = log.map(([, line]) => Number(/^Pruned (\d+) task result/.exec(line)?.[1] ?? 0))
    expect(log.filter(([level]) => level === 'warn')).toEqual([])
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1_100 + 2 * DUE.length)
  }, 30_000)

  it('a prune by hand does the same, and what is asked for is for tasks that say nothing', async () => {
    const kept = await add(KEPT)
    await add(DUE)

    expect(await pruneResults({ dryRun: true })).toBe(DUE.length)
    expect(await pruneResults()).toBe(DUE.length)
    expect(await left()).toEqual(kept.toSorted())

    expect(await pruneResults({ minAge: 0 })).toBe(4)
    const names = (await repository().find({ select: { taskPath: true } })).map(
      ({ taskPath }) => taskPath,
    )
    expect(names.toSorted()).toEqual([
      'kept.elsewhere',
      'kept.failures',
      'kept.hour',
      'kept.hour',
      'kept.year',
    ])
  })
})
