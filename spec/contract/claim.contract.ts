import { NO_DELAY } from '#formats'
import type { Store } from '#lib/store'
import { claim, idsOf, claimFilter } from './rows'
import type { ContractPlace } from './store.contract'

const minutes = (count: number): Date => new Date(Date.now() + count * 60_000)

/** What taking rows means. */
export function claimContract({ rows, open, abilities }: ContractPlace): void {
  it('gives each row to one worker only, however many ask at once', async () => {
    const ids = await rows().addMany(120)
    const stores = await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (workerId) => ({ workerId, store: await open() })),
    )

    const shares = await Promise.all(stores.map(({ store, workerId }) => drain(store, 7, workerId)))

    expect(shares.flat().toSorted()).toEqual(ids.toSorted())
    const { workerIds, claims } = await rows().get(shares[0]?.[0] ?? ids[0]!)
    expect({ claims, workers: workerIds.length }).toEqual({ claims: 1, workers: 1 })
  })

  const itOrdersAll = abilities.ordersAll ? it : it.skip
  itOrdersAll(
    'takes them by priority, then due delayed ones by their time, then the others by age',
    async () => {
      const old = minutes(-60)
      const [low, undelayedYoung, undelayedOld, delayedLate, delayedEarly, , high] =
        await rows().add(
          { priority: -100 },
          { enqueuedAt: minutes(-1) },
          { enqueuedAt: old },
          { runAfter: minutes(-5), enqueuedAt: old },
          { runAfter: minutes(-10), enqueuedAt: minutes(-1) },
          { runAfter: minutes(60), priority: 100 },
          { priority: 7 },
        )
      const order = [high, delayedEarly, delayedLate, undelayedOld, undelayedYoung, low]

      const store = await open()

      expect([
        ...idsOf(await claim(store, 2)),
        ...idsOf(await claim(store, 1)),
        ...idsOf(await claim(store, 50)),
      ]).toEqual(order)
    },
  )

  it('takes no more than there is room for, and nothing without room', async () => {
    await rows().addMany(5)
    const store = await open()

    expect((await claim(store, 0)).claimed).toHaveLength(0)
    expect((await claim(store, 3)).claimed).toHaveLength(3)
    expect((await claim(store, 3)).claimed).toHaveLength(2)
    expect((await claim(store, 3)).claimed).toHaveLength(0)
  })

  it('writes who holds the row, since when and until when, and gives it as it stands', async () => {
    const [id] = await rows().add({
      workerIds: ['earlier'],
      claims: 4,
      queueName: 'mail',
      taskPath: 'mail.send',
      priority: 3,
      argsKwargs: { args: [1, { a: null }], kwargs: { tone: 'warm' } },
      options: { retry: { maxAttempts: 2 } },
      cancelRequestedAt: new Date(),
    })
    const store = await open({ leaseSeconds: 45 })

    const [row] = (await claim(store, 1, { workerId: 'w-2' })).claimed

    expect(row).toMatchObject({
      key: rows().key(id!),
      claims: 5,
      malformed: null,
      options: { retry: { maxAttempts: 2 } },
      values: {
        id,
        status: 'RUNNING',
        taskName: 'mail.send',
        queueName: 'mail',
        backend: 'default',
        priority: 3,
        args: [1, { a: null }],
        kwargs: { tone: 'warm' },
        workerIds: ['earlier', 'w-2'],
        runAfter: null,
        errors: [],
        finishedAt: null,
      },
    })
    const written = await rows().get(id!)
    expect(written).toMatchObject({
      status: 'RUNNING',
      claims: 5,
      workerIds: ['earlier', 'w-2'],
      runAfter: NO_DELAY,
      cancelRequestedAt: null,
      startedAt: row!.values.startedAt,
    })
    // Of an engine that is told the time of the claim, and knows that of the lease.
    const leaseMs = written.leaseUntil!.getTime() - written.startedAt!.getTime()
    expect(Math.abs(leaseMs - 45_000)).toBeLessThan(abilities.ordersAll ? 1 : 1_000)
    expect(Math.abs(written.startedAt!.getTime() - Date.now())).toBeLessThan(5_000)
  })

  it('serves the queues it is asked to, and leaves those it is told to', async () => {
    const [mail, report, odd] = await rows().add(
      { queueName: 'mail' },
      { queueName: 'report' },
      { queueName: `o'q"\\;--` },
    )
    const store = await open()

    expect(idsOf(await claim(store, 9, { queues: ['nobody', `o'q"\\;--`] }))).toEqual([odd])
    expect(idsOf(await claim(store, 9, { excludeQueues: ['mail', 'unknown'] }))).toEqual([report])
    expect(idsOf(await claim(store, 9, { queues: ['MAIL'] }))).toEqual([])
    expect(idsOf(await claim(store, 9, { queues: ['mail', 'report'] }))).toEqual([mail])
  })

  it('leaves the rows of another backend alone', async () => {
    const [, other] = await rows().add({}, { backendName: 'other' })

    expect(idsOf(await claim(await open({ backendName: 'other' }), 9))).toEqual([other])
  })

  it('leaves rows alone that are not READY, also such as it has never heard of', async () => {
    await rows().add(
      { status: 'RUNNING' },
      { status: 'FAILED' },
      { status: 'SUCCESSFUL' },
      { status: 'CANCELLED' as 'READY' },
      { status: 'ready' as 'READY' },
    )

    expect((await claim(await open(), 9)).claimed).toEqual([])
  })

  it('leaves a row alone until its time has come, by the clock of the database', async () => {
    const [id, later] = await rows().add(
      { runAfter: new Date(Date.now() + 150) },
      { runAfter: minutes(60) },
    )
    const store = await open()

    let found = (await claim(store, 9)).claimed
    while (found.length === 0) found = (await claim(store, 9)).claimed

    expect(found.map(({ values }) => values.id)).toEqual([id])
    expect(found[0]!.values.startedAt!.getTime()).toBeGreaterThanOrEqual(
      found[0]!.values.runAfter!.getTime(),
    )
    await rows().update(later!, { runAfter: minutes(-1) })
    expect(idsOf(await claim(store, 9))).toEqual([later])
  })

  it('finds what is due behind many rows that wait for tomorrow', async () => {
    await rows().add(
      ...Array.from({ length: 300 }, () => ({ runAfter: minutes(1440), priority: 5 })),
    )
    const [id] = await rows().add({})

    expect(idsOf(await claim(await open(), 1))).toEqual([id])
  })

  it('hands in and claims in one go', async () => {
    const [first, second] = await rows().add({ priority: 1 }, {})
    const store = await open()
    const [row] = (await claim(store, 1)).claimed

    const { answers, claimed } = await store.exchange(
      [{ key: row!.key, claims: row!.claims, status: 'SUCCESSFUL', returnValue: '7' }],
      1,
      claimFilter(),
    )

    expect(answers).toEqual(['kept'])
    expect(claimed[0]?.values.id).toBe(second)
    expect(await rows().get(first!)).toMatchObject({ status: 'SUCCESSFUL', returnValue: 7 })
  })

  const itSkipsLocked = abilities.skipsLocked ? it : it.skip
  itSkipsLocked('passes over rows that another session has locked', async () => {
    const [locked, free] = await rows().add({ priority: 9 }, {})
    const store = await open()
    let claimed: string[] = []

    await rows().whileLocked!(locked!, async () => {
      claimed = idsOf(await claim(store, 9))
    })

    expect(claimed).toEqual([free])
    expect(idsOf(await claim(store, 9))).toEqual([locked])
  })
}

async function drain(store: Store, limit: number, workerId: string): Promise<string[]> {
  const ids: string[] = []
  // A worker that finds nothing may only have been passed by; a few empty looks mean that all is taken.
  for (let empty = 0; empty < 3;) {
    const found = idsOf(await claim(store, limit, { workerId }))
    ids.push(...found)
    empty = found.length === 0 ? empty + 1 : 0
  }
  return ids
}
