import { setTimeout as sleep } from 'node:timers/promises'
import { remoteTask } from 'typeorm-tasks'
import { Running } from '../support/cli-app'
import { DJANGO_TABLE } from '../support/django-ddl'
import { catchLog } from '../support/tasks'
import { describeBesideDjango, type SharedTable } from './harness/shared-table'

const TASKS = 1_200
/** Ten times what it takes on two cores. */
const LIMIT_MS = 300_000

beforeAll(() => catchLog())

describeBesideDjango((shared) => {
  it(
    `two workers of Django and two of ours run ${TASKS} tasks at the same time, each once`,
    async () => {
      const workers = [1, 2].flatMap((n) => [
        shared().django.start(
          'db_worker',
          '--no-startup-delay',
          '--interval',
          '0.05',
          '--worker-id',
          `django-${n}`,
        ),
        shared().tasks(
          'db_worker',
          '--no-startup-delay',
          '--interval',
          '0.05',
          '--concurrency',
          '1',
          '--worker-id',
          `ours-${n}`,
        ),
      ])
      const assertAlive = (): void => {
        for (const { isOver, log } of workers)
          if (isOver) throw new Error(`A worker has ended by itself:\n${log}`)
      }
      while (!workers.every(({ log }) => log.includes('Starting worker'))) {
        assertAlive()
        await sleep(20)
      }

      // Ours run one task at a time, as Django's do, so that the shares are alike.
      // All four are up and wait, so that none has a head start. Each side enqueues half.
      const tags = Array.from({ length: TASKS }, (_, i) => `t${i}`)
      const [theirs, ours] = [tags.slice(0, TASKS / 2), tags.slice(TASKS / 2)]
      await Promise.all([
        shared().django.enqueue(
          ...theirs.map((tag) => ({ task: 'shared.tasks.logged', args: [tag, 0.002] })),
        ),
        remoteTask<[string, number]>('shared.tasks.logged').enqueueMany(
          ours.map((tag) => [tag, 0.002]),
        ),
      ])
      while ((await unfinished(shared())) > 0) {
        assertAlive()
        await sleep(100)
      }
      const codes = await Promise.all(workers.map(stopped))

      expect(codes).toEqual([0, 0, 0, 0])
      const runs = shared()
        .runs()
        .map((line) => line.split(' '))
      expect(runs.map(([, tag]) => tag).toSorted()).toEqual(tags.toSorted())
      const rows = await shared()
        .dataSource.getRepository<{ status: string; workerIds: string[] }>('DBTaskResult')
        .find()
      expect(
        rows.filter(({ status, workerIds }) => status !== 'SUCCESSFUL' || workerIds.length !== 1),
      ).toEqual([])
      const share = (side: string): number => runs.filter(([by]) => by === side).length
      expect(share('django')).toBeGreaterThan(0)
      expect(share('ours')).toBeGreaterThan(0)
      for (const side of ['django', 'ours'])
        expect(rows.filter(({ workerIds }) => workerIds[0]!.startsWith(side))).toHaveLength(
          share(side),
        )
    },
    LIMIT_MS,
  )
})

async function unfinished({ dataSource }: SharedTable): Promise<number> {
  const [row] = (await dataSource.query(
    `SELECT COUNT(*) AS n FROM ${DJANGO_TABLE} WHERE status IN ('READY', 'RUNNING')`,
  )) as { n: unknown }[]
  return Number(row!.n)
}

async function stopped(
  worker: Running | ReturnType<SharedTable['django']['start']>,
): Promise<number | null> {
  if (worker instanceof Running) {
    worker.kill('SIGTERM')
    return (await worker.exited).code
  }
  worker.child.kill('SIGTERM')
  return await worker.exited
}
