import fc from 'fast-check'
import type { DataSource } from 'typeorm'
import { DatabaseBackend } from '#backends/database'
import { DBTaskResult } from '#entities'
import { withError } from '#history'
import type { ClaimedRow, Held, Outcome, Store } from '#lib/store'
import { DatabaseRows } from '../contract/database-rows'
import { rescue, claimFilter } from '../contract/rows'
import { databases } from '../support/databases'
import { CANCELLED, type Handle, MAX_CRASHES, Model, type Step } from './kit/model'
import { say, seed, setting } from './kit/setting'

const RUNS = setting('RUNS', 200)
const [ROWS, WORKERS] = [3, 3]

const worker = fc.nat(WORKERS - 1)
const row = fc.nat(ROWS - 1)
const step = (...names: Step['do'][]): fc.Arbitrary<Step> =>
  fc.oneof(
    ...names.map(
      (name) =>
        fc.record({
          do: fc.constant(name),
          worker,
          row,
          handle: fc.nat(4),
          room: fc.integer({ min: 1, max: ROWS }),
        }) as fc.Arbitrary<Step>,
    ),
  )

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: step('claim').map((each) => [each]) },
    {
      weight: 8,
      arbitrary: step(
        'complete',
        'fail',
        'retry',
        'endAsCancelled',
        'renew',
        'release',
        'crash',
        'stall',
        'expire',
        'cancel',
        'reap',
      ).map((each) => [each]),
    },
    // All as if one came after the other; but claims pass over what others have locked, and so may take less than there is,
    // and a look for lost rows leaves one that is cancelled meanwhile to the next look.
    {
      weight: 3,
      arbitrary: fc.tuple(
        step('complete', 'fail', 'retry', 'renew', 'release', 'reap'),
        step('complete', 'endAsCancelled', 'renew', 'release', 'reap'),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(
        step('complete', 'fail', 'retry', 'renew', 'release', 'cancel'),
        step('cancel'),
      ),
    },
  ),
  { minLength: 1, maxLength: 24 },
)

describe.each(databases())('on $name', (database) => {
  let dataSource: DataSource
  let backend: DatabaseBackend
  let stores: Store[]
  let keys: string[]
  /** What claims gave, by row and claim: outcomes carry the errors of earlier attempts. */
  const claimed = new Map<string, ClaimedRow>()

  beforeAll(async () => {
    dataSource = await database.connect({ entities: [DBTaskResult], synchronize: true })
    backend = new DatabaseBackend('default', {
      queues: [],
      options: { dataSource, maxCrashes: MAX_CRASHES },
    })
    stores = await Promise.all(Array.from({ length: WORKERS }, () => backend.openStore({})))
  })
  afterAll(() => Promise.all(stores.map((store) => store.close())))

  it(
    `F69 three workers that do anything in any order, or two things at once, come to what the model says, ${RUNS} times`,
    async () => {
      const started = performance.now()
      await fc.assert(
        fc.asyncProperty(steps, async (sequence) => {
          await clear()
          let model = new Model(ROWS, WORKERS)
          for (const together of sequence) model = await agree(model, together)
        }),
        { numRuns: RUNS, seed, interruptAfterTimeLimit: 30_000 + RUNS * 1_000 },
      )
      say(
        `${database.name}, seed ${seed}: ${RUNS} random interleavings agree with the model, in ${Math.round(performance.now() - started)} ms`,
      )
    },
    60_000 + RUNS * 1_000,
  )

  async function clear(): Promise<void> {
    const rows = new DatabaseRows(dataSource)
    await dataSource.query('DELETE FROM db_task_result')
    const ids = await rows.add(...Array.from({ length: ROWS }, (_, at) => ({ priority: -at })))
    keys = ids.map((id) => rows.key(id))
  }

  /** Does the steps, at once if there are two, and gives the model in which that is so. */
  async function agree(model: Model, together: readonly Step[]): Promise<Model> {
    const answers = await Promise.all(together.map((each) => perform(model, each)))
    const found = { answers, rows: await readRows() }
    const orders =
      together.length === 1
        ? [[0]]
        : [
            [0, 1],
            [1, 0],
          ]
    const foreseen = orders.map((order) => {
      const after = model.copy()
      const expected: unknown[] = []
      for (const at of order) expected[at] = after.take(together[at]!)
      return {
        after,
        says: { answers: expected, rows: after.rows.map(({ isExpired: _, ...seen }) => seen) },
      }
    })
    const right = foreseen.find(({ says }) => JSON.stringify(says) === JSON.stringify(found))
    // Tells in what they differ.
    if (!right) expect(found).toEqual(foreseen[0]!.says)
    return right?.after ?? model
  }

  async function perform(model: Model, each: Step): Promise<unknown> {
    switch (each.do) {
      case 'claim':
        return (
          await stores[each.worker]!.exchange(
            [],
            each.room,
            claimFilter({ workerId: `w-${each.worker}` }),
          )
        ).claimed.map((row) => {
          claimed.set(`${row.key} ${row.claims}`, row)
          return handleOf(row)
        })
      case 'renew': {
        const { lost, cancelled } = await stores[each.worker]!.renew(
          model.handles[each.worker]!.map(heldBy),
        )
        return { lost: lost.map(handleOf), cancelled: cancelled.map(handleOf) }
      }
      case 'release':
        return stores[each.worker]!.release(model.handles[each.worker]!.map(heldBy))
      case 'reap': {
        const { released, failed } = await rescue(stores[each.worker]!)
        return { released: inOrder(released), failed: inOrder(failed) }
      }
      case 'cancel':
        return void (await (await backend.getResult(keys[each.row]!)).cancel())
      case 'expire':
        return expire([keys[each.row]!])
      case 'stall':
        return expire(
          model.handles[each.worker]!.map(({ row: at }) => keys[at]!),
          model.handles[each.worker],
        )
      case 'crash':
        return undefined
      default:
        return finish(model, each)
    }
  }

  async function finish(
    model: Model,
    each: Step & { readonly handle: number; readonly worker: number },
  ): Promise<boolean | undefined> {
    const handle = model.handle(each.worker, each.handle)
    if (!handle) return undefined
    const { answers } = await stores[each.worker]!.exchange(
      [outcomeOf(heldBy(handle), each.do as keyof typeof OUTCOMES | 'retry')],
      0,
      claimFilter(),
    )
    return answers[0] === 'kept'
  }

  function outcomeOf(held: Held, how: keyof typeof OUTCOMES | 'retry'): Outcome {
    if (how !== 'retry') return { ...held, ...OUTCOMES[how] }
    const { values } = claimed.get(`${held.key} ${held.claims}`)!
    return { ...held, status: 'READY', errors: withError(values, error), delay: null }
  }

  async function expire(of: readonly string[], handles?: readonly Handle[]): Promise<void> {
    const past = new DatabaseRows(dataSource).instant(new Date(Date.now() - 60_000))
    for (const [at, key] of of.entries()) {
      const fence = handles ? ` AND claims = ${handles[at]!.claims}` : ''
      await dataSource.query(
        `UPDATE db_task_result SET lease_until = '${past}' WHERE id = '${key}' AND status = 'RUNNING' AND lease_until IS NOT NULL${fence}`,
      )
    }
  }

  async function readRows(): Promise<unknown[]> {
    const rows = await dataSource.getRepository(DBTaskResult).find({ order: { priority: 'DESC' } })
    return rows.map(
      ({
        status,
        claims,
        workerIds,
        attemptErrors,
        exceptionClassPath,
        leaseUntil,
        cancelRequestedAt,
      }) => ({
        status,
        claims,
        attempts: workerIds.length,
        errors: (attemptErrors ?? []).map((error) => error.exceptionClassPath),
        error: exceptionClassPath,
        isHeld: leaseUntil !== null,
        isCancelled: cancelRequestedAt !== null,
      }),
    )
  }

  function inOrder(ids: readonly string[]): number[] {
    return ids.map(numberOf).toSorted((a, b) => a - b)
  }

  function numberOf(id: string): number {
    return keys.indexOf(new DatabaseRows(dataSource).key(id))
  }

  function handleOf({ key, claims }: Held): Handle {
    return { row: keys.indexOf(key), claims }
  }

  function heldBy({ row: at, claims }: Handle): Held {
    return { key: keys[at]!, claims }
  }
})

const error = { exceptionClassPath: 'RangeError', traceback: 'RangeError: too far' }
const OUTCOMES = {
  complete: { status: 'SUCCESSFUL', returnValue: '1' },
  fail: { status: 'FAILED', error },
  endAsCancelled: {
    status: 'FAILED',
    error: { exceptionClassPath: CANCELLED, traceback: 'cancelled' },
  },
} as const
