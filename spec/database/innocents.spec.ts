import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  RetryLater,
  runUntilEmpty,
  startWorker,
  task,
  type TaskResult,
} from 'typeorm-tasks'
import { DatabaseRows } from '../contract/database-rows'
import { describeEachDatabase, isMySqlFamily } from '../support/databases'
import { catchLog } from '../support/tasks'

const MB = 1_000_000
const innocent = task('innocents.innocent', async () => 'done')

/** What one task does to its outcome. */
const guilts = {
  'asks for a delay that no database has': () => {
    throw new RetryLater(1e18)
  },
  'changes its delay to no number': () => {
    throw Object.assign(new RetryLater(1), { delay: Number.NaN })
  },
  'changes its delay to one that no database has': () => {
    throw Object.assign(new RetryLater(1), { delay: 1e300 })
  },
  'returns a list whose toJSON gives NUL': () =>
    Object.defineProperty([1], 'toJSON', { value: () => ['a\u0000b'], enumerable: false }),
  'returns a getter that changes to NUL': () => {
    let looks = 0
    return {
      get text() {
        return looks++ === 0 ? 'sound' : 'a\u0000b'
      },
    }
  },
  'returns a getter that changes to half a surrogate pair': () => {
    let looks = 0
    return {
      get text() {
        return looks++ === 0 ? 'sound' : 'a\ud83d'
      },
    }
  },
  'throws an error whose class has a name of megabytes': () => {
    throw Object.assign(new (class extends RetryLater {})(1), {
      name: '\u0000'.repeat(MB),
      delay: -1,
    })
  },
} as const
const errors: Record<keyof typeof guilts, string> = {
  'asks for a delay that no database has': 'InvalidCallError',
  'changes its delay to no number': 'InvalidCallError',
  'changes its delay to one that no database has': 'InvalidCallError',
  'returns a list whose toJSON gives NUL': 'NotSerializableError',
  'returns a getter that changes to NUL': 'NotSerializableError',
  'returns a getter that changes to half a surrogate pair': 'NotSerializableError',
  'throws an error whose class has a name of megabytes': 'InvalidCallError',
}
const guilty = task('innocents.guilty', (what: keyof typeof guilts): unknown => guilts[what]())

/** Returns so many characters. */
const heavy = task('innocents.heavy', async (what: string, count: number) => what.repeat(count))
/** Its stack is as long as is kept of one. */
const wordy = task('innocents.wordy', async (): Promise<void> => {
  throw new RangeError('x'.repeat(100_000))
})

const held = new Map<string, () => void>()
const ends = task(
  'innocents.ends',
  ({ taskResult }) => new Promise<void>((resolve) => held.set(taskResult.id, resolve)),
  { takesContext: true },
)

describeEachDatabase((database) => {
  const { name } = database
  const connected: DataSource[] = []
  let dataSource: DataSource

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    use(dataSource)
  })
  beforeEach(() => void catchLog())
  afterAll(async () => {
    await Promise.all(connected.map((each) => each.destroy()))
  })

  function use(source: DataSource): void {
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        OPTIONS: { dataSource: source },
      },
    })
  }

  it.each(Object.keys(guilts) as (keyof typeof guilts)[])(
    'a task that %s is FAILED, and those beside it are not concerned',
    async (what) => {
      const neighbours = await innocent.enqueueMany(Array.from({ length: 20 }, () => []))
      const one = await guilty.enqueue(what)

      await runUntilEmpty()

      await one.refresh()
      expect([one.status, one.errors.at(-1)!.exceptionClassPath]).toEqual([
        'FAILED',
        `typeorm_tasks.${errors[what]}`,
      ])
      await areDone(neighbours)
    },
  )

  it('twenty results of a megabyte that end together are stored', async () => {
    const results = await heavy.enqueueMany(
      Array.from({ length: 20 }, (_, i): [string, number] => (i % 2 ? ['x', MB] : ['"', MB / 2])),
    )

    await runUntilEmpty({ concurrency: 20 })

    for (const result of results) {
      await result.refresh()
      expect(result.status).toBe('SUCCESSFUL')
      expect(result.returnValue.length).toBeGreaterThanOrEqual(MB / 2)
    }
  }, 60_000)

  it('many long tracebacks that end together are stored', async () => {
    const results = await wordy.enqueueMany(Array.from({ length: 400 }, () => []))

    await runUntilEmpty({ concurrency: 400 })

    for (const result of results) await result.refresh()
    expect(results.filter(({ status }) => status !== 'FAILED')).toEqual([])
    expect(new Set(results.map(({ attempts }) => attempts))).toEqual(new Set([1]))
  }, 60_000)

  it('an outcome that the database refuses is FAILED, and those beside it are stored', async () => {
    const lines = catchLog()
    await refuse('poison')
    const neighbours = await innocent.enqueueMany(Array.from({ length: 20 }, () => []))
    const one = await heavy.enqueue('poison', 1)
    const later = await innocent.enqueueMany(Array.from({ length: 20 }, () => []))

    await runUntilEmpty()

    await one.refresh()
    expect([one.status, one.attempts]).toEqual(['FAILED', 1])
    const [{ exceptionClassPath, traceback }] = one.errors as [(typeof one.errors)[0]]
    expect(exceptionClassPath).toBe('typeorm_tasks.OutcomeRefused')
    expect(traceback).toMatch(/^OutcomeRefused: .*no poison \? here[^\x80-\uffff]*$/s)
    await areDone([...neighbours, ...later])
    expect(lines.filter(([, line]) => line.includes('did not answer'))).toEqual([])
    expect(lines.filter(([, line]) => line.includes('state=FAILED'))).toEqual([
      ['error', expect.stringContaining('OutcomeRefused')],
    ])
  })

  if (name !== 'sqlite')
    it('an outcome whose row somebody else has locked waits, and those beside it do not', async () => {
      const lines = catchLog()
      held.clear()
      const results = await ends.enqueueMany(Array.from({ length: 8 }, () => []))
      const worker = await startWorker({ concurrency: 20, interval: 20 })
      await until(() => held.size === 8)
      const [locked, ...others] = results as [TaskResult<void>, ...TaskResult<void>[]]
      const rows = new DatabaseRows(dataSource)

      const later = await (async () => {
        let enqueued: TaskResult<string>[] = []
        await rows.whileLocked(locked.id, async () => {
          for (const end of held.values()) end()
          await until(async () => (await statuses(others)).every((is) => is === 'SUCCESSFUL'))
          enqueued = await innocent.enqueueMany(Array.from({ length: 20 }, () => []))
          const begun = performance.now()
          await until(async () => (await statuses(enqueued)).every((is) => is === 'SUCCESSFUL'))
          // Each exchange would wait a second for the lock.
          expect(performance.now() - begun).toBeLessThan(5_000)
          await sleep(1_500)
          expect(await statuses([locked])).toEqual(['RUNNING'])
        })
        return enqueued
      })()
      await until(async () => (await statuses([locked])).every((is) => is === 'SUCCESSFUL'))
      await worker.stop()

      await areDone([...results, ...later])
      expect(lines.filter(([level]) => level === 'error')).toEqual([])
    }, 60_000)

  if (name === 'postgres')
    it('outcomes for which a role has too little time in one statement are stored in several', async () => {
      await dataSource.query('DROP ROLE IF EXISTS hurried')
      await dataSource.query("CREATE ROLE hurried LOGIN SUPERUSER PASSWORD 'hurried'")
      await dataSource.query("ALTER ROLE hurried SET statement_timeout = '200ms'")
      const hurried = await new DataSource({
        ...dataSource.options,
        username: 'hurried',
        password: 'hurried',
        synchronize: false,
      } as DataSourceOptions).initialize()
      connected.push(hurried)
      const results = await heavy.enqueueMany(
        Array.from({ length: 30 }, (): [string, number] => ['x', 0.9 * MB]),
      )

      use(hurried)
      await runUntilEmpty({ concurrency: 30 })
      use(dataSource)

      expect(await statuses(results)).toEqual(results.map(() => 'SUCCESSFUL'))
    }, 60_000)

  async function statuses(results: readonly TaskResult<unknown>[]): Promise<string[]> {
    await Promise.all(results.map((result) => result.refresh()))
    return results.map(({ status }) => status)
  }

  async function areDone(results: readonly TaskResult<unknown>[]): Promise<void> {
    await Promise.all(results.map((result) => result.refresh()))
    expect(results.map(({ status, attempts }) => ({ status, attempts }))).toEqual(
      results.map(() => ({ status: 'SUCCESSFUL', attempts: 1 })),
    )
    const rows = await dataSource.getRepository(DBTaskResult).find()
    const ids = new Set(results.map(({ id }) => id))
    expect(rows.filter(({ id, claims }) => ids.has(id) && claims !== 1)).toEqual([])
  }

  /** From now on no row may have a return value with this text. */
  async function refuse(text: string): Promise<void> {
    const message = `no ${text} é here`
    const isText = `NEW.return_value LIKE '%${text}%'`
    if (name === 'postgres') {
      await dataSource.query(
        `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.return_value::text LIKE '%${text}%' THEN RAISE EXCEPTION '${message}'; END IF; RETURN NEW; END $$`,
      )
      await dataSource.query(
        'CREATE TRIGGER refuse BEFORE UPDATE ON db_task_result FOR EACH ROW EXECUTE FUNCTION refuse()',
      )
    } else if (isMySqlFamily(name))
      await dataSource.query(
        `CREATE TRIGGER refuse BEFORE UPDATE ON db_task_result FOR EACH ROW BEGIN IF ${isText} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '${message}'; END IF; END`,
      )
    else
      await dataSource.query(
        `CREATE TRIGGER refuse BEFORE UPDATE ON db_task_result WHEN ${isText} BEGIN SELECT RAISE(ABORT, '${message}'); END`,
      )
  }
})

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('It has not become so.')
    await sleep(20)
  }
}
