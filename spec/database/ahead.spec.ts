import type { DataSource } from 'typeorm'
import { DBTaskResult, MOST_AHEAD } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { DatabaseRows } from '../contract/database-rows'
import { describeEachDatabase } from '../support/databases'

const TOMORROW = new Date(Date.now() + 86_400_000)
const YESTERDAY = new Date(Date.now() - 86_400_000)

describeEachDatabase((database) => {
  let dataSource: DataSource
  let rows: DatabaseRows
  let backend: DatabaseBackend

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    rows = new DatabaseRows(dataSource)
    backend = new DatabaseBackend('default', { queues: [], options: { dataSource } })
  })
  afterEach(() => rows.clear())

  const aheadOf = async (id: string | undefined): Promise<number | null> =>
    backend.ahead(await backend.getResult(id ?? ''))

  it('counts the due tasks of its queue that a worker would take first', async () => {
    const [earlier] = await rows.add({})
    const [own] = await rows.add({})
    await rows.add({})
    expect([await aheadOf(earlier), await aheadOf(own)]).toEqual([0, 1])

    await rows.add({ priority: 5 })
    await rows.add({ priority: -5 })
    await rows.add({ runAfter: YESTERDAY })
    expect(await aheadOf(own)).toBe(3)

    for (const others of [
      { queueName: 'mail' },
      { backendName: 'other' },
      { status: 'RUNNING' as const },
      { status: 'SUCCESSFUL' as const },
      { runAfter: TOMORROW },
      { runAfter: TOMORROW, priority: 5 },
    ])
      await rows.add({ priority: 1, ...others })
    expect(await aheadOf(own)).toBe(3)
  })

  it('counts before a task that was delayed only those that were due earlier', async () => {
    await rows.add({})
    await rows.add({ runAfter: YESTERDAY })
    const [own] = await rows.add({ runAfter: new Date(YESTERDAY.getTime() + 60_000) })
    await rows.add({ runAfter: new Date(YESTERDAY.getTime() + 120_000) })
    expect(await aheadOf(own)).toBe(1)
  })

  it('is null for a task that is not due, runs or has finished', async () => {
    for (const values of [
      { runAfter: TOMORROW },
      { status: 'RUNNING' as const },
      { status: 'FAILED' as const },
    ]) {
      const [id] = await rows.add(values)
      expect(await aheadOf(id)).toBeNull()
    }
  })

  it('tells tasks of one call apart', async () => {
    const ids = (await rows.addMany(4)).toSorted()
    const counts = await Promise.all(ids.map(aheadOf))
    expect(counts.toSorted()).toEqual([0, 1, 2, 3])
  })

  it('stops at the greatest number, and where other queues stand in the way', async () => {
    await rows.addMany(MOST_AHEAD + 20)
    const [last] = await rows.add({})
    expect(await aheadOf(last)).toBe(MOST_AHEAD)

    const [alone] = await rows.add({ queueName: 'mail' })
    expect(await aheadOf(alone)).toBe(0)
    for (let batch = 0; batch < 4; batch++) await rows.addMany(250)
    const [behind] = await rows.add({ queueName: 'mail' })
    expect(await aheadOf(behind)).toBeNull()
  })
})
