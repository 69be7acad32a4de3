import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  RetryLater,
  runUntilEmpty,
  task,
  type TaskResult,
  WorkerLost,
} from 'typeorm-tasks'
import { backends } from '#backend-registry'
import type { Store } from '#lib/store'
import { DatabaseRows } from '../contract/database-rows'
import { claim, rescue } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const POLLS = 150
const MALFORMED = 'typeorm_tasks.MalformedRowError'
const LOST = 'typeorm_tasks.WorkerLost'

let runs = 0
const poll = task('histories.poll', async () => {
  runs += 1
  if (runs <= POLLS) throw new RetryLater(0, { reason: `look ${runs} of ${POLLS}` })
  return runs
})
const wordy = task(
  'histories.wordy',
  async (): Promise<void> => {
    runs += 1
    throw new RangeError(`run ${runs}: ${'é"\n'.repeat(20_000)}`)
  },
  { retry: { maxAttempts: 300, delay: 0, factor: 1, jitter: 0 } },
)
const twice = task(
  'histories.twice',
  async (): Promise<void> => {
    runs += 1
    throw new RangeError(`run ${runs}`)
  },
  { retry: { maxAttempts: 2, delay: 0, jitter: 0 } },
)
const liar = task(
  'histories.liar',
  async (): Promise<void> => {
    runs += 1
    throw new WorkerLost('me')
  },
  { retry: { maxAttempts: 4, delay: 0, jitter: 0 } },
)
const sound = task('histories.sound', () => 'done')

describeEachDatabase((database) => {
  let dataSource: DataSource
  let rows: DatabaseRows
  let store: Store

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    rows = new DatabaseRows(dataSource)
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        OPTIONS: { dataSource },
      },
    })
    store = await backend().openStore({})
  })
  beforeEach(() => {
    runs = 0
    catchLog()
  })
  afterEach(() => rows.clear())
  afterAll(() => store.close())

  it('a task that polls has a row of a bounded size, and the right numbers', async () => {
    const result = await poll.enqueue()

    await runUntilEmpty({ interval: 0 })

    await result.refresh()
    const { attemptErrors, workerIds, claims } = result.dbResult as DBTaskResult
    expect(result.returnValue).toBe(POLLS + 1)
    expect({ attempts: result.attempts, errors: result.errorCount, claims }).toEqual({
      attempts: POLLS + 1,
      errors: POLLS,
      claims: POLLS + 1,
    })
    expect(result.errors.map(({ traceback }) => Number(/look (\d+)/.exec(traceback)![1]))).toEqual([
      ...range(1, 10),
      ...range(POLLS - 9, POLLS),
    ])
    expect(workerIds).toHaveLength(100)
    expect(attemptErrors![10]).toEqual({
      exceptionClassPath: 'typeorm_tasks.ErrorsOmitted',
      traceback: `${POLLS - 20} errors are left out here.\n`,
      omitted: { errors: POLLS - 20, workers: POLLS + 1 - 100, failures: POLLS - 20, crashes: 0 },
    })
  })

  it('maxAttempts counts runs whose errors are left out, however long these are', async () => {
    const result = await wordy.enqueue()

    await runUntilEmpty({ interval: 0 })

    await result.refresh()
    expect([result.status, runs, result.attempts, result.errorCount]).toEqual([
      'FAILED',
      300,
      300,
      300,
    ])
    const { attemptErrors, traceback } = result.dbResult as DBTaskResult
    expect(Buffer.byteLength(JSON.stringify(attemptErrors))).toBeLessThanOrEqual(64 * 1024)
    expect(attemptErrors![0]!.traceback).toMatch(/^RangeError: run 1: [^]*characters in all\n$/)
    expect(traceback).toMatch(/^RangeError: run 300: /)
  }, 120_000)

  it('a task that throws WorkerLost itself has failed, as with any other error', async () => {
    const result = await liar.enqueue()

    await runUntilEmpty({ interval: 0 })

    expect([(await result.refresh()).status, runs, result.errors.length]).toEqual(['FAILED', 4, 4])
  })

  describe('a retry by hand', () => {
    it('gives a task that cost too many workers as many again', async () => {
      const { id } = await sound.enqueue()
      for (let crash = 1; crash <= 3; crash++) await lose(id)
      expect(await rows.get(id)).toMatchObject({ status: 'FAILED', exceptionClassPath: LOST })

      await backend().retry(id)

      for (let crash = 1; crash <= 2; crash++) {
        await lose(id)
        expect((await rows.get(id)).status).toBe('READY')
      }
      await lose(id)
      expect(await rows.get(id)).toMatchObject({ status: 'FAILED', claims: 6 })
      expect((await sound.getResult(id)).errors).toHaveLength(6)
    })

    it('gives a task all of its attempts again, and keeps the errors', async () => {
      const result = await twice.enqueue()
      await runUntilEmpty({ interval: 0 })
      expect([(await result.refresh()).status, runs]).toEqual(['FAILED', 2])

      await backend().retry(result.id)
      await runUntilEmpty({ interval: 0 })

      expect([(await result.refresh()).status, runs, result.attempts]).toEqual(['FAILED', 4, 4])
      expect(result.errors.map(({ traceback }) => traceback.split('\n')[0])).toEqual([
        'RangeError: run 1',
        'RangeError: run 2',
        'RangeError: run 3',
        'RangeError: run 4',
      ])
    })

    it('takes the unique key again', async () => {
      const keyed = twice.using({ uniqueKey: 'once' })
      const result = await keyed.enqueue()
      await runUntilEmpty({ interval: 0 })
      expect((await rows.get(result.id)).uniqueKey).toBeNull()

      const retried = await backend().retry(result.id)

      expect((retried.dbResult as DBTaskResult).uniqueKey).toBe('f:once')
      expect((await keyed.enqueue()).id).toBe(result.id)
    })

    it('names the task that has the unique key by then, and changes nothing', async () => {
      const keyed = twice.using({ uniqueKey: 'once' })
      const result = await keyed.enqueue()
      await runUntilEmpty({ interval: 0 })
      const before = await rows.get(result.id)
      const holder = await keyed.enqueue()

      await expect(backend().retry(result.id)).rejects.toThrow(
        `its unique key is held by task ${holder.id} (histories.twice), which is READY`,
      )

      expect(await rows.get(result.id)).toEqual(before)
    })

    it('of two tasks with one unique key puts one back', async () => {
      const keyed = twice.using({ uniqueKey: 'once' })
      const failed: TaskResult<unknown>[] = []
      for (let each = 0; each < 2; each++) {
        failed.push(await keyed.enqueue())
        await runUntilEmpty({ interval: 0 })
      }

      const tries = await Promise.allSettled(failed.map(({ id }) => backend().retry(id)))

      expect(tries.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
      const refusal = tries.find((each) => each.status === 'rejected')!
      expect(String(refusal.reason)).toContain('is held by task')
    })
  })

  describe('a history that somebody wrote badly', () => {
    const bad = ['{"a": 1}', '"x"', '[1]', '[[]]', '[{"omitted": {"errors": "many"}}]']

    it.each(bad)('F56 makes the task FAILED, without a run: %s', async (text) => {
      const [spoilt, other] = [await twice.enqueue(), await sound.enqueue()]
      await tamper(spoilt.id, text)

      await runUntilEmpty({ interval: 0 })

      expect(await rows.get(spoilt.id)).toMatchObject({
        status: 'FAILED',
        exceptionClassPath: MALFORMED,
        claims: 1,
      })
      expect(runs).toBe(0)
      expect((await other.refresh()).status).toBe('SUCCESSFUL')
    })

    it('makes the task FAILED when its worker is lost, and those of others go on', async () => {
      const all = [await sound.enqueue(), await sound.enqueue(), await sound.enqueue()]
      await claim(store, 3)
      for (const { id } of all) await rows.expire(id)
      await tamper(all[1]!.id, '{"a": 1}')

      const { released, failed } = await rescue(store)

      expect([released.toSorted(), failed]).toEqual([
        [all[0]!.id, all[2]!.id].toSorted(),
        [all[1]!.id],
      ])
      expect((await rows.get(all[1]!.id)).exceptionClassPath).toBe(MALFORMED)
    })

    const whereTextIsKept = database.name === 'postgres' ? it.skip : it
    whereTextIsKept(
      'makes the task FAILED when its worker is lost, even if it is no JSON',
      async () => {
        const all = [await sound.enqueue(), await sound.enqueue()]
        await claim(store, 2)
        for (const { id } of all) await rows.expire(id)
        await rows.tamper(all[0]!.id, { attempt_errors: 'garbage' })

        expect(await rescue(store)).toEqual({ released: [all[1]!.id], failed: [all[0]!.id] })
      },
    )

    it('gives way to a sound one when the task is retried by hand', async () => {
      const result = await sound.enqueue()
      await tamper(result.id, '{"a": 1}')
      await runUntilEmpty({ interval: 0 })

      await backend().retry(result.id)
      await runUntilEmpty({ interval: 0 })

      expect((await result.refresh()).status).toBe('SUCCESSFUL')
      expect(result.errors).toMatchObject([{ exceptionClassPath: MALFORMED }])
    })
  })

  function backend() {
    return backends.get('default')
  }

  /** Claims the row, and takes it over from the worker that is gone. */
  async function lose(id: string): Promise<void> {
    await claim(store, 1)
    await rows.expire(id)
    await rescue(store)
  }

  async function tamper(id: string, attemptErrors: string): Promise<void> {
    await rows.update(id, { attemptErrors: JSON.parse(attemptErrors) as never })
  }
})

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
