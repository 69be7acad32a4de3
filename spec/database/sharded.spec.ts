import type { DataSource, EntityManager } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  group,
  InvalidTaskError,
  NotSupportedError,
  pausedQueues,
  pauseQueue,
  ResultNotFoundError,
  resumeQueue,
  runUntilEmpty,
  schedule,
  startWorker,
  task,
  type TaskContext,
  taskEntities,
} from 'typeorm-tasks'
import { ShardedBackend, ShardError, shardOf } from 'typeorm-tasks/backends/sharded'
import { DatabaseBackend } from '#backends/database'
import { MemoryBackend } from '#memory/backend'
import { backends } from '../../lib/backend-registry'
import { schedules } from '../../lib/schedules/registry'
import { describeEachDatabase } from '../support/databases'
import { change, closeServed, serve } from '../support/dashboard'
import { catchLog } from '../support/tasks'

const over = ['db1', 'db2']
const UNKNOWN = '01900000-0000-7000-8000-000000000000'

/** What is about a shard's alias goes there. */
const echo = task(
  'shards.echo',
  (where: string | number, value?: unknown) => [where, value ?? null],
  {
    backend: 'sharded',
  },
)
const join = task('shards.join', (values: unknown[]) => values.length, { backend: 'sharded' })
const broken = task(
  'shards.broken',
  (_where: string) => {
    throw new Error('no')
  },
  { backend: 'sharded' },
)
const inside = task(
  'shards.inside',
  async ({ manager }: TaskContext, _where: string) =>
    (await manager?.getRepository(DBTaskResult).count()) ?? -1,
  { backend: 'sharded', takesContext: true, transactional: true },
)

describeEachDatabase((database) => {
  let sources: DataSource[]
  const away = new Map<string, DataSource>()

  beforeAll(async () => {
    catchLog()
    const connect = (): Promise<DataSource> =>
      database.connect({ entities: [...taskEntities], synchronize: true })
    sources = [await connect(), await connect()]
  })
  beforeEach(() => configure())
  afterEach(async () => {
    away.clear()
    schedules.clear()
    await closeServed()
    for (const each of sources)
      for (const entity of taskEntities) await each.getRepository(entity).clear()
  })

  /** A server that is away: the data source is not open. */
  const sourceOf = (alias: string, i: number): DataSource => {
    const source = away.get(alias) ?? sources[i]
    if (!source) throw new Error(`no ${alias}`)
    return source
  }
  function configure(): void {
    configureTasks({
      ...Object.fromEntries(
        over.map((alias, i) => [
          alias,
          { BACKEND: DatabaseBackend, OPTIONS: { dataSource: () => sourceOf(alias, i) } },
        ]),
      ),
      sharded: {
        BACKEND: ShardedBackend,
        OPTIONS: { by: ({ args }: { args: unknown[] }) => args[0] as string, over },
      },
    })
  }
  async function takeAway(alias: string): Promise<void> {
    const closed = await database.connect({ entities: [...taskEntities] })
    await closed.destroy()
    away.set(alias, closed)
  }
  const sharded = () => backends.get('sharded')
  const work = async (): Promise<void> => {
    for (const backend of over) await runUntilEmpty({ backend })
  }
  const rowsOf = (i: number): Promise<DBTaskResult[]> =>
    (sources[i] as DataSource).getRepository(DBTaskResult).find()

  it('puts a task into the database of its key, as a row of that alias, and its workers run it', async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => echo.enqueue(`customer-${i}`)),
    )
    for (const { args, backend } of results) expect(backend).toBe(shardOf(String(args[0]), over))
    expect((await rowsOf(0)).every(({ backendName }) => backendName === 'db1')).toBe(true)
    expect((await rowsOf(0)).length + (await rowsOf(1)).length).toBe(20)
    expect((await rowsOf(1)).length).toBeGreaterThan(2)
    await work()
    for (const result of results)
      expect((await echo.getResult(result.id)).returnValue).toEqual([result.args[0], null])
  })

  it('enqueues many in one round of each shard, and gives their results in order', async () => {
    const where = ['db1', 'db2', 'db2', 'db1', 'db2']
    const results = await echo.enqueueMany(where.map((alias, i) => [alias, i]))
    expect(results.map(({ args }) => args)).toEqual(where.map((alias, i) => [alias, i]))
    expect(results.map(({ backend }) => backend)).toEqual(where)
  })

  it('says which calls were enqueued where a shard fails', async () => {
    await takeAway('db2')
    const calls = ['db1', 'db2', 'db1'].map((alias) => [alias] as [string])
    const error = await echo.enqueueMany(calls).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ShardError)
    const { enqueued, failures, message } = error as ShardError
    expect(enqueued.map((result) => result?.backend ?? null)).toEqual(['db1', null, 'db1'])
    expect([...failures.keys()]).toEqual(['db2'])
    expect(message).toContain(
      'Task "shards.echo": of 3 calls 2 were enqueued, and the others not, since of the shards of TASKS.sharded db2 (',
    )
    expect(await rowsOf(0)).toHaveLength(2)
    // Of one shard alone its own error is told.
    await expect(echo.enqueueMany([['db2']])).rejects.not.toThrow(ShardError)
  })

  it('finds a result though another shard is away, and never says that there is none then', async () => {
    const result = await echo.enqueue('db1')
    await expect(echo.getResult(UNKNOWN)).rejects.toThrow(ResultNotFoundError)
    await takeAway('db2')
    expect((await echo.getResult(result.id)).id).toBe(result.id)
    const missing = echo.getResult(UNKNOWN)
    await expect(missing).rejects.toThrow(ShardError)
    await expect(missing).rejects.toThrow(
      `No task result with the id "${UNKNOWN}" was found, but of the shards of TASKS.sharded db2 (`,
    )
  })

  it('cancels and retries by id, wherever the row is', async () => {
    const waiting = await echo.enqueue('db2')
    expect(await sharded().cancel(waiting)).toBe(true)
    expect((await waiting.refresh()).status).toBe('FAILED')
    const failing = await broken.enqueue('db1')
    await work()
    expect(await sharded().retry(failing.id)).toMatchObject({ status: 'READY', backend: 'db1' })
    await expect(sharded().retry(UNKNOWN)).rejects.toThrow(ResultNotFoundError)
  })

  it('lists all shards as one, newest first, page by page, and counts them', async () => {
    const ids: string[] = []
    for (const [i, alias] of ['db1', 'db1', 'db2', 'db1', 'db2', 'db2'].entries())
      ids.unshift((await echo.enqueue(alias, i)).id)
    const list = async (more: object): Promise<string[]> =>
      (await sharded().list({ limit: 10, ...more })).map(({ id }) => id)
    expect(await list({})).toEqual(ids)
    const pages: string[][] = []
    for (let before = {}; ; before = { before: pages.at(-1)?.at(-1) }) {
      const page = await list({ limit: 4, ...before })
      if (page.length === 0) break
      pages.push(page)
    }
    expect(pages).toEqual([ids.slice(0, 4), ids.slice(4)])
    expect(await list({ within: 1 })).toEqual([ids[0], ids[2]])
    expect(await sharded().counts()).toMatchObject({ READY: 6, FAILED: 0 })
    await takeAway('db1')
    await expect(list({})).rejects.toThrow('of its shards db1 (')
    await expect(sharded().counts()).rejects.toThrow('could not count results, db2 could.')
  })

  it('pages through shards that do not know each other’s ids', async () => {
    const [dataSource] = sources
    configureTasks({
      db1: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } },
      memory: { BACKEND: MemoryBackend },
      mixed: { BACKEND: ShardedBackend, OPTIONS: { by: () => 'db1', over: ['db1', 'memory'] } },
    })
    const mixed = backends.get('mixed')
    const ids: string[] = []
    for (const backend of ['db1', 'memory', 'db1', 'memory', 'db1'])
      ids.unshift((await echo.using({ backend }).enqueue(backend)).id)
    for (const [i, before] of ids.entries())
      expect((await mixed.list({ limit: 10, before })).map(({ id }) => id)).toEqual(
        ids.slice(i + 1),
      )
  })

  it('pauses and resumes a queue on all shards, and says where it could not', async () => {
    const until = new Date(Date.now() + 3_600_000)
    await pauseQueue('default', { backend: 'sharded', reason: 'move' })
    for (const backend of over) expect(await pausedQueues({ backend })).toHaveLength(1)
    expect(await pausedQueues({ backend: 'sharded' })).toMatchObject([
      { queue: 'default', reason: 'move' },
    ])
    expect(await resumeQueue('default', { backend: 'sharded' })).toBe(true)
    expect(await resumeQueue('default', { backend: 'sharded' })).toBe(false)
    await pauseQueue('default', { backend: 'db2', until })
    expect(await pausedQueues({ backend: 'sharded' })).toMatchObject([{ queue: 'default' }])
    await takeAway('db2')
    await expect(pauseQueue('default', { backend: 'sharded' })).rejects.toThrow(
      'could not pause the queue default, db1 could.',
    )
    await expect(pauseQueue('mail', { backend: 'sharded' })).rejects.toThrow(
      "Queue 'mail' is not in QUEUES of TASKS.sharded",
    )
  })

  it('has a flow on one shard, and refuses one that `by` would part', async () => {
    const flow = await group([echo.order('db2', 1), echo.order('db2', 2)])
      .next((values) => join.order(values))
      .enqueue()
    expect((await flow.results()).map(({ backend }) => backend)).toEqual(['db2', 'db2', 'db2'])
    expect(await rowsOf(0)).toEqual([])
    await work()
    expect((await flow.results()).at(-1)?.returnValue).toBe(2)
    const parted = group([echo.order('db1'), echo.order('db2')]).enqueue()
    await expect(parted).rejects.toThrow(
      'Task "shards.echo" goes to db2, and "shards.echo", of the same flow, to db1: a flow is on one shard of TASKS.sharded. Let `by` give all tasks of a flow one key',
    )
    expect(await rowsOf(0)).toEqual([])
  })

  it('holds a unique key within a shard', async () => {
    const keyed = echo.using({ uniqueKey: 'one' })
    const first = await keyed.enqueue('db1')
    expect(await keyed.enqueue('db1')).toMatchObject({ id: first.id, isDuplicate: true })
    expect((await keyed.enqueue('db2')).isDuplicate).toBe(false)
  })

  it('joins a transaction of the shard, and refuses one of another', async () => {
    const [one, two] = sources as [DataSource, DataSource]
    const within = (manager: EntityManager): Promise<unknown> =>
      echo.using({ manager }).enqueue('db2')
    await two
      .transaction(async (manager) => {
        await within(manager)
        throw new Error('undo')
      })
      .catch(() => {})
    expect(await rowsOf(1)).toEqual([])
    await two.transaction(within)
    expect(await rowsOf(1)).toHaveLength(1)
    const refused = one.transaction(within)
    await expect(refused).rejects.toThrow(InvalidTaskError)
    await expect(refused).rejects.toThrow('Task "shards.echo" goes to db2: ')
    await expect(
      one.transaction((manager) => echo.using({ manager }).enqueueMany([['db1'], ['db2']])),
    ).rejects.toThrow('2 calls go to db1, db2: a transaction is of one database.')
    expect(await rowsOf(0)).toEqual([])
    await one.transaction(async (manager) => {
      const { id } = await echo.using({ manager }).enqueue('db1')
      expect((await echo.using({ manager }).getResult(id)).id).toBe(id)
      const [other] = await rowsOf(1)
      expect((await echo.using({ manager }).getResult(String(other?.id))).backend).toBe('db2')
    })
  })

  it('runs transactional tasks in the database of their shard', async () => {
    const result = await inside.enqueue('db2')
    await work()
    expect((await result.refresh()).returnValue).toBe(1)
  })

  it('fires a schedule from one shard, which its name chooses', async () => {
    const name = 'shards.often'
    schedule(name, echo, { every: 1_000, args: ['db1'] })
    const home = shardOf(`schedule ${name}`, over)
    const other = home === 'db1' ? 'db2' : 'db1'
    expect(schedules.firedBy(home).map((each) => each.name)).toEqual([name])
    expect(schedules.firedBy(other)).toEqual([])
    expect(schedules.firedBy('sharded')).toEqual([])
    const workers = await Promise.all(
      over.map((backend) => startWorker({ backend, interval: 0.05 })),
    )
    const rows = (): Promise<DBTaskResult[]> => rowsOf(over.indexOf(home))
    for (let tries = 0; (await rows()).length < 2 && tries < 200; tries++)
      await new Promise((done) => setTimeout(done, 50))
    await Promise.all(workers.map((worker) => worker.stop()))
    expect((await rows()).length).toBeGreaterThanOrEqual(2)
    expect(await rowsOf(over.indexOf(other))).toEqual([])
    const { id } = schedules.find(name) ?? { id: '' }
    expect(await sharded().newestSlot(id)).not.toBeNull()
    expect(await schedules.find(name)?.fire()).toMatchObject({ backend: home })
  })

  it('is served by no worker of its own: it names those to start', async () => {
    const started = startWorker({ backend: 'sharded' })
    await expect(started).rejects.toThrow(NotSupportedError)
    await expect(started).rejects.toThrow(
      'TASKS.sharded is ShardedBackend, whose tasks are kept and run by db1, db2. Name each of them in its place: --backend db1, --backend db2.',
    )
  })

  it('checks all shards, and says which has a problem', async () => {
    expect(await sharded().check()).toEqual([])
    await takeAway('db2')
    const [problem] = await sharded().check()
    expect(problem).toMatchObject({ level: 'error' })
    expect(problem?.message).toMatch(/^TASKS\.db2: /)
  })

  it('is seen in the dashboard as one backend', async () => {
    const one = await echo.enqueue('db1', 'here')
    const two = await broken.enqueue('db2')
    await runUntilEmpty({ backend: 'db2' })
    const ask = await serve({ backends: ['sharded'] })
    const { body } = await ask('tasks')
    expect(body.tasks.map(({ id }: { id: string }) => id)).toEqual([two.id, one.id])
    expect((await ask(`tasks/${two.id}`)).body).toMatchObject({ status: 'FAILED' })
    expect((await ask('overview')).body.backends).toMatchObject([
      { alias: 'sharded', queues: [{ name: 'default', due: 1 }], problem: null },
    ])
    const retried = await ask('tasks/retry', change({ ids: [two.id] }))
    expect(retried.status).toBe(200)
    expect((await two.refresh()).status).toBe('READY')
  })
})
