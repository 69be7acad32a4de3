import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, startWorker } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { setClock } from '#clock'
import { databases } from '../support/databases'
import { ManualClock } from '../support/manual-clock'
import { add, catchLog } from '../support/tasks'

let dataSource: DataSource

beforeAll(async () => {
  dataSource = await databases()[0]!.connect({ entities: [DBTaskResult], synchronize: true })
  configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
})
beforeEach(() => void catchLog())
afterEach(async () => await dataSource.getRepository(DBTaskResult).clear())

describe('at its start', () => {
  let clock: ManualClock
  beforeEach(() => {
    clock = ManualClock.install()
    jest.spyOn(Math, 'random').mockReturnValue(0.75)
  })
  afterEach(() => {
    setClock()
    jest.restoreAllMocks()
  })

  it('a worker waits for a random part of startupDelay', async () => {
    const result = await add.enqueue(1)
    const { finished } = await startWorker({ startupDelay: 1_000, batch: true })

    await clock.advance(749)
    expect((await result.refresh()).status).toBe('READY')
    await clock.advance(1)

    await finished
    expect((await result.refresh()).status).toBe('SUCCESSFUL')
  })

  it('a worker does not wait without one', async () => {
    const { finished } = await startWorker({ batch: true })

    expect(await finished).toEqual({ started: 0, abandoned: 0 })
  })
})
