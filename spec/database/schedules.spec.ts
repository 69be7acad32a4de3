import type { DataSource } from 'typeorm'
import { configureTasks, DBTaskResult, task } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { backends } from '../../lib/backend-registry'
import { scheduleContract } from '../contract/schedule.contract'
import { collate, COLLATIONS } from '../support/collations'
import { describeEachDatabase } from '../support/databases'
import { EntityGround } from '../support/entity-ground'
import { catchLog } from '../support/tasks'

const bare = task('slotKeys.bare', () => {})

describeEachDatabase((database) => {
  let dataSource: DataSource

  beforeAll(async () => {
    catchLog()
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
  })

  scheduleContract(new EntityGround(() => dataSource))

  describe.each(COLLATIONS[database.name])('with keys in the collation %s', (collation) => {
    let other: DataSource

    beforeAll(async () => {
      other = await database.connect({ entities: [DBTaskResult], synchronize: true })
      await collate(other, database, collation)
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource: other } } })
    })
    afterAll(() => {
      configureTasks({ default: { BACKEND: DatabaseBackend, OPTIONS: { dataSource } } })
    })

    it('the newest slot is found among the keys of others', async () => {
      const backend = backends.get('default')
      const ids = ['0', '9', 'a', 'f'].map((digit) => digit.repeat(32))
      const digits = (at: number): string => at.toString(16).padStart(12, '0')
      const keys = ids.flatMap((id) => [9, 10, 15, 16, 26].map((at) => `s${id}${digits(at)}`))
      const strangers = ['t:s', 'f:sa', 'd:z', 'S', `g${'a'.repeat(38)}`, 'sz']
      for (const key of [...keys, ...strangers]) {
        const { id } = await bare.enqueue()
        await other.getRepository(DBTaskResult).update({ id }, { uniqueKey: key })
      }
      for (const id of ids)
        expect(await backend.newestSlot(id)).toMatchObject({ at: new Date(26), status: 'READY' })
      expect(await backend.newestSlot('b'.repeat(32))).toBeNull()
    })
  })
})
