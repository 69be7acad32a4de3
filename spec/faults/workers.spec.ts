import { setTimeout as sleep } from 'node:timers/promises'
import { DBTaskWorker } from '#entities'
import type { Field } from './kit/field'
import { scenarios, type ScenarioWish } from './kit/scenario'
import { claimsOf, LEASE, RESCUE, TAKEOVER_BOUND } from './kit/timing'
import { until } from './kit/until'

/** After this time a worker looks for rows of lost workers only if a record has expired. */
const GATE_CLOSES = 2 * LEASE + RESCUE

const queueName = 'mail'
/** One database that notes a heartbeat and looks at the others in one statement, and one that needs two. */
const wish: ScenarioWish = { hasWorkers: true, on: ['postgres', 'mysql'] }

/** A worker that looks for lost rows only with a reason, and serves another queue than what is lost. */
async function quietWatcher(field: Field): Promise<void> {
  await field.worker(['--queue-name', 'other'])
  await sleep(GATE_CLOSES)
}

async function records(field: Field): Promise<string[]> {
  const found = await field.dataSource.getRepository(DBTaskWorker).find()
  return found.map(({ id }) => id.split('/')[0]!).toSorted()
}

async function untilReady(field: Field, count: number): Promise<number> {
  return until(
    async () => (await field.rows()).filter(({ status }) => status === 'READY').length === count,
    TAKEOVER_BOUND,
    () => `${count} rows to be READY`,
  )
}

scenarios((add) => {
  add(
    'F1 with records, a killed worker is noticed by a worker that did not look: its tasks run again in time, also one that it claimed just before',
    async (field) => {
      await quietWatcher(field)
      const ids = await field.enqueue(
        'sleep',
        Array.from({ length: 5 }, () => [15_000]),
        { queueName },
      )
      const killed = await field.worker(['--queue-name', queueName])
      await field.sees('start', 5)
      await sleep(LEASE)
      ids.push(...(await field.enqueue('sleep', [[15_000]], { queueName })))
      await field.sees('start', 6)
      killed.kill('SIGKILL')
      await killed.ended

      await untilReady(field, 6)
      expect((await field.rows()).map(({ attemptErrors }) => attemptErrors?.length)).toEqual(
        ids.map(() => 1),
      )
      // Its record goes as soon as nothing can depend on it.
      await until(
        async () => (await records(field)).join() === 'w1',
        4 * LEASE + TAKEOVER_BOUND,
        () => 'the record of the killed worker to be deleted',
      )
      await Promise.all(ids.map(async (id) => (await field.result(id)).cancel()))
    },
    wish,
  )

  add(
    'F17 with records, a worker that stood still until its record was deleted comes back with it, and loses its task',
    async (field) => {
      await quietWatcher(field)
      const [id] = await field.enqueue('stubborn', [[15_000]], { queueName })
      const stalled = await field.worker(['--queue-name', queueName])
      await field.sees('start')
      stalled.kill('SIGSTOP')
      await untilReady(field, 1)
      await (await field.result(id!)).cancel()
      await until(
        async () => (await records(field)).join() === 'w1',
        4 * LEASE + TAKEOVER_BOUND,
        () => 'the record of the stalled worker to be deleted',
      )

      stalled.kill('SIGCONT')
      await stalled.says(/was taken over meanwhile|lease not renewed in time/)
      await until(
        async () => (await records(field)).join() === 'w1,w2',
        TAKEOVER_BOUND,
        () => 'the stalled worker to have a record again',
      )
      expect(claimsOf(field.events, id!)).toEqual([1])
      const [again] = await field.enqueue('count', [[]], { queueName })
      await field.finished([again!])
      await stalled.stop()
      // One that ends while it is not sure of a row leaves its record, for the others to look.
      expect(await records(field)).toContain('w1')
    },
    wish,
  )
})
