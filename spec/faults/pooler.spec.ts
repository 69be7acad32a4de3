import { join } from 'node:path'
import { DataSource, type DataSourceOptions } from 'typeorm'
import { DBTaskResult } from 'typeorm-tasks'
import { DatabaseBackend } from '#backends/database'
import { runUntilEmpty } from '#start-worker'
import { backendContract } from '../contract/backend.contract'
import { databaseStoreContract } from '../contract/open-store'
import { databases, type SpecDatabase } from '../support/databases'
import {
  findPgBouncer,
  pgBouncerHint,
  startPgBouncer,
  type PgBouncer,
} from '../support/servers/pgbouncer'
import { checkEffects, installEffects, readEffects } from './kit/effects'
import { Field } from './kit/field'

const preload = join(__dirname, 'kit/claim-numbers.cjs')
const postgres = databases().find(({ name }) => name === 'postgres')

if (!postgres) it.skip('F50 needs PostgreSQL', () => {})
else if (!findPgBouncer()) {
  process.stderr.write(
    `\n*** MISSING: PgBouncer. ${pgBouncerHint}. F50 is ${process.env['CI'] ? 'failed' : 'skipped'}. ***\n\n`,
  )
  ;(process.env['CI'] ? it : it.skip)('F50 needs PgBouncer', () => {
    throw new Error(`Under CI every pooler must be there. ${pgBouncerHint}`)
  })
} else
  describe('F50 on PostgreSQL behind a pooler that gives a connection for one transaction only', () => {
    const opened: DataSource[] = []
    let bouncer: PgBouncer

    beforeAll(async () => {
      bouncer = await startPgBouncer(((await postgres.fresh()) as { port: number }).port)
    })
    afterAll(async () => {
      await Promise.all(
        opened
          .filter(({ isInitialized }) => isInitialized)
          .map((dataSource) => dataSource.destroy()),
      )
      await bouncer.stop()
    })

    const pooled: SpecDatabase = {
      name: 'postgres',
      fresh: async () =>
        ({ ...(await postgres.fresh()), port: bouncer.port }) as Awaited<
          ReturnType<SpecDatabase['fresh']>
        >,
      connect: async (extra = {}) => {
        const dataSource = new DataSource({
          ...(await pooled.fresh()),
          ...extra,
        } as DataSourceOptions)
        opened.push(dataSource)
        return dataSource.initialize()
      },
    }

    describe('the contract of backends', () => {
      let dataSource: DataSource
      beforeAll(async () => {
        dataSource = await pooled.connect({ entities: [DBTaskResult], synchronize: true })
      })
      afterEach(async () => await dataSource.getRepository(DBTaskResult).clear())

      backendContract({
        BACKEND: DatabaseBackend,
        options: () => ({ dataSource }),
        runs: 'later',
        work: () => runUntilEmpty({ queues: '*' }),
      })
    })

    describe('the contract of stores', () =>
      databaseStoreContract(pooled, { skipsLocked: true, takesOddIds: false }))

    it('two workers run 120 tasks, and one takes over what the other held when it was killed', async () => {
      const field = await Field.open('postgres', (await postgres.fresh()) as DataSourceOptions, {
        app: { port: bouncer.port },
      })
      try {
        await installEffects(field.dataSource)
        const long = await field.enqueue(
          'long.sleep',
          Array.from({ length: 5 }, () => [3_000]),
          { priority: 1 },
        )
        await field.enqueue(
          'long.sleep',
          Array.from({ length: 100 }, () => [20]),
        )
        await field.enqueue(
          'book',
          Array.from({ length: 15 }, () => [10]),
        )
        const worker = await field.worker([], { preload })
        await field.sees('start', 6)
        await field.worker([], { preload })

        worker.kill('SIGKILL')
        await field.finished(undefined, 30_000)

        expect((await field.rows()).filter(({ status }) => status !== 'SUCCESSFUL')).toEqual([])
        expect(
          (await field.rows()).filter(({ id }) => long.includes(id)).map(({ claims }) => claims),
        ).toEqual([2, 2, 2, 2, 2])
        expect(
          checkEffects(
            await readEffects(field.dataSource),
            (await field.rows()).filter(({ taskPath }) => taskPath === 'fault.book'),
          ),
        ).toEqual([])
        await field.verify({ unstarted: true })
      } finally {
        await field.close()
      }
    }, 60_000)
  })
