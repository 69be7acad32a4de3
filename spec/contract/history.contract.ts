import { withFailure } from '#history'
import { TaskResult } from '#result'
import type { ClaimedRow, Store } from '#lib/store'
import { claim, rescue, claimFilter } from './rows'
import type { ContractPlace } from './store.contract'

/** A task that runs again and again keeps a row of a bounded size, whose numbers stay right. */
export function historyContract({ rows, backend, open }: ContractPlace): void {
  it('keeps the first and the last errors and worker ids of very many, and counts all', async () => {
    const [id] = await rows().add({})
    const store = await open()
    for (let run = 1; run <= 130; run++) await failAgain(store, run, 'x')

    const { attemptErrors, workerIds } = await rows().get(id!)
    expect(attemptErrors).toHaveLength(21)
    expect(attemptErrors![10]).toMatchObject({ omitted: { errors: 110, failures: 110 } })
    expect(workerIds.length).toBeLessThanOrEqual(100)
    expect([workerIds[0], workerIds[9], workerIds.at(-1)]).toEqual(['w-1', 'w-10', 'w-130'])
    const [row] = (await claim(store, 1, { workerId: 'w-131' })).claimed
    const result = new TaskResult(backend(), row!.values)
    expect(result).toMatchObject({ attempts: 131, errorCount: 130 })
    expect(result.errors.map(({ traceback }) => traceback)).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130].map(
        (run) => `Error: ${run} x\n`,
      ),
    )
  }, 60_000)

  it('keeps no more than 64 KiB of long errors', async () => {
    const [id] = await rows().add({})
    const store = await open()
    for (let run = 1; run <= 25; run++) await failAgain(store, run, 'é"'.repeat(30_000))

    const { attemptErrors } = await rows().get(id!)
    expect(attemptErrors).toHaveLength(21)
    expect(Buffer.byteLength(JSON.stringify(attemptErrors))).toBeLessThanOrEqual(64 * 1024)
    expect(attemptErrors!.map(({ traceback }) => traceback.slice(0, 9))).toEqual(
      expect.arrayContaining(['Error: 1 ', 'Error: 10', 'Error: 16', 'Error: 25']),
    )
    expect(attemptErrors![0]!.traceback).toMatch(/\n… cut, 60010 characters in all\n$/)
  }, 60_000)

  it('gives back an attempt of a long history as of a short one', async () => {
    const [id] = await rows().add({ workerIds: Array.from({ length: 100 }, (_, i) => `w-${i}`) })
    const store = await open()
    await failAgain(store, 1, 'x')
    const before = await rows().get(id!)
    const [row] = (await claim(store, 1)).claimed
    await store.release([row!])

    expect(await rows().get(id!)).toMatchObject({ workerIds: before.workerIds })
    expect(attemptsOf((await claim(store, 1)).claimed[0]!)).toBe(102)
  })

  it('counts lost workers among very many errors', async () => {
    const [id] = await rows().add({})
    const store = await open({ maxCrashes: 30 })
    for (let run = 1; run < 30; run++) {
      await claim(store, 1)
      await rows().expire(id!)
      expect(await rescue(store)).toEqual({ released: [id], failed: [] })
    }

    await claim(store, 1)
    await rows().expire(id!)
    expect(await rescue(store)).toEqual({ released: [], failed: [id] })
    expect((await rows().get(id!)).attemptErrors).toHaveLength(21)
  }, 60_000)

  it('lets a task that lost its workers and was retried by hand lose as many again', async () => {
    const [id] = await rows().add({})
    const store = await open({ maxCrashes: 2 })
    const lose = async (): Promise<unknown> => {
      await claim(store, 1)
      await rows().expire(id!)
      return rescue(store)
    }
    expect(await lose()).toEqual({ released: [id], failed: [] })
    expect(await lose()).toEqual({ released: [], failed: [id] })

    await backend().retry(id!)

    expect(await lose()).toEqual({ released: [id], failed: [] })
    expect(await lose()).toEqual({ released: [], failed: [id] })
    expect((await rows().get(id!)).attemptErrors).toHaveLength(3)
  })

  function attemptsOf({ values }: ClaimedRow): number {
    return new TaskResult(backend(), values).attempts
  }
}

/** Claims the row there is, and hands in that it failed and is to run again. */
async function failAgain(store: Store, run: number, text: string): Promise<void> {
  const [row] = (await claim(store, 1, { workerId: `w-${run}` })).claimed
  const { key, claims, values } = row!
  const error = { exceptionClassPath: 'Error', traceback: `Error: ${run} ${text}\n` }
  const errors = withFailure(values, error)
  const { answers } = await store.exchange(
    [{ key, claims, status: 'READY', errors, delay: null }],
    0,
    claimFilter(),
  )
  if (answers[0] !== 'kept') throw new Error(`The outcome was ${JSON.stringify(answers[0])}.`)
}
