import { setTimeout as sleep } from 'node:timers/promises'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { configureTasks, DBTaskResult, startWorker, task, type TaskResult } from 'typeorm-tasks'
import { DatabaseRows } from '../contract/database-rows'
import { describeEachDatabase, isMySqlFamily, type SpecDatabase } from '../support/databases'
import { catchLog, type Line } from '../support/tasks'

const LEASE_SECONDS = 6
/** Longer than a lease, so that a row without renewals is lost. */
const LOCKED_MS = 1_300 * LEASE_SECONDS
const RUN_MS = 1_400 * LEASE_SECONDS

const runs = new Map<string, number>()
const innocent = task(
  'renewals.innocent',
  async ({ taskResult, signal }) => {
    begun(taskResult.id)
    await sleep(RUN_MS, undefined, { signal })
    return 'done'
  },
  { takesContext: true },
)
/** Reports what the database refuses, again and again, and at last what it takes. */
const noisy = task(
  'renewals.noisy',
  async (context) => {
    const { taskResult, signal } = context
    begun(taskResult.id)
    for (const end = performance.now() + RUN_MS; performance.now() < end;) {
      context.reportProgress(1, 2, 'poison')
      await sleep(100, undefined, { signal })
    }
    context.reportProgress(2, 2, 'sound')
  },
  { takesContext: true },
)
/** Its row is locked by somebody else while it runs the first time. */
const locked = task(
  'renewals.locked',
  async ({ taskResult, signal }) => {
    if (begun(taskResult.id) > 1) return 'again'
    await sleep(60_000, undefined, { signal })
    return 'never'
  },
  { takesContext: true },
)
const waits = task(
  'renewals.waits',
  async ({ taskResult, signal }) => {
    begun(taskResult.id)
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  },
  { takesContext: true },
)

function begun(id: string): number {
  const count = (runs.get(id) ?? 0) + 1
  runs.set(id, count)
  return count
}

describeEachDatabase((database) => {
  let dataSource: DataSource
  let lines: Line[]
  const opened: DataSource[] = []

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    await refuseNotes(dataSource, database)
  })
  beforeEach(() => {
    lines = catchLog()
    runs.clear()
  })
  afterAll(() => Promise.all(opened.map((each) => each.destroy())))

  it('F40 neither a note that the database refuses nor a row that somebody has locked costs others their lease', async () => {
    serve(dataSource, LEASE_SECONDS)
    const neighbours = await innocent.enqueueMany(Array.from({ length: 9 }, () => []))
    const [note, held] = [await noisy.enqueue(), await locked.enqueue()]
    const worker = await startWorker({ concurrency: 20, interval: 200 })
    await until(() => runs.size === 11)

    if (database.name === 'sqlite') await held.cancel()
    else await new DatabaseRows(dataSource).whileLocked(held.id, () => sleep(LOCKED_MS))
    await until(async () => allEnded([...neighbours, note, held]))
    await worker.stop()

    for (const neighbour of neighbours) expect(await claimsOf(neighbour)).toEqual(['SUCCESSFUL', 1])
    expect(await claimsOf(note)).toEqual(['SUCCESSFUL', 1])
    expect(note.progress).toEqual({ done: 2, total: 2, note: 'sound' })
    expect(lines.filter(([, line]) => line.includes('poisoned'))).toEqual([
      ['warn', expect.stringMatching(`${note.id}.*progress`)],
    ])
    // A lease that cannot be renewed ends, as that of a worker that is gone.
    if (database.name !== 'sqlite') expect(await claimsOf(held)).toEqual(['SUCCESSFUL', 2])
  }, 120_000)

  const onPostgres = database.name === 'postgres' ? it : it.skip

  onPostgres(
    'hundreds of cancels at once cost nobody else the lease',
    async () => {
      serve(dataSource, LEASE_SECONDS)
      const neighbours = await innocent.enqueueMany(Array.from({ length: 100 }, () => []))
      const cancelled = await waits.enqueueMany(Array.from({ length: 2_000 }, () => []))
      const worker = await startWorker({ concurrency: 2_100, interval: 200 })
      await until(() => runs.size === 2_100)

      await Promise.all(cancelled.map((each) => each.cancel()))
      await until(async () => allEnded([...neighbours, ...cancelled]))
      await worker.stop()

      const rows = await dataSource.getRepository(DBTaskResult).find()
      const ends = (of: TaskResult<unknown>[]): Set<string> => {
        const ids = new Set(of.map(({ id }) => id))
        return new Set(
          rows
            .filter(({ id }) => ids.has(id))
            .map((row) => `${row.status} ${row.exceptionClassPath} ${row.claims}`),
        )
      }
      expect([...ends(neighbours)]).toEqual(['SUCCESSFUL  1'])
      expect([...ends(cancelled)]).toEqual(['FAILED typeorm_tasks.TaskCancelled 1'])
    },
    120_000,
  )

  onPostgres(
    'leases are renewed in smaller portions where the server ends long statements',
    async () => {
      await dataSource.query(`CREATE FUNCTION slow() RETURNS trigger AS
      $$ BEGIN IF NEW.status = OLD.status THEN PERFORM pg_sleep(0.01); END IF; RETURN NEW; END $$ LANGUAGE plpgsql`)
      await dataSource.query(
        'CREATE TRIGGER slow BEFORE UPDATE ON db_task_result FOR EACH ROW EXECUTE FUNCTION slow()',
      )
      const hasty = new DataSource({
        ...dataSource.options,
        synchronize: false,
        extra: { options: '-c statement_timeout=400' },
      } as DataSourceOptions)
      opened.push(await hasty.initialize())
      serve(hasty, LEASE_SECONDS)
      const all = await innocent.enqueueMany(Array.from({ length: 60 }, () => []))
      const worker = await startWorker({ concurrency: 60, interval: 200 })

      await until(async () => allEnded(all))
      await worker.stop()

      for (const each of all) expect(await claimsOf(each)).toEqual(['SUCCESSFUL', 1])
    },
    120_000,
  )

  function serve(source: DataSource, leaseSeconds: number): void {
    configureTasks({
      default: {
        BACKEND: 'typeorm-tasks/backends/database#DatabaseBackend',
        OPTIONS: { dataSource: source, leaseSeconds },
      },
    })
  }

  async function claimsOf(result: TaskResult<unknown>): Promise<[string, number]> {
    const row = (await result.refresh()).dbResult as DBTaskResult
    return [row.status, row.claims]
  }

  async function allEnded(results: readonly TaskResult<unknown>[]): Promise<boolean> {
    const ids = new Set(results.map(({ id }) => id))
    const rows = await dataSource.getRepository(DBTaskResult).find({
      select: { id: true, status: true },
    })
    return rows.every(
      ({ id, status }) => !ids.has(id) || status === 'FAILED' || status === 'SUCCESSFUL',
    )
  }
})

/** The database refuses each change of a row after which its progress says `poison`. */
async function refuseNotes(dataSource: DataSource, { name }: SpecDatabase): Promise<void> {
  const isPoisoned = `NEW.progress LIKE '%poison%'`
  if (name === 'postgres') {
    await dataSource.query(`CREATE FUNCTION refuse() RETURNS trigger AS
      $$ BEGIN IF NEW.progress::text LIKE '%poison%' THEN RAISE 'poisoned'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql`)
    await dataSource.query(
      'CREATE TRIGGER refuse BEFORE UPDATE ON db_task_result FOR EACH ROW EXECUTE FUNCTION refuse()',
    )
  } else
    await dataSource.query(
      isMySqlFamily(name)
        ? `CREATE TRIGGER refuse BEFORE UPDATE ON db_task_result FOR EACH ROW IF ${isPoisoned} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'poisoned'; END IF`
        : `CREATE TRIGGER refuse BEFORE UPDATE ON db_task_result WHEN ${isPoisoned} BEGIN SELECT RAISE(ABORT, 'poisoned'); END`,
    )
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('It has not come to that.')
    await sleep(50)
  }
}
