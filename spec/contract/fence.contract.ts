import type { ClaimedRow, Outcome, OutcomeAnswer, Store } from '#lib/store'
import { claim, rescue, claimFilter } from './rows'
import type { ContractPlace } from './store.contract'

const error = { exceptionClassPath: 'RangeError', traceback: 'RangeError: too far\n    at home\n' }
const hostile = `it's "quoted" \\ back \\u0041 %s ? :name $1 {queues} 😀 naïve 日本\r\n\ttab ${'x'.repeat(60_000)}`

/** What finishing, renewing and giving back do to a row, and never do to somebody else's. */
export function fenceContract({ rows, open }: ContractPlace): void {
  it('keeps what a task returned', async () => {
    const { store, row, id } = await claimed({ uniqueKey: 'f:once', cancelRequestedAt: null })

    expect(
      await handIn(store, {
        ...held(row),
        status: 'SUCCESSFUL',
        returnValue: '{"b":[1,null],"a":"x"}',
      }),
    ).toEqual(['kept'])

    const written = await rows().get(id)
    expect(written).toMatchObject({
      status: 'SUCCESSFUL',
      returnValue: { b: [1, null], a: 'x' },
      exceptionClassPath: '',
      traceback: '',
      leaseUntil: null,
      uniqueKey: null,
      attemptErrors: null,
      claims: 1,
      workerIds: ['w-1'],
    })
    expect(written.finishedAt!.getTime()).toBeGreaterThanOrEqual(written.startedAt!.getTime())
  })

  it('keeps the error of a task that failed, and a key that outlives its task', async () => {
    const { store, row, id } = await claimed({ uniqueKey: 'p:2026-01-01' })

    expect(await handIn(store, { ...held(row), status: 'FAILED', error })).toEqual(['kept'])

    expect(await rows().get(id)).toMatchObject({
      status: 'FAILED',
      returnValue: null,
      ...error,
      leaseUntil: null,
      uniqueKey: 'p:2026-01-01',
      finishedAt: expect.any(Date) as Date,
    })
  })

  it('puts a task that is to be tried again back for later, with its errors, oldest first', async () => {
    const { store, row, id } = await claimed({ uniqueKey: 'f:kept' })
    await handIn(store, { ...held(row), status: 'READY', errors: [error], delay: null })
    const [again] = (await claim(store, 1)).claimed
    expect(again?.values).toMatchObject({ errors: [error], workerIds: ['w-1', 'w-1'] })

    expect(
      await handIn(store, {
        ...held(again!),
        status: 'READY',
        errors: [...again!.values.errors, { exceptionClassPath: 'E2', traceback: hostile }],
        delay: 60_000,
      }),
    ).toEqual(['kept'])

    const written = await rows().get(id)
    expect(written).toMatchObject({
      status: 'READY',
      finishedAt: null,
      leaseUntil: null,
      exceptionClassPath: '',
      traceback: '',
      uniqueKey: 'f:kept',
      claims: 2,
      attemptErrors: [error, { exceptionClassPath: 'E2', traceback: hostile }],
    })
    expect(Math.abs(written.runAfter.getTime() - Date.now() - 60_000)).toBeLessThan(5_000)
    expect((await claim(store, 1)).claimed).toEqual([])
  })

  it('carries quotes, backslashes, emoji, newlines and 60 kB through arguments, return values and tracebacks', async () => {
    const { store, row, id } = await claimed({
      argsKwargs: { args: [hostile], kwargs: { [hostile.slice(0, 60)]: hostile } },
    })
    expect(row.values).toMatchObject({
      args: [hostile],
      kwargs: { [hostile.slice(0, 60)]: hostile },
    })

    await handIn(store, {
      ...held(row),
      status: 'SUCCESSFUL',
      returnValue: JSON.stringify([hostile]),
    })
    expect((await rows().get(id)).returnValue).toEqual([hostile])

    const other = await claimed({})
    await handIn(other.store, {
      ...held(other.row),
      status: 'FAILED',
      error: { exceptionClassPath: `O'Error"\\`, traceback: `${hostile}\n` },
    })
    expect(await rows().get(other.id)).toMatchObject({
      exceptionClassPath: `O'Error"\\`,
      traceback: `${hostile}\n`,
    })
  })

  it('says of each outcome in a batch whether it was kept', async () => {
    await rows().addMany(4)
    const store = await open()
    const [a, b, c, d] = (await claim(store, 4)).claimed as [
      ClaimedRow,
      ClaimedRow,
      ClaimedRow,
      ClaimedRow,
    ]

    const answers = await handIn(
      store,
      { ...held(a), status: 'SUCCESSFUL', returnValue: '1' },
      { ...held(b, -1), status: 'SUCCESSFUL', returnValue: '2' },
      { ...held(c), status: 'FAILED', error },
      { ...held(d), status: 'READY', errors: [error], delay: 0 },
    )

    expect(answers).toEqual(['kept', 'refused', 'kept', 'kept'])
    expect(
      await Promise.all(
        [a, b, c, d].map(async ({ values }) => (await rows().get(values.id)).status),
      ),
    ).toEqual(['SUCCESSFUL', 'RUNNING', 'FAILED', 'READY'])
  })

  const late: [string, (row: ClaimedRow) => Outcome][] = [
    ['a success', (row) => ({ ...held(row), status: 'SUCCESSFUL', returnValue: '"late"' })],
    ['a failure', (row) => ({ ...held(row), status: 'FAILED', error })],
    ['a retry', (row) => ({ ...held(row), status: 'READY', errors: [error], delay: 0 })],
  ]
  it('tells a worker that has claimed its own row again that the earlier claim is lost, in the same batch', async () => {
    const { store, row, id } = await claimed({})
    await rows().expire(id)
    await rescue(store)
    const [again] = (await claim(store, 1)).claimed

    expect(await store.renew([row, again!].map((each) => held(each)))).toEqual({
      lost: [expect.objectContaining(held(row))],
      cancelled: [],
      unknown: [],
    })
    expect(
      await handIn(
        store,
        { ...held(row), status: 'SUCCESSFUL', returnValue: '"early"' },
        { ...held(again!), status: 'SUCCESSFUL', returnValue: '"late"' },
      ),
    ).toEqual(['refused', 'kept'])

    expect(await rows().get(id)).toMatchObject({
      status: 'SUCCESSFUL',
      returnValue: 'late',
      claims: 2,
    })
  })

  it.each(late)('drops %s of a worker whose row was claimed again since', async (_, outcome) => {
    const { store, row, id } = await claimed({})
    await store.release([row])
    await claim(store, 1, { workerId: 'w-2' })
    const before = await rows().get(id)

    expect(await handIn(store, outcome(row))).toEqual(['refused'])
    expect(await store.renew([held(row)])).toEqual({
      lost: [expect.objectContaining(held(row))],
      cancelled: [],
      unknown: [],
    })
    expect(
      await store.report([{ ...held(row), progress: '{"done":1,"total":null,"note":null}' }]),
    ).toEqual({ later: [], refused: [] })
    expect(await store.release([row])).toBe(0)

    expect(await rows().get(id)).toEqual(before)
  })

  it.each(late.slice(0, 2))(
    'drops %s of a worker whose row has finished otherwise',
    async (_, outcome) => {
      const { store, row, id } = await claimed({})
      await rows().update(id, {
        status: 'FAILED',
        exceptionClassPath: 'typeorm_tasks.TaskCancelled',
        traceback: 'cancelled\n',
      })
      const before = await rows().get(id)

      expect(await handIn(store, outcome(row))).toEqual(['refused'])
      expect(await rows().get(id)).toEqual(before)
    },
  )

  it('takes the same outcome twice without harm', async () => {
    const { store, row, id } = await claimed({})
    const outcome: Outcome = { ...held(row), status: 'SUCCESSFUL', returnValue: '1' }
    await handIn(store, outcome)
    const before = await rows().get(id)

    expect(await handIn(store, outcome)).toEqual(['kept'])
    expect(await rows().get(id)).toEqual(before)
  })

  it('never touches a row that Django holds, by any verb', async () => {
    const longAgo = new Date('2026-01-01T00:00:00Z')
    const [id] = await rows().add({
      status: 'RUNNING',
      claims: 0,
      leaseUntil: null,
      startedAt: longAgo,
      workerIds: ['django'],
    })
    const before = await rows().get(id!)
    const store = await open()
    const guess = { key: rows().key(id!), claims: 0 }

    expect(
      await handIn(
        store,
        { ...guess, status: 'SUCCESSFUL', returnValue: '1' },
        { ...guess, status: 'FAILED', error },
        { ...guess, status: 'READY', errors: [error], delay: 0 },
      ),
    ).toEqual(['refused', 'refused', 'refused'])
    expect((await store.renew([guess])).lost).toHaveLength(1)
    await store.report([{ ...guess, progress: '{}' }])
    expect(await store.release([guess])).toBe(0)
    expect(await rescue(store)).toEqual({ released: [], failed: [] })
    expect(await store.prune({ queues: null, minAge: 0, failedMinAge: 0, dryRun: false })).toBe(0)
    expect((await claim(store, 9)).claimed).toEqual([])

    expect(await rows().get(id!)).toEqual(before)
  })

  it('gives a row back as if it had not been taken', async () => {
    const { store, row, id } = await claimed({})

    expect(await store.release([row])).toBe(1)

    expect(await rows().get(id)).toMatchObject({
      status: 'READY',
      workerIds: [],
      startedAt: null,
      leaseUntil: null,
      claims: 1,
    })
  })

  it('gives back only the last attempt of several', async () => {
    const { store, row, id } = await claimed({
      workerIds: ['earlier'],
      startedAt: new Date('2026-01-01T00:00:00Z'),
    })

    await store.release([row])

    expect(await rows().get(id)).toMatchObject({
      status: 'READY',
      workerIds: ['earlier'],
      startedAt: expect.any(Date) as Date,
    })
  })

  it('holds rows for another lease, keeps their progress, and tells which are lost or should stop', async () => {
    await rows().addMany(4)
    const store = await open()
    const [mine, lost, wanted, silent] = (await claim(store, 4)).claimed as [
      ClaimedRow,
      ClaimedRow,
      ClaimedRow,
      ClaimedRow,
    ]
    for (const { values } of [mine, lost, wanted, silent]) await rows().expire(values.id)
    await rows().update(lost.values.id, { claims: 2 })
    await rows().update(wanted.values.id, { cancelRequestedAt: new Date() })
    await rows().update(silent.values.id, { progress: { done: 3, total: null, note: null } })

    const renewed = await store.renew([mine, lost, wanted, silent].map((row) => held(row)))
    const note = JSON.stringify({ done: 1, total: 4, note: hostile.slice(0, 100) })
    const reported = await store.report(
      [mine, lost].map((row) => ({ ...held(row), progress: note })),
    )

    expect({
      lost: renewed.lost.map(({ key }) => key),
      cancelled: renewed.cancelled.map(({ key }) => key),
    }).toEqual({ lost: [lost.key], cancelled: [wanted.key] })
    expect(reported).toEqual({ later: [], refused: [] })
    const [first, second, , fourth] = await Promise.all(
      [mine, lost, wanted, silent].map(({ values }) => rows().get(values.id)),
    )
    expect(first).toMatchObject({ progress: { done: 1, total: 4, note: hostile.slice(0, 100) } })
    expect(fourth).toMatchObject({ progress: { done: 3, total: null, note: null } })
    expect(first!.leaseUntil!.getTime()).toBeGreaterThan(Date.now() + 20_000)
    expect(second!.leaseUntil!.getTime()).toBeLessThan(Date.now())
    expect(second!.progress).toBeNull()
  })

  it('has nothing to do with empty hands', async () => {
    const store = await open()

    expect(await store.exchange([], 0, claimFilter())).toEqual({ answers: [], claimed: [] })
    expect(await store.renew([])).toEqual({ lost: [], cancelled: [], unknown: [] })
    expect(await store.report([])).toEqual({ later: [], refused: [] })
    expect(await store.release([])).toBe(0)
  })

  async function claimed(
    row: Parameters<ReturnType<typeof rows>['add']>[0],
  ): Promise<{ store: Store; row: ClaimedRow; id: string }> {
    const [id] = await rows().add(row)
    const store = await open()
    const found = (await claim(store, 1)).claimed[0]
    expect(found?.values.id).toBe(id)
    return { store, row: found!, id: id! }
  }
}

function held({ key, claims }: ClaimedRow, off = 0): { key: string; claims: number } {
  return { key, claims: claims + off }
}

async function handIn(store: Store, ...outcomes: Outcome[]): Promise<readonly OutcomeAnswer[]> {
  return (await store.exchange(outcomes, 0, claimFilter())).answers
}
