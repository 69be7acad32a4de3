import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkEffects, installEffects, readEffects } from './kit/effects'
import type { Field } from './kit/field'
import { scenarios } from './kit/scenario'
import { claimsOf } from './kit/timing'

const preload = join(__dirname, 'kit/claim-numbers.cjs')

scenarios((add) => {
  for (const death of ['after its writes', 'before the commit'])
    add(
      `F4 a transactional task whose worker is killed ${death} leaves nothing, and its second run leaves all of it once`,
      async (field) => {
        const id = await killed(field, death)
        expect(await readEffects(field.dataSource)).toEqual([])
        expect(await field.row(id)).toMatchObject({
          status: 'RUNNING',
          finishedAt: null,
          returnValue: null,
        })

        await field.worker([], { preload })
        await field.finished()

        expect(await readEffects(field.dataSource)).toEqual([{ id, claim: 2 }])
        expect(await field.row(id)).toMatchObject({
          status: 'SUCCESSFUL',
          claims: 2,
          returnValue: { claim: 2 },
          attemptErrors: [{ exceptionClassPath: 'typeorm_tasks.WorkerLost' }],
        })
      },
    )

  add(
    'F4 a transactional task whose worker is killed after the commit is done, and does not run again',
    async (field) => {
      const id = await killed(field, 'after the commit')
      const done = { status: 'SUCCESSFUL', claims: 1, leaseUntil: null, returnValue: { claim: 1 } }
      expect(await field.row(id)).toMatchObject(done)

      await field.worker([], { preload })
      await field.enqueue('count')
      await field.finished()
      await sleep(1_000)

      expect(await readEffects(field.dataSource)).toEqual([{ id, claim: 1 }])
      expect(await field.row(id)).toMatchObject(done)
      expect(claimsOf(field.events, id)).toEqual([1])
    },
  )

  add(
    'F5 a transactional task whose worker is killed while it commits has its effect once, by one run or by the other',
    async (field) => {
      const id = await killed(field, 'at the commit')

      await field.worker([], { preload })
      await field.finished()

      const row = await field.row(id)
      expect(checkEffects(await readEffects(field.dataSource), [row])).toEqual([])
      expect(row.status).toBe('SUCCESSFUL')
    },
  )
})

/** A transactional task whose first worker is killed there; gives its id. */
async function killed(field: Field, death: string): Promise<string> {
  await installEffects(field.dataSource)
  const [id] = await field.enqueue('book', [[100, death]])
  const worker = await field.worker([], { preload })
  expect(await worker.ended).toEqual({ code: null, signal: 'SIGKILL' })
  return id!
}
