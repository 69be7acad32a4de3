import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSource, EntityManager } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  managerOn,
  remoteTask,
  type RunningWorker,
  startWorker,
} from 'typeorm-tasks'
import { addressOnHost } from '#address'
import { DatabaseBackend } from '#backends/database'
import { backends } from '#backend-registry'
import { task } from '#define'
import type { Store, StoreOptions, Wakeup } from '#lib/store'
import { type Folder, folderOf } from '#wakeups/folder'
import { clientOn } from '../support/foreign-clients'
import { describeEachDatabase, type FreshOptions } from '../support/databases'
import { catchLog } from '../support/tasks'
import { typeormEnv } from '../support/typeorm'

/** Far below the interval of the worker, and far above what a wake-up takes on a slow machine. */
const AT_ONCE_MS = 2_000
const INTERVAL_MS = 30_000

/** When a run began, or was told to stop, by the task's id. */
const began = new Map<string, number>()
const stopped = new Map<string, number>()
task('wakeups.note', ({ taskResult }) => void began.set(taskResult.id, Date.now()), {
  takesContext: true,
})
task(
  'wakeups.wait',
  async ({ signal, taskResult }) => {
    began.set(taskResult.id, Date.now())
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    stopped.set(taskResult.id, Date.now())
  },
  { takesContext: true },
)

/** What the other process has done. */
interface Done {
  readonly id: string
  readonly at: number
}

describeEachDatabase(
  (database) => {
    let dataSource: DataSource
    let folder: Folder
    let enqueuer: ChildProcess
    let ended: Promise<never>
    let worker: RunningWorker | undefined

    beforeAll(async () => {
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
      const { tablePath } = dataSource.getMetadata(DBTaskResult)
      const path = tablePath.split('.').map((part) => dataSource.driver.escape(part))
      folder = folderOf(addressOnHost(dataSource.options, undefined), path.join('.'))
      configure(true)
      const { entities: _, ...options } = dataSource.options
      const program = join(__dirname, '../support/enqueuer.cjs')
      const given = JSON.stringify({ ...options, synchronize: false })
      enqueuer = fork(program, [given], { env: typeormEnv() })
      ended = once(enqueuer, 'exit').then(() => Promise.reject(new Error('it has ended')))
      ended.catch(() => {})
      await once(enqueuer, 'message')
    })
    afterAll(() => enqueuer.disconnect())
    beforeEach(() => void catchLog())
    afterEach(async () => {
      await worker?.stop()
      worker = undefined
    })

    it('an idle worker runs at once what another process enqueues, in a transaction after its commit', async () => {
      worker = await idleWorker()

      const first = await elsewhere('enqueue', { name: 'wakeups.note' })
      expect(await lagOf(began, first)).toBeLessThan(AT_ONCE_MS)
      await sleep(100)
      const second = await elsewhere('slowly', { name: 'wakeups.note', ms: 300 })
      expect(await lagOf(began, second)).toBeLessThan(AT_ONCE_MS)

      rmSync(folder.path, { recursive: true })
      while (!existsSync(folder.path)) await sleep(10)
      // The other process may have found that there is no folder, and remembers it for a second.
      await sleep(1_100)
      const third = await elsewhere('enqueue', { name: 'wakeups.note' })
      expect(await lagOf(began, third)).toBeLessThan(AT_ONCE_MS)
    })

    it('a running task hears at once that another process has cancelled it', async () => {
      worker = await idleWorker()
      const { id } = await elsewhere('enqueue', { name: 'wakeups.wait' })
      await lagOf(began, { id, at: 0 })

      const done = await elsewhere('cancel', { name: 'wakeups.wait', id })

      expect(await lagOf(stopped, done)).toBeLessThan(AT_ONCE_MS)
    })

    it('a worker asks the database nothing for rows of queues that it does not serve', async () => {
      worker = await idleWorker()
      const before = exchanges

      await elsewhere('enqueue', { name: 'wakeups.note', queueName: 'other' })
      await elsewhere('enqueue', { name: 'wakeups.note', queueName: 'other' })
      await sleep(300)
      expect(exchanges).toBe(before)

      const served = await elsewhere('enqueue', { name: 'wakeups.note' })
      expect(await lagOf(began, served)).toBeLessThan(AT_ONCE_MS)
    })

    it('with notify: false workers do not listen to other processes', async () => {
      configure(false)
      const store = await backends.get('default').openStore({ wakeup: () => {} })
      expect(existsSync(folder.path)).toBe(false)
      await store.close()
      configure(true)
    })

    it('what a transaction writes is told when that is committed, and not if it is rolled back', async () => {
      const heard: Wakeup[] = []
      const store = await backends
        .get('default')
        .openStore({ wakeup: (wakeup) => void heard.push(wakeup) })
      const enqueue = (manager: EntityManager): Promise<unknown> =>
        remoteTask('wakeups.note').using({ manager }).enqueue()

      await dataSource.transaction(async (manager) => {
        await enqueue(manager)
        await manager.transaction(enqueue)
        await sleep(50)
        expect(heard).toEqual([])
      })
      expect(heard.length).toBeGreaterThan(0)

      await sleep(200)
      heard.length = 0
      const back = dataSource.transaction(async (manager) => {
        await enqueue(manager)
        throw new Error('back')
      })
      await expect(back).rejects.toThrow('back')
      await dataSource.transaction(async () => {})
      await sleep(50)
      expect(heard).toEqual([])

      // Of a transaction of other code the end is not seen.
      const foreign = await clientOn(dataSource.options as FreshOptions)
      await foreign.run('BEGIN')
      await enqueue(managerOn(dataSource, foreign.client))
      expect(heard[0]).toEqual({ what: 'ready', queue: 'default' })
      await foreign.run('ROLLBACK')
      await foreign.end()
      await store.close()
    })

    it('what takes several statements is told once, when all of it can be seen', async () => {
      // A file tells this process as well.
      configure(false)
      const seen: Promise<number>[] = []
      const store = await backends.get('default').openStore({
        wakeup: () => void seen.push(dataSource.getRepository(DBTaskResult).count()),
      })
      const many = (count: number, length: number): Promise<unknown> =>
        remoteTask('wakeups.note').enqueueMany(
          Array.from({ length: count }, () => ['x'.repeat(length)]),
        )
      for (const [count, length] of [
        [1, 1],
        [2, 1],
        // The most of one statement is 2 MB on MariaDB and MySQL.
        [3, 1_000_000],
      ] as const) {
        await sleep(100)
        await dataSource.getRepository(DBTaskResult).clear()
        await many(count, length)
        expect(await Promise.all(seen.splice(0))).toEqual([count])
      }
      await store.close()
      configure(true)
    })

    function configure(notify: boolean): void {
      configureTasks({
        default: { BACKEND: CountingBackend, QUEUES: [], OPTIONS: { dataSource, notify } },
      })
    }

    async function elsewhere(verb: string, wish: object): Promise<Done> {
      const answer = once(enqueuer, 'message')
      enqueuer.send({ verb, ...wish })
      const [done] = (await Promise.race([answer, ended])) as [Done]
      return done
    }
  },
  { only: ['sqlite', 'mariadb', 'mysql'] },
)

let exchanges = 0

class CountingBackend extends DatabaseBackend {
  override async openStore(options: StoreOptions): Promise<Store> {
    const store = await super.openStore(options)
    const { exchange } = store
    store.exchange = (...given) => (exchanges++, exchange.apply(store, given))
    return store
  }
}

async function idleWorker(): Promise<RunningWorker> {
  const worker = await startWorker({ interval: INTERVAL_MS, startupDelay: 0 })
  await sleep(500)
  return worker
}

/** Milliseconds from what the other process has done until this process has noted it for that task. */
async function lagOf(noted: Map<string, number>, { id, at }: Done): Promise<number> {
  for (const end = Date.now() + INTERVAL_MS / 2; !noted.has(id) && Date.now() < end;) await sleep(5)
  return (noted.get(id) ?? Number.POSITIVE_INFINITY) - at
}
