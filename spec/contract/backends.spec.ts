import type { DataSource } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { runUntilEmpty } from '#start-worker'
import { backendContract, type BackendPlace } from './backend.contract'
import { keysContract } from './keys.contract'
import { describeEachDatabase } from '../support/databases'

const idle = async (): Promise<void> => {}

describe('ImmediateBackend', () =>
  backendContract({
    BACKEND: ImmediateBackend,
    options: () => ({}),
    runs: 'at enqueue',
    work: idle,
  }))

describe('DummyBackend', () =>
  backendContract({ BACKEND: DummyBackend, options: () => ({}), runs: 'never', work: idle }))

describe('DatabaseBackend', () => {
  describeEachDatabase((database) => {
    let dataSource: DataSource

    beforeAll(async () => {
      dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    })
    afterEach(async () => await dataSource.getRepository(DBTaskResult).clear())

    const place: BackendPlace = {
      BACKEND: DatabaseBackend,
      options: () => ({ dataSource }),
      runs: 'later',
      work: () => runUntilEmpty({ queues: '*' }),
    }
    backendContract(place)
    describe('keys', () => keysContract(place))
  })
})
