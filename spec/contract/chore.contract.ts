import type { DBTaskResult } from '#entities'
import type { ListQuery } from '#lib/backend'
import { claim, idsOf, rescue } from './rows'
import type { ContractPlace } from './store.contract'

const day = 24 * 60 * 60 * 1000
const ago = (ms: number): Date => new Date(Date.now() - ms)
const every = { queues: null, minAge: 14 * day, failedMinAge: 14 * day, dryRun: false }

/** What happens beside the way of the data: rescue, prune, and what somebody sees who looks at rows. */
export function choreContract({ rows, backend, open, abilities }: ContractPlace): void {
  const itSharesPlace = abilities.sharesPlace ? it : it.skip
  const idsIn = async (query: Partial<ListQuery>): Promise<string[]> =>
    (await backend().list({ limit: 10, ...query })).map(({ id }) => id)

  it('puts a row back whose lease ran out, and says that its worker was lost', async () => {
    const [id, fresh] = await rows().add({ priority: 1 }, {})
    const store = await open()
    await claim(store, 2, { workerId: 'gone' })
    await rows().expire(id!)

    expect(await rescue(store)).toEqual({ released: [id], failed: [] })

    expect(await rows().get(id!)).toMatchObject({
      status: 'READY',
      leaseUntil: null,
      workerIds: ['gone'],
      attemptErrors: [
        {
          exceptionClassPath: 'typeorm_tasks.WorkerLost',
          traceback: expect.stringContaining('The worker gone was lost') as string,
        },
      ],
    })
    expect((await rows().get(fresh!)).status).toBe('RUNNING')
    const [again] = (await claim(store, 1)).claimed
    expect(again).toMatchObject({ claims: 2, values: { id, workerIds: ['gone', 'w-1'] } })
  })

  it('gives a row up that has cost too many workers', async () => {
    const [id] = await rows().add({})
    const store = await open({ maxCrashes: 2 })
    const crash = async (): Promise<unknown> => {
      await claim(store, 1)
      await rows().expire(id!)
      return rescue(store)
    }

    expect(await crash()).toEqual({ released: [id], failed: [] })
    expect(await crash()).toEqual({ released: [], failed: [id] })

    expect(await rows().get(id!)).toMatchObject({
      status: 'FAILED',
      exceptionClassPath: 'typeorm_tasks.WorkerLost',
      finishedAt: expect.any(Date) as Date,
    })
    expect((await rows().get(id!)).attemptErrors).toHaveLength(1)
  })

  it('rescues no row of another backend', async () => {
    const [id] = await rows().add({})
    await claim(await open(), 1)
    await rows().expire(id!)

    expect(await rescue(await open({ backendName: 'other' }))).toEqual({
      released: [],
      failed: [],
    })
  })

  it('lets two rescuers put a row back once', async () => {
    const [id] = await rows().add({})
    const [one, other] = await Promise.all([open(), open()])
    await claim(one, 1)
    await rows().expire(id!)

    await Promise.all([rescue(one), rescue(other)])

    expect((await rows().get(id!)).attemptErrors).toHaveLength(1)
  })

  it('prunes finished rows of an age, each status by its own', async () => {
    const [, youngSuccess, , youngFailure] = await rows().add(
      finished('SUCCESSFUL', 15),
      finished('SUCCESSFUL', 13),
      finished('FAILED', 31),
      finished('FAILED', 29),
    )
    const store = await open()

    expect(await store.prune({ ...every, failedMinAge: 30 * day })).toBe(2)

    expect(
      (await Promise.all([youngSuccess, youngFailure].map((id) => rows().get(id!)))).map(
        ({ status }) => status,
      ),
    ).toEqual(['SUCCESSFUL', 'FAILED'])
    expect(await store.prune({ ...every, minAge: 20 * day, failedMinAge: 0 })).toBe(1)
    expect(await store.prune({ ...every, minAge: 0 })).toBe(1)
  })

  it('never prunes a row that waits or runs, nor one that never finished', async () => {
    await rows().add(
      { finishedAt: ago(99 * day) },
      { status: 'RUNNING', finishedAt: ago(99 * day) },
      { status: 'SUCCESSFUL', finishedAt: null },
    )

    expect(await (await open()).prune({ ...every, minAge: 0, failedMinAge: 0 })).toBe(0)
  })

  it('prunes the queues and the backend that it is asked to', async () => {
    await rows().add({ ...finished('FAILED', 20), queueName: 'mail' }, finished('FAILED', 20), {
      ...finished('FAILED', 20),
      backendName: 'other',
    })
    const store = await open()

    expect(await store.prune({ ...every, queues: ['nobody', 'mail'] })).toBe(1)
    expect(await store.prune(every)).toBe(1)
    expect(await (await open({ backendName: 'other' })).prune(every)).toBe(1)
  })

  it('counts what it would prune, and deletes nothing, when it only tries', async () => {
    await rows().add(finished('FAILED', 20), finished('SUCCESSFUL', 20), finished('SUCCESSFUL', 1))
    const store = await open()

    expect(await store.prune({ ...every, dryRun: true })).toBe(2)
    expect(await store.prune({ ...every, dryRun: true, queues: ['default'] })).toBe(2)

    expect(await rows().count()).toBe(3)
  })

  it('prunes many rows in chunks and tells how far it is', async () => {
    await rows().add(...Array.from({ length: 700 }, () => finished('SUCCESSFUL', 20)))
    await rows().add(...Array.from({ length: 501 }, () => finished('FAILED', 20)))
    const told: number[] = []

    expect(
      await (await open()).prune({ ...every, onProgress: (deleted) => void told.push(deleted) }),
    ).toBe(1201)

    expect(told).toEqual([500, 1000, 1201])
  })

  it('prunes rows of a task that has ages of its own by these, and all others by the general ones', async () => {
    const of = (taskPath: string, status: 'SUCCESSFUL' | 'FAILED', days: number) => ({
      ...finished(status, days),
      taskPath,
    })
    const [oldShort, , , oldLong, oldOther, , oldElse] = await rows().add(
      of('own.short', 'SUCCESSFUL', 2),
      of('own.short', 'FAILED', 99),
      of('own.long', 'SUCCESSFUL', 30),
      of('own.long', 'FAILED', 50),
      of('own.same', 'SUCCESSFUL', 2),
      of('own.longer', 'SUCCESSFUL', 10),
      of('own.longer', 'SUCCESSFUL', 30),
    )
    const store = await open()
    const tasks = [
      { name: 'own.short', minAge: day },
      { name: 'own.long', minAge: 40 * day, failedMinAge: 40 * day },
      { name: 'own.same', minAge: day },
    ]

    expect(await store.prune({ ...every, tasks, dryRun: true })).toBe(4)
    expect(await store.prune({ queues: null, dryRun: true, tasks })).toBe(3)
    expect(await store.prune({ queues: null, dryRun: false })).toBe(0)
    expect(await store.prune({ ...every, tasks, queues: ['default'] })).toBe(4)

    const left = (await backend().list({ limit: 10 })).map(({ id }) => id)
    expect(left).toHaveLength(3)
    for (const id of [oldShort, oldLong, oldOther, oldElse]) expect(left).not.toContain(id)
  })

  it('ends a prune between two chunks when it may not go on', async () => {
    await rows().add(...Array.from({ length: 600 }, () => finished('FAILED', 20)))
    const mayGoOn = async (): Promise<boolean> => (await rows().count()) === 600

    expect(await (await open()).prune({ ...every, mayGoOn })).toBe(500)
  })

  it('counts the rows of each status', async () => {
    await rows().add({}, {}, { queueName: 'mail' }, { backendName: 'other' }, finished('FAILED', 1))
    await claim(await open(), 1, { queues: ['mail'] })
    const none = { READY: 0, RUNNING: 0, FAILED: 0, SUCCESSFUL: 0, WAITING: 0 }

    expect(await backend().counts()).toEqual({ ...none, READY: 2, RUNNING: 1, FAILED: 1 })
    expect(await backend().counts({ queues: ['mail'] })).toEqual({ ...none, RUNNING: 1 })
    expect(await backend().counts({ excludeQueues: ['mail'] })).toEqual({
      ...none,
      READY: 2,
      FAILED: 1,
    })
    expect(await backend('other').counts()).toEqual({ ...none, READY: 1 })
  })

  it('lists the rows of its backend', async () => {
    const [own, , , slow] = await rows().add({}, { backendName: 'other' }, finished('FAILED', 1), {
      queueName: 'slow',
    })
    expect(await idsIn({ status: 'READY' })).toEqual([slow, own])
  })

  itSharesPlace('lists the rows of every backend that keeps them in the same place', async () => {
    const [own, other, , slow] = await rows().add(
      {},
      { backendName: 'other' },
      finished('FAILED', 1),
      { queueName: 'slow' },
    )
    expect(await idsIn({ status: 'READY', everyBackend: true })).toEqual([slow, other, own])
    expect(await idsIn({ everyBackend: true, limit: 1, before: slow!, status: 'READY' })).toEqual([
      other,
    ])
  })

  it('works on beside one that was closed', async () => {
    const [id] = await rows().add({})
    const [one, other] = await Promise.all([open(), open()])
    await one.close()
    one.close = async () => {}

    expect(idsOf(await claim(other, 1))).toEqual([id])
  })
}

function finished(status: 'SUCCESSFUL' | 'FAILED', days: number): Partial<DBTaskResult> {
  return { status, startedAt: ago(days * day), finishedAt: ago(days * day) }
}
