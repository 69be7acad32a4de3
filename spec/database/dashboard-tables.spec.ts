import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  group,
  runUntilEmpty,
  startWorker,
  task,
  type TaskContext,
  taskEntities,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { describeEachDatabase } from '../support/databases'
import { type Ask, change, closeServed, serve } from '../support/dashboard'
import { catchLog } from '../support/tasks'

const fine = task('tables.fine', (value: number) => value)
const sum = task('tables.sum', (values: number[]) => values.length)
const page = task('tables.page', () => {}, { queueName: 'mail' })
const patient = task(
  'tables.patient',
  ({ signal }: TaskContext) => sleep(60_000, undefined, { signal }),
  { takesContext: true },
)

describeEachDatabase(({ connect }) => {
  let dataSource: DataSource
  let ask: Ask

  describe('with all tables', () => {
    beforeAll(async () => {
      catchLog()
      dataSource = await connect({ entities: [...taskEntities], synchronize: true })
      configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
    })
    beforeEach(async () => (ask = await serve({ authorize: () => 'all' })))
    afterEach(async () => {
      await closeServed()
      await rows().clear()
    })

    const rows = () => dataSource.getRepository(DBTaskResult)

    it('pauses a queue with its reason, which no worker serves then, and resumes it', async () => {
      await page.enqueue()
      const body = { reason: 'provider is down', forMs: 3_600_000 }
      expect((await ask('queues/mail/pause', change(body))).status).toBe(200)

      const [{ queues }] = (await ask('overview')).body.backends
      expect(queues).toMatchObject([
        { name: 'mail', due: 1, isServed: false, paused: { reason: 'provider is down' } },
      ])
      expect(queues[0].oldestDueMs).toBeGreaterThanOrEqual(0)
      const { at, until } = queues[0].paused
      expect(Math.abs(Date.parse(until) - Date.parse(at) - 3_600_000)).toBeLessThan(10_000)
      await runUntilEmpty({ queues: ['*'] })
      expect(await rows().countBy({ status: 'READY' })).toBe(1)

      await ask('queues/mail/resume', change({}))
      await runUntilEmpty({ queues: ['*'] })
      expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(1)
    })

    it('shows workers with what they run', async () => {
      const { id } = await patient.enqueue()
      const worker = await startWorker({ interval: 20, workerId: 'w1' })
      while ((await rows().countBy({ status: 'RUNNING' })) === 0) await sleep(20)

      const { problem, workers } = (await ask('workers')).body
      await worker.stop({ force: true })
      await worker.finished

      expect(problem).toBeNull()
      expect(workers).toMatchObject([
        {
          pid: process.pid,
          queues: ['default'],
          isGone: false,
          tasks: [{ id, status: 'RUNNING' }],
        },
      ])
      expect(workers[0].id).toMatch(/^w1/)
    })

    it('shows the flow around a task: what it waits for, what runs beside it, what comes after', async () => {
      const handle = await group([fine.order(1), fine.order(2)])
        .next((values) => sum.order(values))
        .enqueue()
      const [first, second, last] = (await handle.results()).map(({ id }) => id)
      const flow = async (id = '') => {
        const { flow: told } = (await ask(`tasks/${id}`)).body
        const ids = (tasks: { id: string }[]) => tasks.map(({ id: each }) => each).toSorted()
        return [ids(told.before), ids(told.beside), ids(told.after)]
      }

      expect(await flow(first)).toEqual([[], [second], [last]])
      expect(await flow(last)).toEqual([[first, second].toSorted(), [], []])
    })

    it('deletes what has finished, and gives READY tasks another priority', async () => {
      const done = await fine.enqueue(1)
      await runUntilEmpty()
      const ready = await fine.enqueue(2)

      const given = await ask('tasks/prioritise', change({ ids: [done.id, ready.id], priority: 7 }))
      expect(given.body.changed).toEqual([ready.id])
      expect(given.body.refused).toMatchObject([{ id: done.id }])
      expect((await ready.refresh()).priority).toBe(7)

      const gone = await ask('tasks/delete', change({ ids: [done.id] }))
      expect(gone.body).toMatchObject({ changed: [done.id], refused: [] })
      expect(await rows().find({ select: { id: true } })).toEqual([
        expect.objectContaining({ id: ready.id }),
      ])
    })
  })

  it('says which line to add where only the table of tasks is there', async () => {
    catchLog()
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, QUEUES: [], OPTIONS: { dataSource } } })
    await page.enqueue()
    ask = await serve({ authorize: () => 'all' })

    const { workers, problem } = (await ask('workers')).body
    expect([workers, problem.hint]).toEqual([null, expect.stringContaining('taskEntities')])
    const paused = await ask('queues/mail/pause', change({}))
    expect([paused.status, paused.body.error.hint]).toEqual([
      409,
      expect.stringContaining('taskEntities'),
    ])
    expect((await ask('overview')).body.backends).toMatchObject([
      { queues: [{ name: 'mail', due: 1, isServed: null, paused: null }], problem: null },
    ])
    await closeServed()
  })
})
