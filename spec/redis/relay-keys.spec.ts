import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { DataSource } from 'typeorm'
import {
  atomic,
  configureTasks,
  DBTaskResult,
  ResultMismatchError,
  runUntilEmpty,
  type TaskResult,
} from 'typeorm-tasks'
import { BullMQBackend } from 'typeorm-tasks/backends/bullmq'
import { DatabaseBackend } from '#backends/database'
import { backends } from '#backend-registry'
import { task } from '#define'
import { describeEachDatabase } from '../support/databases'
import { describeOnRedis, freshPrefix, redisUrl } from '../support/redis'
import { catchLog } from '../support/tasks'

const HOUR_MS = 3_600_000
const USING = { backend: 'fast', queueName: 'mail' } as const

/** What ran, in its order. */
const runs: string[] = []
const note = task('relay.keyed', (name: string) => void runs.push(name), USING)
const other = task('relay.other', (name: string) => void runs.push(name), USING)

describeOnRedis('keys of rows that wait for the relay', () => {
  describeEachDatabase((database) => {
    let dataSource: DataSource
    let prefix: string

    beforeAll(async () => {
      catchLog()
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    })
    beforeEach(async () => {
      runs.length = 0
      await table().clear()
      configure(dataSource)
    })
    afterEach(() => backends.get('fast').close())

    function configure(ofRelay: DataSource): void {
      prefix = freshPrefix()
      configureTasks({
        default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } },
        fast: {
          BACKEND: BullMQBackend,
          QUEUES: ['mail', 'default'],
          OPTIONS: { connection: redisUrl(), prefix, dataSource: ofRelay },
        },
      })
    }
    const table = () => dataSource.getRepository(DBTaskResult)
    const drain = () => runUntilEmpty({ backend: 'fast', queues: '*' })
    const inside = <T>(work: () => Promise<T>): Promise<T> => atomic(dataSource, work)
    const seen = (results: readonly TaskResult<unknown>[]) =>
      results.map(({ id, isDuplicate }) => [id, isDuplicate])

    it('keep out an enqueue outside of a transaction, also one of many', async () => {
      const keyed = note.using({ uniqueKey: (name) => name })
      const row = await inside(() => keyed.enqueue('one'))
      const direct = await keyed.enqueue('one')
      const [first, second, third] = await keyed.enqueueMany([['two'], ['one'], ['two']])

      expect(seen([direct, second!])).toEqual(seen([direct, direct]))
      expect([direct.id, direct.isDuplicate, direct.status]).toEqual([row.id, true, 'READY'])
      expect(seen([first!, third!])).toEqual([
        [first!.id, false],
        [first!.id, true],
      ])
      await drain()
      expect(runs.toSorted()).toEqual(['one', 'two'])
      expect((await direct.refresh()).status).toBe('SUCCESSFUL')
      expect((await keyed.enqueue('one')).isDuplicate).toBe(false)
    })

    it('are counted as calls where others of them cannot be written', async () => {
      const keyed = note.using({ uniqueKey: (name) => name })
      await inside(() => keyed.enqueueMany([['one'], ['two']]))
      const redis = new Redis(redisUrl())
      await redis.set(`${prefix}:mail:wait`, 'of another program')
      const calls = keyed.enqueueMany([['one'], ['three'], ['two'], ['four']])
      await expect(calls).rejects.toMatchObject({
        message: expect.stringContaining('2 of 4 tasks of one enqueueMany') as string,
        hint: expect.stringContaining('again: calls[1], calls[3];') as string,
      })
      await redis.del(`${prefix}:mail:wait`)
      redis.disconnect()
    })

    it('keep it out when they are due later, too', async () => {
      const keyed = note.using({ uniqueKey: 'later' })
      const runAfter = new Date(Date.now() + HOUR_MS)
      const row = await inside(() => keyed.using({ runAfter }).enqueue('row'))
      const direct = await keyed.enqueue('direct')
      expect([direct.id, direct.isDuplicate]).toEqual([row.id, true])
      await drain()
      expect(runs).toEqual([])
    })

    it('keep it out by a throttle, for as long as the call says', async () => {
      const calls = (every: number) => note.using({ throttle: { every, key: 'often' } })
      const runAfter = new Date(Date.now() + HOUR_MS)
      const row = await inside(() => calls(HOUR_MS).using({ runAfter }).enqueue('row'))
      expect((await calls(HOUR_MS).enqueue('direct')).id).toBe(row.id)
      await backends.get('fast').cancel(row)
      expect((await calls(HOUR_MS).enqueue('again')).id).toBe(row.id)
      await sleep(20)
      expect((await calls(10).enqueue('free')).isDuplicate).toBe(false)
    })

    it('that another task asks for are refused', async () => {
      await inside(() => note.using({ uniqueKey: 'mine' }).enqueue('row'))
      const refused = other.using({ uniqueKey: 'mine' }).enqueue('direct')
      await expect(refused).rejects.toThrow(ResultMismatchError)
    })

    it('belong to one backend: those of another one in the same table keep nothing out', async () => {
      const keyed = note.using({ uniqueKey: 'both' })
      await keyed.using({ backend: 'default', queueName: 'default' }).enqueue('table')
      expect((await keyed.enqueue('direct')).isDuplicate).toBe(false)
    })

    it('of a debounce are one, in a transaction and outside of it', async () => {
      const calls = note.using({ debounce: { wait: 300, key: 'slow' } })
      const first = await calls.enqueue('first')
      const second = await inside(() => calls.enqueue('second'))
      const [last] = await calls.enqueueMany([['third'], ['last']])
      expect(seen([second, last!])).toEqual([
        [first.id, true],
        [first.id, true],
      ])
      await sleep(400)
      await drain()
      expect(runs).toEqual(['last'])
      expect((await first.refresh()).status).toBe('SUCCESSFUL')
    })

    it('of a call that is rolled back keep nothing out', async () => {
      const keyed = note.using({ uniqueKey: 'undone' })
      const undone = inside(async () => {
        await keyed.enqueue('never')
        throw new Error('rolled back')
      })
      await expect(undone).rejects.toThrow('rolled back')
      expect((await keyed.enqueue('direct')).isDuplicate).toBe(false)
    })

    const onSqlite = database.name === 'sqlite' ? it : it.skip
    onSqlite('are free when their job is over, though the row is not deleted yet', async () => {
      const keyed = note.using({ uniqueKey: 'over' })
      const { tableName } = table().metadata
      await inside(() => keyed.enqueue('row'))
      await dataSource.query(
        `CREATE TRIGGER stays BEFORE DELETE ON ${tableName} BEGIN SELECT RAISE(ABORT, 'stays'); END`,
      )
      await drain()
      await dataSource.query('DROP TRIGGER stays')
      expect([runs, await table().count()]).toEqual([['row'], 1])
      const committed = await inside(() => keyed.enqueue('committed'))
      expect(committed.isDuplicate).toBe(false)
      await drain()
      expect((await keyed.enqueue('direct')).isDuplicate).toBe(false)
      expect(runs).toEqual(['row', 'committed'])
    })

    it('are not known where the database is not open: Redis says who has the key', async () => {
      const closed = new DataSource({ type: 'better-sqlite3', database: ':memory:' })
      configure(closed)
      const keyed = note.using({ uniqueKey: 'closed' })
      const first = await keyed.enqueue('first')
      expect([first.isDuplicate, (await keyed.enqueue('second')).id]).toEqual([false, first.id])
    })
  })
})
