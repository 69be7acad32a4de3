import { group, remoteTask } from 'typeorm-tasks'
import { catchLog } from '../support/tasks'
import { describeBesideDjango } from './harness/shared-table'

/** A batch of each worker, on a machine that is four times slower than usual. */
const LIMIT_MS = 120_000

const add = remoteTask<[a: unknown, b: unknown], unknown>('shared.tasks.add')
const echo = remoteTask<[value: unknown], unknown>('shared.tasks.echo')

beforeAll(() => catchLog())

describeBesideDjango((shared) => {
  it(
    'a member that a Django worker finishes makes due what waits, which Django leaves alone, and our worker runs',
    async () => {
      const { django, run } = shared()
      const flow = group([add.order(1, 2), add.order(3, 4)]).next((values) => echo.order(values))
      const { last } = await flow.enqueue()
      await django.runBatch('--queue-name', '*', '--worker-id', 'django-1')

      const handled = await django.get(last.id)
      expect(handled).toMatchObject([{ status: 'READY', attempts: 0, worker_ids: [] }])
      expect((await last.refresh()).isWaiting).toBe(true)
      await run('db_worker', '--batch', '--queue-name', '*', '--worker-id', 'ours-1')
      await last.refresh()
      expect([last.status, last.returnValue, last.workerIds]).toEqual([
        'SUCCESSFUL',
        [3, 7],
        ['ours-1'],
      ])
      expect(await django.get(last.id)).toMatchObject([{ return_value: [3, 7] }])
    },
    LIMIT_MS,
  )

  it(
    'what waited, and is due, a Django worker that serves its queue takes, and fails: it never runs with wrong arguments',
    async () => {
      const { django, dataSource } = shared()
      const flows = [
        group([add.order(1, 2)]).next((values) => echo.order(values)),
        group([add.order(1, 2)]).next((values) => add.order(values, 'tail')),
      ]
      const lasts = []
      for (const flow of flows) lasts.push((await flow.enqueue()).last)
      for (const { id } of lasts)
        await dataSource
          .getRepository<{ id: string; runAfter: Date }>('DBTaskResult')
          .update({ id }, { runAfter: new Date(Date.now() - 60_000) })
      await django.runBatch('--queue-name', '*', '--worker-id', 'django-1')
      for (const last of lasts) {
        const { status, errors } = await last.refresh()
        expect([status, errors[0]?.exceptionClassPath]).toEqual(['FAILED', 'builtins.TypeError'])
        expect(await django.get(last.id)).toMatchObject([{ status: 'FAILED' }])
      }
    },
    LIMIT_MS,
  )
})
