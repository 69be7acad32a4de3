import { setTimeout as sleep } from 'node:timers/promises'
import {
  group,
  pauseQueue,
  pruneResults,
  resumeQueue,
  runUntilEmpty,
  schedule,
  startWorker,
  task,
} from 'typeorm-tasks'
import { backends } from '../../lib/backend-registry'
import type { Browser } from '../../lib/browser'
import { schedules } from '../../lib/schedules/registry'
import { describeOnRedis } from '../support/redis'
import { redisApp } from '../support/redis-app'
import { patient } from '../support/tasks'

const HOUR_MS = 3_600_000

const part = task('redisBrowser.part', (value: number) => value)
const gather = task('redisBrowser.gather', (values: readonly number[]) => values.length)
const fails = task('redisBrowser.fails', () => {
  throw new Error('no')
})
const hourly = task('redisBrowser.hourly', () => {})

describeOnRedis('what a dashboard looks through', () => {
  const { ground } = redisApp({ queues: ['default', 'mail'] })
  let browser: Browser

  beforeAll(async () => {
    browser = await backends.get('default').openBrowser()
  })
  afterEach(async () => {
    await ground.clear()
    schedules.clear()
  })

  const queueNamed = async (wanted: string) =>
    (await browser.queues()).find(({ name }) => name === wanted)

  it('counts what is due, later, waiting and running in each queue, and says since when', async () => {
    await part.using({ priority: 5 }).enqueue(1)
    await part.using({ priority: -5 }).enqueue(1)
    await part.using({ runAfter: new Date(Date.now() + HOUR_MS) }).enqueue(1)
    await group([part.order(1)])
      .next((values) => gather.order(values))
      .enqueue()
    await part.using({ queueName: 'mail' }).enqueue(1)
    await sleep(30)

    const [usual, mail] = await browser.queues()
    expect(usual).toMatchObject({ name: 'default', due: 3, later: 1, waiting: 1, running: 0 })
    expect(usual?.oldestDueMs).toBeGreaterThanOrEqual(30)
    expect(usual?.oldestDueMs).toBeLessThan(10_000)
    expect(mail).toMatchObject({ name: 'mail', due: 1, later: 0, paused: null, isServed: false })

    await pauseQueue('mail', { reason: 'moving' })
    expect((await queueNamed('mail'))?.paused).toMatchObject({ reason: 'moving', until: null })
    await resumeQueue('mail')
  })

  it('knows the workers, what they serve, and which of them are gone', async () => {
    const { id } = await patient.enqueue()
    const worker = await startWorker({ interval: 100, queues: ['default'], concurrency: 3 })
    for (let i = 0; i < 200 && (await queueNamed('default'))?.running !== 1; i++) await sleep(50)
    expect(await queueNamed('default')).toMatchObject({ running: 1, due: 0, isServed: true })
    expect((await queueNamed('mail'))?.isServed).toBe(false)
    expect(await browser.workers()).toMatchObject([
      { pid: process.pid, queues: ['default'], concurrency: 3, isGone: false },
    ])
    await (await backends.get('default').getResult(id)).cancel()
    await worker.stop()
    expect(await browser.workers()).toEqual([])
  })

  it('shows what is around a step of a flow', async () => {
    const handle = await group([1, 2, 3].map((value) => part.order(value)))
      .next((values) => gather.order(values))
      .enqueue()
    const ids = (await handle.results()).map(({ id }) => id)
    const around = async (id: string) => {
      const flow = await browser.flow(id)
      const idsOf = (tasks: readonly { id: string }[] = []) => tasks.map((each) => each.id)
      return [idsOf(flow?.before), idsOf(flow?.beside), idsOf(flow?.after)]
    }
    expect(await around(ids[1]!)).toEqual([[], [ids[0], ids[2]], [ids[3]]])
    expect(await around(ids[3]!)).toEqual([ids.slice(0, 3), [], []])
    expect(await browser.flow((await part.enqueue(1)).id)).toBeNull()
  })

  it('deletes what has finished or waits alone, and nothing that others need', async () => {
    const [ended, failed, waiting, later] = [
      await part.enqueue(1),
      await fails.enqueue(),
      await part.using({ priority: 3 }).enqueue(1),
      await part.using({ runAfter: new Date(Date.now() + HOUR_MS) }).enqueue(1),
    ]
    await ground.succeed(ended.id, 1)
    await ground.fail(failed.id)
    const flow = await group([part.order(1), part.order(2)])
      .next((values) => gather.order(values))
      .enqueue()
    const steps = (await flow.results()).map(({ id }) => id)
    await ground.succeed(steps[0]!, 1)
    const slot = await schedule('redisBrowser.nightly', hourly, { every: HOUR_MS }).enqueueSlot(
      new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS),
      false,
    )
    await ground.succeed(slot.id, null)

    const free = [ended.id, failed.id, waiting.id, later.id]
    expect(await browser.remove([...free, ...steps, slot.id, 'none'])).toEqual(free)
    expect((await ground.all()).map(({ id }) => id).toSorted()).toEqual(
      [...steps, slot.id].toSorted(),
    )
    await runUntilEmpty()
    expect((await flow.last.refresh()).returnValue).toBe(2)
    expect((await browser.remove(steps)).toSorted()).toEqual(steps.toSorted())
    expect(await pruneResults({ minAge: 0, failedMinAge: 0 })).toBe(0)
  })

  it('changes the priority of what waits, also of steps of a flow, which then run as before', async () => {
    const plain = await part.enqueue(1)
    const later = await part.using({ runAfter: new Date(Date.now() + HOUR_MS) }).enqueue(1)
    const flow = await group([part.order(1), part.order(2)])
      .next((values) => gather.order(values))
      .enqueue()
    const ids = [plain.id, later.id, ...(await flow.results()).map(({ id }) => id)]
    for (const priority of [7, -7, 0, 100]) {
      expect(await browser.prioritise(ids, priority)).toEqual(ids)
      for (const { priority: now, status } of await ground.all())
        expect([now, status]).toEqual([priority, 'READY'])
      expect(await queueNamed('default')).toMatchObject({ due: 3, later: 1, waiting: 1 })
    }
    await runUntilEmpty()
    expect((await flow.last.refresh()).returnValue).toBe(2)
    expect(await browser.prioritise([plain.id], 1)).toEqual([])
    await expect(browser.prioritise(ids, 101)).rejects.toThrow('from -100 to 100')
  })
})
