import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DataSourceOptions } from 'typeorm'
import { describeEachDatabase } from '../support/databases'
import { serverNames } from '../support/servers/start'
import { Field, type Expected } from './kit/field'
import { Proxy } from './kit/proxy'
import { claimsOf, LEASE } from './kit/timing'

/** What a claim sends last. */
const CLAIM = { postgres: /claims, 0\) \+ 1/, mariadb: /COMMIT/, mysql: /COMMIT/ }

describeEachDatabase(
  (database) => {
    const { name } = database
    describe('through a network with faults', () => {
      const add = (
        title: string,
        work: (field: Field, proxy: Proxy) => Promise<Expected | void>,
      ): void =>
        it.concurrent(
          title,
          async () => {
            const direct = (await database.fresh()) as DataSourceOptions & {
              host: string
              port: number
            }
            const proxy = await Proxy.to(direct)
            const field = await Field.open(name, direct, { app: { port: proxy.port } })
            try {
              await field.verify((await work(field, proxy)) ?? {})
            } finally {
              await field.close()
              await proxy.close()
            }
          },
          120_000,
        )

      add(
        'F30 a worker whose connections are cut again and again loses no task',
        async (field, proxy) => {
          const ids = await field.enqueue(
            'sleep',
            Array.from({ length: 60 }, (_, i) => [i * 10]),
          )
          const own = await field.enqueue('query', [[40, 50]])
          const worker = await field.worker()
          await field.sees('start')

          for (let i = 0; i < 30; i++) {
            proxy.cut()
            await sleep(130)
          }
          await field.finished([...ids, ...own], 40_000)

          expect(
            (await field.rows()).filter(
              ({ id, status }) => ids.includes(id) && status !== 'SUCCESSFUL',
            ),
          ).toEqual([])
          expect(worker.isOver).toBe(false)
          return { unstarted: true }
        },
      )

      add(
        'F31 claims whose replies are lost are taken over, and never run twice at once',
        async (field, proxy) => {
          const ids = await field.enqueue(
            'sleep',
            Array.from({ length: 60 }, () => [50]),
          )
          const worker = await field.worker(['--queue-name', 'nothing-yet'])
          await sleep(300)
          await worker.stop()
          proxy.loseReplyTo(CLAIM[name], 4)

          await field.worker()
          await field.finished(ids, 40_000)

          expect(proxy.lost).toBe(4)
          // These workers have names of ours, which others may have, too: they leave such rows to their leases.
          expect((await field.rows()).filter(({ status }) => status !== 'SUCCESSFUL')).toEqual([])
          return { unstarted: true }
        },
      )

      add('F31 outcomes whose replies are lost are recorded once', async (field, proxy) => {
        const ids = await field.enqueue(
          'sleep',
          Array.from({ length: 40 }, () => [50]),
        )
        proxy.loseReplyTo(/finished_at = (CASE|IF|UTC_TIMESTAMP)/i, 4)

        await field.worker()
        await field.finished(ids, 40_000)

        expect(proxy.lost).toBe(4)
        expect((await field.rows()).map(({ status }) => status)).toEqual(
          ids.map(() => 'SUCCESSFUL'),
        )
        // Each task ran once.
        expect(ids.map((id) => claimsOf(field.events, id, 'end').length)).toEqual(ids.map(() => 1))
        return { unstarted: true }
      })

      for (const direction of ['toServer', 'toClient'] as const)
        add(
          `F32 a worker whose connections fall silent (${direction}) works on by new ones, and records nothing twice`,
          async (field, proxy) => {
            const ids = await field.enqueue('sleep', [[3 * LEASE], [3 * LEASE]])
            const worker = await field.worker()
            await field.sees('start', 2)
            await sleep(500)

            proxy.blackHole(direction)
            const later = await field.enqueue(
              'count',
              Array.from({ length: 5 }, () => []),
            )
            expect(await field.finished(later, 30_000)).toBeLessThan(10_000)
            await field.finished(ids)

            // Mostly no lease is lost. Where chores hold all other connections of the worker, which fell silent, too, the second
            // renewal comes too late, and the task is taken over.
            const rows = await Promise.all(ids.map((id) => field.row(id)))
            expect(rows.map(({ status }) => status)).toEqual(ids.map(() => 'SUCCESSFUL'))
            for (const { claims, attemptErrors } of rows) {
              expect(claims).toBeLessThanOrEqual(2)
              expect(attemptErrors?.length ?? 0).toBe(claims - 1)
            }
            await worker.says(/no answer within \d+ ms/)
            return { unstarted: true }
          },
        )

      add(
        'F33 with two seconds on top of each statement tasks are held, or stopped, but never recorded twice',
        async (field, proxy) => {
          const ids = await field.enqueue('listen', [[4_000], [4_000], [4_000]])
          await field.worker()
          await field.sees('start', 3)

          proxy.delay(1_500)
          await sleep(8_000)
          proxy.delay(0)

          await field.finished(ids, 40_000)
          return { unstarted: true }
        },
      )

      add(
        'F34 a worker that cannot reach its database tries for ten seconds, and then says so in one line, without the password',
        async (field, proxy) => {
          await proxy.refuse()
          const before = performance.now()
          const worker = field.start()

          expect(await worker.ended).toEqual({ code: 1, signal: null })
          const took = performance.now() - before
          expect([took > 5_000, took < 20_000]).toEqual([true, true])
          const lines = worker.log.trim().split('\n')
          expect(lines.filter((line) => !line.endsWith('It is tried again.'))).toEqual([
            expect.stringMatching(
              /^error: The database \(\w+\) cannot be reached: connect ECONNREFUSED .*Is it running/,
            ),
          ])
          expect(lines.length).toBeLessThan(10)
          expect(worker.log).not.toContain('spec-secret')
        },
      )

      add(
        'F34 a worker whose database comes some seconds after it starts all the same',
        async (field, proxy) => {
          await proxy.refuse()
          const [id] = await field.enqueue('count')
          const worker = field.start()
          await worker.says('It is tried again.', 2)

          await proxy.accept()
          await field.finished()

          expect((await field.row(id!)).claims).toBe(1)
          expect(worker.isOver).toBe(false)
        },
      )

      add('F34 a worker with a wrong password ends at once', async (field) => {
        const file = join(field.root, 'fault.json')
        const settings = JSON.parse(readFileSync(file, 'utf8')) as { app: object }
        writeFileSync(
          file,
          JSON.stringify({ ...settings, app: { ...settings.app, password: 'another-secret' } }),
        )
        const before = performance.now()
        const worker = field.start()

        expect(await worker.ended).toEqual({ code: 1, signal: null })

        expect(performance.now() - before).toBeLessThan(5_000)
        expect(worker.log.trim().split('\n')).toHaveLength(1)
        expect(worker.log).not.toContain('secret')
      })

      add(
        'F59 an enqueue whose commit got no reply fails; made again under its unique key it is there once',
        async (field, proxy) => {
          const app = await field.another({ port: proxy.port })
          const enqueue = (): Promise<unknown> =>
            app.transaction((manager) =>
              field.enqueue('count', [[]], { manager, uniqueKey: 'order-7' }),
            )
          proxy.loseReplyTo(/COMMIT/)

          await expect(enqueue()).rejects.toThrow()
          await enqueue()

          expect(proxy.lost).toBe(1)
          const rows = await field.rows()
          expect(rows).toHaveLength(1)
          field.enqueued.push(rows[0]!.id)
          await field.worker()
          await field.finished()
        },
      )
    })
  },
  { only: serverNames },
)
