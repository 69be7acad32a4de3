import { Between, type DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, group, task } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { dialectFor } from '#dialect-for'
import { Portable } from '#portable/dialect'
import { Session } from '#session'
import { tableOf } from '#database/table'
import { backends } from '../../lib/backend-registry'
import type { Dialect } from '../../backends/database/dialects/dialect'
import type { FlowRows } from '../../backends/database/dialects/flow-verbs'
import { memberKey } from '../../backends/keys'
import { wholeOf } from '../../backends/database/flows/settling'
import { collate, COLLATIONS } from '../support/collations'
import { describeEachDatabase } from '../support/databases'
import { catchLog } from '../support/tasks'

const part = task('ranges.part', (value: unknown) => value)
const gather = task('ranges.gather', (values: unknown) => values)

/** Members: more than one statement reads. */
const MANY = 2_500

describeEachDatabase((database) => {
  const { name } = database

  beforeAll(() => catchLog())

  async function open(): Promise<DataSource> {
    const dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
    return dataSource
  }

  /** Of the database's dialect, and of the one for all others, where it can read these rows. */
  async function verbsOf(dataSource: DataSource): Promise<[string, FlowRows][]> {
    const table = await tableOf(dataSource)
    const dialects: Dialect[] = [
      dialectFor(table),
      ...(name === 'sqlite' ? [new Portable(table)] : []),
    ]
    return dialects.map((dialect) => [dialect.name, dialect.flowRows(new Session(dataSource))])
  }

  describe.each(COLLATIONS[name])('with keys in the collation %s', (collation) => {
    let dataSource: DataSource

    beforeAll(async () => {
      dataSource = await open()
      await collate(dataSource, database, collation)
    })

    it('exactly the members of a set are found, in their order, among the keys of others', async () => {
      const [low, set, high] = ['0a', 'ab', 'ac'].map((digits) => digits.repeat(16)) as [
        string,
        string,
        string,
      ]
      const ordinals = [0, 1, 9, 10, 15, 16, 255, 256, 4_095, 99_999, 16 ** 6 - 1]
      const members = ordinals.map((ordinal) => memberKey(set, ordinal))
      const strangers = [
        ...[low, high].flatMap((other) => ordinals.map((ordinal) => memberKey(other, ordinal))),
        ...['f', 't', 'd'].map((kind) => `${kind}:${memberKey(set, 2)}`),
        `f:${memberKey(set, 6).toUpperCase()}`,
        memberKey(set, 3).toUpperCase(),
        `g${set}`,
        `g${set}-00004`,
        `g-${set}000005`,
        `s${set}000000000001`,
        'g',
        'h',
      ]
      const rows = dataSource.getRepository(DBTaskResult)
      const ids = await part.enqueueMany([...members, ...strangers].map((key) => [key] as const))
      // Written backwards, so that they are not in order by chance.
      for (const [i, key] of [...members, ...strangers].entries())
        await rows.update({ id: ids.at(-1 - i)!.id }, { uniqueKey: key, status: 'SUCCESSFUL' })
      const failedAt = members.slice(2, 5)
      for (const key of [...failedAt, ...strangers])
        await rows.update({ uniqueKey: key }, { status: 'FAILED' })

      for (const [dialect, verbs] of await verbsOf(dataSource)) {
        const range = wholeOf(set)
        const found = (await verbs.members(range, 1_000)).map(({ unique_key: key }) => key)
        expect([dialect, found]).toEqual([dialect, members])
        const firstFailed = new Map([[set, { key: failedAt[0], status: 'FAILED' }]])
        expect(await verbs.first([range], 'failed')).toEqual(firstFailed)
        expect(await verbs.first([range], 'unsuccessful')).toEqual(firstFailed)
        const part = { set, from: members[3]!, upTo: members[4]! }
        expect((await verbs.members(part, 9)).map(({ unique_key: key }) => key)).toEqual(
          members.slice(3, 5),
        )
        expect(await verbs.first([range], 'open')).toEqual(new Map())
      }
      for (const key of strangers) await rows.update({ uniqueKey: key }, { status: 'READY' })
      for (const [dialect, verbs] of await verbsOf(dataSource)) {
        expect([dialect, await verbs.first([wholeOf(set)], 'open')]).toEqual([dialect, new Map()])
        const keys = (await verbs.members(wholeOf(set), 1_000)).map(({ row_key: key }) => key)
        expect([...(await verbs.memberOptions(keys)).keys()].toSorted()).toEqual(keys.toSorted())
      }
    })
  })

  it(`what follows ${MANY} gets all values in order, also beside a gap that somebody has made`, async () => {
    const dataSource = await open()
    const rows = dataSource.getRepository(DBTaskResult)
    const handle = await enqueueMany()
    const set = await setOf(dataSource, handle)
    await rows.delete({ uniqueKey: Between(memberKey(set, 1_000), memberKey(set, 2_199)) })
    await rows
      .createQueryBuilder()
      .update()
      .set({ status: 'SUCCESSFUL', returnValue: () => 'args_kwargs' })
      .where('task_path = :name', { name: part.name })
      .execute()

    const store = await backends.get('default').openStore({})
    expect(await store.settleWaiting?.()).toEqual({ due: 1, waiting: 1 })
    const filter = { workerId: 'w', queues: null, excludeQueues: [] }
    const { claimed } = await store.exchange([], 1, filter)
    await store.close()
    const given = (claimed[0]!.values.args[0] as { args: [number] }[]).map(({ args: [i] }) => i)
    expect(given).toEqual(
      Array.from({ length: MANY }, (_, i) => i).filter((i) => i < 1_000 || i >= 2_200),
    )
  })
})

const enqueueMany = () =>
  group(Array.from({ length: MANY }, (_, i) => part.order(i)))
    .next((values) => gather.order(values))
    .enqueue()

/** The set that the last row of a flow waits for. */
async function setOf(dataSource: DataSource, { last }: { last: { id: string } }): Promise<string> {
  const { options } = await dataSource.getRepository(DBTaskResult).findOneByOrFail({ id: last.id })
  return (options as { flow: { awaits: { set: string } } }).flow.awaits.set
}
