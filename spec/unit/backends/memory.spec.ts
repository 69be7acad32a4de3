import {
  configureTasks,
  InvalidSettingsError,
  pausedQueues,
  pauseQueue,
  resumeQueue,
} from 'typeorm-tasks'
import { setClock } from '#clock'
import { task } from '#define'
import { DummyBackend } from '#dummy'
import { ImmediateBackend } from '#immediate'
import { MemoryBackend } from '#memory/backend'
import { MemoryTable } from '#memory/table'
import { runUntilEmpty, startWorker } from '#start-worker'
import { backends } from '../../../lib/backend-registry'
import { claim, idsOf, rescue } from '../../contract/rows'
import { ManualClock } from '../../support/manual-clock'
import { catchLog, nothing } from '../../support/tasks'

const stopped = task(
  'spec.memory.stopped',
  ({ signal }) =>
    new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('stopped'))),
  { takesContext: true },
)
let failures = 0
const third = task('spec.memory.third', () => {
  failures += 1
  if (failures < 3) throw new Error('not yet')
  return failures
})

let table: MemoryTable
let now: number

beforeEach(() => {
  catchLog()
  now = Date.parse('2026-07-01T10:00:00Z')
  table = new MemoryTable(() => now)
  configureTasks({ default: { BACKEND: MemoryBackend, OPTIONS: { table } } })
})
afterEach(() => setClock())

describe('a worker on rows in memory', () => {
  it('hears of a new row at once, and of a cancelled one', async () => {
    const worker = await startWorker({ startupDelay: 0, interval: 3_600_000 })
    await new Promise((resolve) => setTimeout(resolve, 50)) // it has looked, and waits

    const result = await stopped.enqueue()
    while ((await result.refresh()).status !== 'RUNNING')
      await new Promise((resolve) => setTimeout(resolve, 5))
    await result.cancel()

    expect(await result.wait({ timeout: 5_000 })).toMatchObject({
      status: 'FAILED',
      errors: [{ exceptionClassPath: 'typeorm_tasks.TaskCancelled' }],
    })
    await worker.stop()
  })

  it('tries again when the delay is over, by the clock of the table', async () => {
    const result = await third
      .using({ retry: { maxAttempts: 3, delay: 60_000, factor: 1, jitter: 0 } })
      .enqueue()

    expect(await runUntilEmpty()).toMatchObject({ started: 1 })
    expect((await result.refresh()).runAfter).toEqual(new Date(now + 60_000))
    now += 59_999
    expect(await runUntilEmpty()).toMatchObject({ started: 0 })
    now += 1
    expect(await runUntilEmpty()).toMatchObject({ started: 1 })
    now += 60_000
    expect(await runUntilEmpty()).toMatchObject({ started: 1 })

    expect(await result.refresh()).toMatchObject({ returnValue: 3, attempts: 3 })
    expect(result.errors).toHaveLength(2)
  })

  it('loses its rows when the lease has ended by the clock of the library, whatever the time of the day', async () => {
    const clock = ManualClock.install()
    const { id } = await nothing.enqueue()
    const store = await backends.get('default').openStore({ leaseSeconds: 30 })
    expect(idsOf(await claim(store, 1))).toEqual([id])

    now += 86_400_000
    expect(await rescue(store)).toEqual({ released: [], failed: [] })
    await clock.advance(30_001)

    expect(await rescue(store)).toEqual({ released: [id], failed: [] })
  })

  it('hears nothing any more once its store is closed', async () => {
    const heard: unknown[] = []
    const store = await backends
      .get('default')
      .openStore({ wakeup: (wakeup) => void heard.push(wakeup) })
    await nothing.enqueue()
    await nothing.using({ runAfter: new Date(now + 60_000) }).enqueue()
    await store.close()
    await nothing.enqueue()

    expect(heard).toEqual([{ what: 'ready', queue: 'default' }])
  })
})

it('shares its rows with other backends of the same table, each worker serving its own', async () => {
  configureTasks({
    default: { BACKEND: MemoryBackend, OPTIONS: { table } },
    other: { BACKEND: MemoryBackend, OPTIONS: { table } },
  })
  const [own, other] = [
    await nothing.enqueue(),
    await nothing.using({ backend: 'other' }).enqueue(),
  ]

  expect(await runUntilEmpty()).toMatchObject({ started: 1 })

  expect((await own.refresh()).status).toBe('SUCCESSFUL')
  expect((await other.refresh()).status).toBe('READY')
  const all = await backends.get('other').list({ limit: 9, everyBackend: true })
  expect(all.map(({ id }) => id)).toEqual([other.id, own.id])
})

it.each([
  [{ leaseSeconds: 0 }, 'TASKS.default.OPTIONS.leaseSeconds: expected a whole number of seconds'],
  [{ maxCrashes: 1.5 }, 'TASKS.default.OPTIONS.maxCrashes: expected a whole number from 1 to 1000'],
  [{ lease: 5 }, 'TASKS.default.OPTIONS: unknown key "lease"'],
])('refuses the options %j', (OPTIONS, told) => {
  const configure = (): unknown => configureTasks({ default: { BACKEND: MemoryBackend, OPTIONS } })

  expect(configure).toThrow(InvalidSettingsError)
  expect(configure).toThrow(told)
})

it.each([ImmediateBackend, DummyBackend])('%p has no queues to pause', async (BACKEND) => {
  configureTasks({ default: { BACKEND } })

  const refused = {
    name: 'NotSupportedError',
    message: expect.stringContaining(`${BACKEND.name} (TASKS.default) cannot pause`) as string,
  }
  await expect(pauseQueue('default')).rejects.toMatchObject(refused)
  await expect(pausedQueues()).rejects.toMatchObject(refused)
  await expect(resumeQueue('default')).rejects.toThrow('cannot resume the queue default')
})

it('Immediate runs a retried task again at once', async () => {
  configureTasks({ default: { BACKEND: ImmediateBackend } })
  failures = 1
  const failed = await third.enqueue()
  expect(failed.status).toBe('FAILED')

  const again = await backends.get('default').retry(failed.id)

  expect(again).toMatchObject({ id: failed.id, status: 'SUCCESSFUL', returnValue: 3, attempts: 2 })
  expect(again.errors).toEqual(failed.errors)
})
