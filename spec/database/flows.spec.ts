import type { DataSource } from 'typeorm'
import {
  configureTasks,
  DBTaskResult,
  type FlowFailure,
  group,
  pruneResults,
  runUntilEmpty,
  task,
} from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { dashed } from '#formats'
import { dialectFor } from '#dialect-for'
import { Portable } from '#portable/dialect'
import { Session } from '#session'
import { tableOf } from '#database/table'
import type { AfterRow } from '../../backends/database/dialects/flow-verbs'
import { describeEachDatabase } from '../support/databases'
import { EntityGround } from '../support/entity-ground'
import { catchLog } from '../support/tasks'
import { flowContract } from '../contract/flow.contract'

let ran: unknown[] = []
const double = task('flowRows.double', (value: number) => 2 * value)
const sum = task('flowRows.sum', (values: readonly number[], more: number) =>
  values.reduce((all, value) => all + value, more),
)
const note = task('flowRows.note', (value: unknown) => void ran.push(value))
const failed = task('flowRows.failed', (failure: FlowFailure) => void ran.push(failure))

describeEachDatabase(({ name, connect }) => {
  let dataSource: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })
  beforeEach(() => {
    ran = []
  })

  flowContract(new EntityGround(() => dataSource))

  const rows = () => dataSource.getRepository(DBTaskResult)
  const drain = () => runUntilEmpty({ queues: '*' as never, concurrency: 10 })
  const members = (values: number[]) => group(values.map((value) => double.order(value)))

  it('members have options only where their keys do not say all, and are followed in either case', async () => {
    await members([1, 2])
      .next((values) => sum.order(values, 0))
      .enqueue()
    const noted = (value: number) => note.order(value)
    const told = (failure: FlowFailure) => failed.order(failure)
    await double.order(3).onFailure(told).enqueue()
    await double.using({ timeLimit: 60_000 }).order(4).next(noted).enqueue()
    await double
      .order(5)
      .next((value) => double.order(value))
      .next(noted)
      .enqueue()

    const all = await rows().find({ order: { id: 'ASC' } })
    const flowOf = ({ options }: DBTaskResult): string =>
      options
        ? Object.keys((options as { flow: object }).flow)
            .toSorted()
            .join(' ')
        : 'none'
    const ofEach = ['none', 'none', 'awaits', 'member', 'awaits', 'member', 'awaits', 'none']
    expect(all.map(flowOf)).toEqual([...ofEach, 'awaits member', 'awaits'])
    await drain()

    expect(ran.toSorted()).toEqual([20, 8])
    expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(9)
  })

  it('keys and options of another program are no flow, and keep none from going on', async () => {
    const rubbish = await note.enqueueMany([[1], [2], [3]])
    await runUntilEmpty()
    const keys = ['g"}', 'g', `g${'a'.repeat(31)}"`]
    for (const [i, { id }] of rubbish.entries())
      await rows().update({ id }, { uniqueKey: keys[i]! })
    await members([1])
      .next((values) => sum.order(values, 0))
      .enqueue()
    if (name === 'sqlite' || name === 'mariadb') {
      const { id } = await note.enqueue(0)
      await dataSource.query(
        `UPDATE db_task_result SET options = '{"awaits"' WHERE id = '${dataSource.options.type === 'mariadb' ? id : id.replaceAll('-', '')}' OR id = '${id}'`,
      )
    }
    await drain()
    expect(await rows().countBy({ status: 'SUCCESSFUL', taskPath: 'flowRows.sum' })).toBe(1)
    await pruneResults({ minAge: 0, queues: '*' as never })
    expect(await rows().countBy({ status: 'SUCCESSFUL' })).toBe(0)
  })

  it('in a transaction that is rolled back nothing is written', async () => {
    await dataSource
      .transaction(async (manager) => {
        await members([1, 2])
          .next((values) => sum.order(values, 0))
          .enqueue({ manager })
        throw new Error('taken back')
      })
      .catch(() => {})
    expect(await rows().count()).toBe(0)
  })

  it('a look at what waits goes through all priorities, whatever was enqueued first', async () => {
    const later = [5, 0, -5].map((priority) =>
      members([1]).next((values) => sum.using({ priority }).order(values, 0)),
    )
    const ids: string[] = []
    for (const flow of [...later, ...later]) ids.push((await flow.enqueue()).last.id)

    const table = await tableOf(dataSource)
    // Elsewhere rows have microseconds, which the portable dialect does not write, nor read.
    const portable = name === 'sqlite' ? [new Portable(table)] : []
    for (const dialect of [dialectFor(table), ...portable]) {
      const waiting = dialect.flowRows(new Session(dataSource))
      const seen: string[] = []
      for (let after: AfterRow = null; seen.length <= ids.length;) {
        const [row] = await waiting.waiting('default', after, 1)
        if (!row) break
        seen.push(dashed(row.row_key))
        after = row
      }
      expect(seen.toSorted()).toEqual(ids.toSorted())
      expect(await waiting.waiting('default', null, 100)).toHaveLength(ids.length)
    }
  })
})
