import { setTimeout as sleep } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { DataSource } from 'typeorm'
import { DatabaseBackend } from '#backends/database'
import { DBTaskResult } from '#entities'
import type { ClaimedRow, Store } from '#lib/store'
import { DatabaseRows } from '../contract/database-rows'
import { claim, rescue, claimFilter } from '../contract/rows'
import { describeEachDatabase } from '../support/databases'

const LOCKED = 150

/** One of those that want the same row: does its work and says whether it got what it wanted. */
type Contender = (race: Race) => Promise<boolean>

interface Race {
  readonly id: string
  readonly row: ClaimedRow
  readonly stores: readonly [Store, Store]
  readonly backend: DatabaseBackend
}

const finish: Contender = async ({ stores: [store], row }) =>
  (
    await store.exchange(
      [{ key: row.key, claims: row.claims, status: 'SUCCESSFUL', returnValue: '1' }],
      0,
      claimFilter(),
    )
  ).answers[0] === 'kept'
const renew: Contender = async ({ stores: [store], row }) =>
  (await store.renew([{ key: row.key, claims: row.claims }])).lost.length === 0
const release: Contender = async ({ stores: [store], row }) => (await store.release([row])) === 1
const rescueFirst: Contender = async ({ stores: [, store], id }) =>
  (await rescue(store)).released.includes(id)
const rescueToo: Contender = async ({ stores: [store], id }) =>
  (await rescue(store)).released.includes(id)

/** Both want an expired row, in either order; exactly one gets it, and the row says which. */
const races: [string, Contender, Contender, readonly [object, object]][] = [
  [
    'finish against rescue',
    finish,
    rescueFirst,
    [
      { status: 'SUCCESSFUL', attemptErrors: null },
      { status: 'READY', returnValue: null },
    ],
  ],
  [
    'renewal against rescue',
    renew,
    rescueFirst,
    [
      { status: 'RUNNING', attemptErrors: null },
      { status: 'READY', leaseUntil: null },
    ],
  ],
  [
    'release against rescue',
    release,
    rescueFirst,
    [
      { status: 'READY', workerIds: [], attemptErrors: null },
      { status: 'READY', workerIds: ['w-1'], attemptErrors: [{}] },
    ],
  ],
  [
    'rescue against rescue',
    rescueToo,
    rescueFirst,
    [
      { status: 'READY', attemptErrors: [{}] },
      { status: 'READY', attemptErrors: [{}] },
    ],
  ],
]

describeEachDatabase((database) => {
  let dataSource: DataSource
  let backend: DatabaseBackend
  let stores: [Store, Store]

  beforeAll(async () => {
    // SQLite's driver must not wait for a lock that this very process holds.
    const options = {
      ...(await database.fresh()),
      ...(database.name === 'sqlite' ? { timeout: 0 } : {}),
      entities: [DBTaskResult],
      synchronize: true,
    }
    dataSource = await new DataSource(options).initialize()
    backend = new DatabaseBackend('default', { queues: [], options: { dataSource } })
    stores = [await backend.openStore({}), await backend.openStore({})]
  })
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await dataSource.destroy()
  })
  beforeEach(() => new DatabaseRows(dataSource).clear())

  async function claimed(): Promise<Race> {
    const [id] = await new DatabaseRows(dataSource).add({})
    const [row] = (await claim(stores[0], 1)).claimed
    return { id: id!, row: row!, stores, backend }
  }

  for (const [what, one, other, ends] of races)
    for (const order of ['one after the other', 'the other way round'])
      it(`F63 ${what}, ${order}, while somebody holds the row: exactly one gets it`, async () => {
        const race = await claimed()
        await new DatabaseRows(dataSource).expire(race.id)
        const free = await lock(race.row.key)

        const asked = order === 'one after the other' ? [one, other] : [other, one]
        const answers: Promise<boolean>[] = []
        for (const contender of asked) {
          answers.push(contender(race))
          await sleep(LOCKED)
        }
        // Whoever is held up has done nothing; a rescue may pass over what is locked, and leave it for its next look.
        expect((await seen(race.id)).status).toBe('RUNNING')
        await free()
        const won = await Promise.all(answers)

        // If all passed it over it is there to be taken still.
        const wins = won.filter(Boolean).length
        if (wins === 0) expect(await rescueFirst(race)).toBe(true)
        else expect(wins).toBe(1)
        const winner = wins === 0 ? other : asked[won.indexOf(true)]
        expect(await seen(race.id)).toMatchObject(ends[winner === one ? 0 : 1])
      })

  for (const order of ['finish first', 'cancel first'])
    it(`F63 finish against cancel, ${order}, while somebody holds the row: it ends one way`, async () => {
      const race = await claimed()
      const free = await lock(race.row.key)
      const result = await backend.getResult(race.id)
      const cancel = async (): Promise<boolean> => (await onItsOwn(() => result.cancel()), true)

      const answers: Promise<boolean>[] = []
      for (const contender of order === 'finish first' ? [finish, cancel] : [cancel, finish]) {
        answers.push(contender(race))
        await sleep(LOCKED)
      }
      await free()
      const won = await Promise.all(answers)

      const isKept = won[order === 'finish first' ? 0 : 1]
      const row = await seen(race.id)
      expect(row.status).toBe(isKept ? 'SUCCESSFUL' : 'RUNNING')
      expect(row.cancelRequestedAt === null).toBe(isKept)
    })

  async function seen(id: string): Promise<DBTaskResult> {
    return dataSource.getRepository(DBTaskResult).findOneByOrFail({ id })
  }

  /** An app on SQLite is told at once that the file is locked, or waits in its driver: here it asks again. */
  async function onItsOwn(work: () => Promise<unknown>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return void (await work())
      } catch (error) {
        if (database.name !== 'sqlite' || tries > 100) throw error
        await sleep(10)
      }
    }
  }

  /** Takes the row for itself; gives what frees it. */
  async function lock(key: string): Promise<() => Promise<void>> {
    if (database.name === 'sqlite') {
      const file = new Sqlite(String(dataSource.options.database))
      file.exec('BEGIN IMMEDIATE')
      return async () => void file.close()
    }
    const runner = dataSource.createQueryRunner()
    await runner.startTransaction()
    await runner.query(`SELECT id FROM db_task_result WHERE id = '${key}' FOR UPDATE`)
    return async () => {
      await runner.rollbackTransaction()
      await runner.release()
    }
  }
})
